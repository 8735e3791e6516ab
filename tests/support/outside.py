"""What customers, baristas and auditors do from outside: HTTP, and SQL on each service's books."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.support.system import System, eventually

AGAIN = (httpx.codes.INTERNAL_SERVER_ERROR, httpx.codes.SERVICE_UNAVAILABLE)
"""503 is ours, or HAProxy's while no replica answers: repeat with the same key."""
ANSWERED_S = 150.0
ASYNC = "respond-async"
SETTLED = "wait=30"

CHUNK = 1 << 20

Detail = dict[str, Any]


def new_order(token: str | None = "tok_approve", **changes: Any) -> dict[str, Any]:
    """Return an order of a customer of its own, not paid where there is no token."""
    order: dict[str, Any] = {
        "customer": {"id": f"c-{uuid4().hex[:12]}", "name": "영욱", "tel": "010-1234-5678"},
        "store_id": "gangnam",
        "items": [{"menu_id": "americano", "quantity": 2}, {"menu_id": "bagel", "quantity": 1}],
    }
    if token is not None:
        order["payment"] = card(token)
    return order | changes


def card(token: str = "tok_approve") -> dict[str, str]:
    """Return what pays."""
    return {"method": "card", "token": token}


def headers(key: str | None = None, prefer: str = SETTLED) -> dict[str, str]:
    """Return the headers of a command."""
    return {"Prefer": prefer} | ({} if key is None else {"Idempotency-Key": key})


def post(
    system: System,
    path: str,
    body: object = None,
    *,
    key: str | None = None,
    prefer: str = SETTLED,
) -> httpx.Response:
    """Send a command as clients should: again with the same key until it is answered."""
    key = key or uuid4().hex

    def send() -> httpx.Response | None:
        response = system.http.post(path, json=body, headers=headers(key, prefer))
        return None if response.status_code in AGAIN else response

    response: httpx.Response = eventually(send, f"an answer to POST {path}", ANSWERED_S)
    return response


def place(
    system: System,
    order: dict[str, Any] | None = None,
    *,
    key: str | None = None,
    prefer: str = SETTLED,
) -> Detail:
    """Place an order and return its detail."""
    response = post(system, "/orders", order or new_order(), key=key, prefer=prefer)
    assert response.status_code in (200, 201), response.text
    detail: Detail = response.json()
    return detail


def take(system: System, order: dict[str, Any], key: str, within: float = 90.0) -> None:
    """Send an order with its key until it is taken."""

    def taken() -> bool:
        return system.http.post("/orders", json=order, headers=headers(key, ASYNC)).is_success

    eventually(taken, "it is taken", within)


def accepted(system: System, order: dict[str, Any] | None = None) -> str:
    """Place an order that the store takes, and return its id."""
    order_id = str(place(system, order)["order_id"])
    reaches(system, order_id, "ACCEPTED")
    return order_id


def place_at_once(system: System, orders: Iterable[dict[str, Any]], prefer: str) -> list[Detail]:
    """Place orders, all at the same time."""
    orders = list(orders)
    with ThreadPoolExecutor(len(orders)) as customers:
        return list(customers.map(lambda order: place(system, order, prefer=prefer), orders))


def view(system: System, order_id: str) -> Detail | None:
    """Return the order as the view shows it, None where it does not yet."""
    response = system.http.get(f"/order-details/{order_id}")
    assert response.status_code in (200, 404), response.text
    return response.json() if response.status_code == httpx.codes.OK else None


def reaches(
    system: System, order_id: str, status: str, within: float = 120.0, every: float = 0.1
) -> Detail:
    """Wait until the view shows an order at rest in this status; nobody touches it meanwhile."""

    def arrived() -> Detail | None:
        version = version_at_rest(system, order_id)
        detail = view(system, order_id) if version else None
        if detail is None or (detail["version"], detail["order_status"]) != (version, status):
            return None
        return detail

    try:
        found: Detail = eventually(arrived, f"{order_id} is {status} by itself", within, every)
    except AssertionError as error:
        error.add_note(f"journal: {history(system, order_id)}")
        raise
    return found


def version_at_rest(system: System, order_id: str) -> int | None:
    """Return an order's version if nothing is outstanding but, maybe, its payment deadline."""
    query = """SELECT max(version) AS version FROM events LEFT JOIN open_orders USING (order_id)
        WHERE order_id = ? HAVING coalesce(due_at > max(at), 1)"""
    rows = system.sql("journal", query, order_id)
    return rows[0]["version"] if rows else None


def history(system: System, order_id: str) -> list[str]:
    """Return the types of an order's events, as the journal has them."""
    query = "SELECT type FROM events WHERE order_id = ? ORDER BY version"
    return [row["type"] for row in system.sql("journal", query, order_id)]


def orders_of(system: System, customer_id: str) -> list[str]:
    """Return a customer's orders in the journal."""
    query = "SELECT order_id FROM events WHERE type = 'OrderPlaced' AND data LIKE ?"
    return [row["order_id"] for row in system.sql("journal", query, f"%{customer_id}%")]


@dataclass(frozen=True)
class Books:
    """What each service has written down about one order, read from its database file."""

    versions: list[int]
    charges: list[Any]
    payments: list[Any]
    tickets: list[Any]
    token: str | None
    declined: set[str]

    @property
    def live_charges(self) -> list[Any]:
        return [charge for charge in self.charges if charge["status"] == "APPROVED"]

    @property
    def money_moved(self) -> list[Any]:
        """Charges that went through at some time, refunded or not."""
        asked = [charge for charge in self.charges if charge["amount"] is not None]
        return [c for c in asked if c["key"].rpartition(":")[2] not in self.declined]


def books(system: System, order_id: str) -> Books:
    """Read every service's rows about one order."""
    versions = "SELECT version FROM events WHERE order_id = ? ORDER BY position"
    private = "SELECT payment_token FROM order_private WHERE order_id = ?"
    declined = """SELECT json_extract(data, '$.attempt') AS attempt FROM events
        WHERE order_id = ? AND type = 'PaymentDeclined'"""
    return Books(
        [row["version"] for row in system.sql("journal", versions, order_id)],
        system.sql("provider", "SELECT * FROM charges WHERE key LIKE ?", f"{order_id}:%"),
        system.sql("payments", "SELECT * FROM payments WHERE order_id = ?", order_id),
        system.sql("stores", "SELECT * FROM tickets WHERE order_id = ?", order_id),
        next((row["payment_token"] for row in system.sql("journal", private, order_id)), None),
        {str(row["attempt"]) for row in system.sql("journal", declined, order_id)},
    )


def assert_agreed(system: System, order_id: str) -> Books:
    """Check that all services tell the same story of an order at rest: one charge, one ticket."""

    def told_by_both() -> Detail | None:
        journal: Detail = system.http.get(f"/orders/{order_id}").json()
        return journal if view(system, order_id) == journal else None

    detail = eventually(told_by_both, "the view is the journal")  # it follows, soon after
    found = books(system, order_id)
    assert found.versions == list(range(1, detail["version"] + 1)), "versions with gaps"
    paid = detail["payment_status"] == "APPROVED"
    assert len(found.live_charges) == paid, "the provider and the order disagree"
    assert all(charge["amount"] == detail["total"] for charge in found.live_charges)
    assert len(found.money_moved) <= 1, "charged twice"
    assert len(found.payments) <= 1
    if found.payments and found.payments[0]["payment_id"]:
        assert found.payments[0]["status"] == detail["payment_status"]
        # Payment may have heard of a charge only after the order was told that there is none.
        known = {found.payments[0]["payment_id"]} | ({None} if not found.money_moved else set())
        assert detail["payment_id"] in known
    assert len(found.tickets) == (detail["pickup_status"] != "NONE"), "tickets"
    for ticket in found.tickets:
        assert ticket["status"] == detail["pickup_status"], "the store and the order disagree"
        assert ticket["number"] == detail["pickup_number"]
    assert found.token is None, "the card token outlived its attempt"
    return found


def found(text: str, paths: list[Path]) -> list[Path]:
    """Return those files that contain a text anywhere, as bytes."""
    return [path for path in paths if any(text.encode() in part for part in parts(path))]


def parts(path: Path) -> Iterator[bytes]:
    """Yield a file in overlapping pieces, so that nothing hides on a seam."""
    with path.open("rb") as file:
        seam = b""
        while chunk := file.read(CHUNK):
            yield seam + chunk
            seam = chunk[-128:]
