"""Pickups, payments, stores, the view and health over real HTTP, as the contract has them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    card,
    new_order,
    place,
    post,
    reaches,
)
from tests.support.system import System, eventually


@pytest.fixture
def jeju(system: System) -> Iterator[str]:
    """A store that a test may close: afterwards it is as it was."""
    yield "jeju"
    assert system.http.patch("/stores/jeju", json={"open": True, "capacity": None}).is_success
    for change in ({"sold_out": False}, {"price": 4500}):
        assert system.http.patch("/stores/jeju/menu/americano", json=change).is_success


# --- pickups ----------------------------------------------------------------------------------


def test_the_barista_s_buttons_move_order_and_ticket(system: System) -> None:
    """A fault of the original: pressing "pickup ready" emitted nothing."""
    order_id = accepted(system)
    for button, status, event in (
        ("start", "PREPARING", "PreparationStarted"),
        ("ready", "READY", "PickupReady"),
        ("complete", "PICKED_UP", "PickedUp"),
    ):
        for _ in range(2):  # pressing it again is no error
            pressed = post(system, f"/pickups/{order_id}/{button}")
            assert (pressed.status_code, pressed.json()["order_status"]) == (200, status)
        events = system.http.get(f"/orders/{order_id}/events").json()["items"]
        assert [e["type"] for e in events].count(event) == 1
        reaches(system, order_id, status)
        ticket = system.http.get("/pickups", params={"order_id": order_id}).json()["items"][0]
        assert (ticket["status"], ticket["order_id"]) == (status, order_id)
    detail = reaches(system, order_id, "PICKED_UP")
    assert detail["accepted_at"] <= detail["ready_at"] <= detail["picked_up_at"]
    assert_agreed(system, order_id)


@pytest.mark.parametrize("button", ["ready", "complete"])
def test_a_button_out_of_turn_is_refused(system: System, button: str) -> None:
    order_id = accepted(system)
    refused = post(system, f"/pickups/{order_id}/{button}")
    assert (refused.status_code, refused.json()["code"]) == (409, "out_of_turn")


def test_the_store_gives_an_order_up_while_preparing_and_it_is_refunded(system: System) -> None:
    order_id = accepted(system)
    post(system, f"/pickups/{order_id}/start")
    answer = post(system, f"/pickups/{order_id}/reject", {"reason": "machine_broken"})
    assert answer.status_code == 200
    detail = reaches(system, order_id, "CANCELED")
    assert (detail["cancel_reason"], detail["pickup_status"]) == ("machine_broken", "REJECTED")
    assert assert_agreed(system, order_id).live_charges == []


def test_tickets_are_listed_oldest_first_in_pages(system: System) -> None:
    mine = [accepted(system, new_order(store_id="pangyo")) for _ in range(3)]
    params = {"store_id": "pangyo", "status": "ACCEPTED", "limit": 2}
    assert [t for t in pages(system, "/pickups", params, "order_id") if t in mine] == mine


# --- payments ---------------------------------------------------------------------------------


def test_a_payment_is_on_record_with_amount_and_id(system: System) -> None:
    """A fault of the original: the view had no amount, and never a payment id."""
    order_id = accepted(system)
    detail = reaches(system, order_id, "ACCEPTED")
    listed = system.http.get("/payments", params={"order_id": order_id}).json()
    assert listed["next_cursor"] is None
    (payment,) = listed["items"]
    assert payment == system.http.get(f"/payments/{detail['payment_id']}").json()
    assert (payment["amount"], payment["currency"]) == (detail["total"], detail["currency"])
    assert (payment["status"], payment["attempts"]) == ("APPROVED", 1)
    assert payment["payment_id"] == detail["payment_id"]
    assert payment["approved_at"]
    assert payment["canceled_at"] is None
    post(system, f"/orders/{order_id}/cancel")
    refunded = system.http.get(f"/payments/{detail['payment_id']}").json()
    assert refunded["status"] == "CANCELED"
    assert refunded["canceled_at"]


# --- stores -----------------------------------------------------------------------------------


def test_the_demo_stores_have_a_menu(system: System) -> None:
    stores = system.http.get("/stores").json()["items"]
    assert {store["store_id"] for store in stores} == {"gangnam", "pangyo", "jeju"}
    for store in stores:
        assert (store["time_zone"], store["currency"]) == ("Asia/Seoul", "KRW")
        assert system.http.get(f"/stores/{store['store_id']}").json()["name"] == store["name"]
        menu = system.http.get(f"/stores/{store['store_id']}/menu").json()["items"]
        prices = {item["menu_id"]: item["price"] for item in menu}
        assert len(menu) >= 10
        assert prices.items() >= {"americano": 4500, "latte": 5000, "bagel": 3500}.items()


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("/stores/jeju", {"open": False}, "store_closed"),
        ("/stores/jeju", {"capacity": 0}, "store_full"),
        ("/stores/jeju/menu/americano", {"sold_out": True}, "sold_out"),
    ],
)
def test_what_is_known_to_be_impossible_is_refused_at_placement(
    system: System, jeju: str, path: str, change: dict[str, object], code: str
) -> None:
    assert system.http.patch(path, json=change).json().items() >= change.items()
    order = new_order(store_id=jeju)
    refused = system.http.post("/orders", json=order)
    assert (refused.status_code, refused.json()["code"]) == (409, code)
    params = {"customer_id": order["customer"]["id"]}
    assert system.http.get("/order-details", params=params).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "change", "reason"),
    [
        ("/stores/jeju", {"open": False}, "store_closed"),
        ("/stores/jeju", {"capacity": 0}, "store_full"),
        ("/stores/jeju/menu/americano", {"sold_out": True}, "sold_out"),
    ],
)
def test_what_turns_out_after_the_payment_is_refunded(
    system: System, jeju: str, path: str, change: dict[str, object], reason: str
) -> None:
    order_id = place(system, new_order(None, store_id=jeju))["order_id"]
    post(system, f"/orders/{order_id}/payment", card("tok_slow_1500"), prefer=ASYNC)
    assert system.http.patch(path, json=change).is_success
    detail = reaches(system, order_id, "CANCELED")
    assert (detail["cancel_reason"], detail["payment_status"]) == (reason, "CANCELED")
    assert assert_agreed(system, order_id).live_charges == []


def test_a_price_change_does_not_touch_what_was_ordered(system: System, jeju: str) -> None:
    items = [{"menu_id": "americano", "quantity": 1}]
    order_id = place(system, new_order(None, store_id=jeju, items=items))["order_id"]
    assert system.http.patch("/stores/jeju/menu/americano", json={"price": 9900}).is_success
    assert place(system, new_order(None, store_id=jeju, items=items))["total"] == 9900
    post(system, f"/orders/{order_id}/payment", card())
    assert reaches(system, order_id, "ACCEPTED")["total"] == 4500
    assert_agreed(system, order_id)


# --- the view ---------------------------------------------------------------------------------


def test_the_view_is_the_order_and_waits_for_a_version_it_does_not_have_yet(
    system: System,
) -> None:
    placed = place(system)
    path = f"/order-details/{placed['order_id']}"
    shown = system.http.get(path, params={"min_version": placed["version"]})
    assert (shown.status_code, shown.json()) == (200, placed)


def test_order_details_are_listed_newest_first_in_pages(system: System) -> None:
    customer = new_order()["customer"]
    orders = [place(system, new_order(None, customer=customer))["order_id"] for _ in range(5)]
    reaches(system, orders[-1], "PLACED")
    params = {"customer_id": customer["id"], "order_status": "PLACED", "limit": 2}
    assert list(pages(system, "/order-details", params, "order_id")) == orders[::-1]


def pages(system: System, path: str, params: dict[str, object], column: str) -> Iterator[str]:
    """Yield one column of a list, page by page."""
    cursor: dict[str, object] = {}
    while True:
        answer = system.http.get(path, params=params | cursor)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= int(str(params["limit"]))
        yield from (item[column] for item in page["items"])
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


# --- the stream -------------------------------------------------------------------------------


def test_an_order_is_followed_until_it_is_picked_up(system: System) -> None:
    order_id = accepted(system)
    with system.http.stream("GET", f"/orders/{order_id}/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        first = next_id(lines)
        for button in ("start", "ready", "complete"):
            post(system, f"/pickups/{order_id}/{button}")
        seen = [first, *iter(lambda: next_id(lines), 0)]  # it ends by itself
    assert seen == sorted(set(seen))
    assert (seen[0], seen[-1]) == (4, 7)

    resumed = {"Last-Event-ID": "4"}
    newer = system.http.get(f"/orders/{order_id}/stream", headers=resumed)
    assert "id: 7" in newer.text
    assert "id: 4" not in newer.text
    done = system.http.get(f"/orders/{order_id}/stream", headers={"Last-Event-ID": "7"})
    assert done.status_code == httpx.codes.NO_CONTENT


def next_id(lines: Iterator[str]) -> int:
    """Return the id of the next event, 0 at the end of the stream."""
    return next((int(line[4:]) for line in lines if line.startswith("id: ")), 0)


# --- health and documentation -----------------------------------------------------------------


def test_health_and_readiness_are_told(system: System) -> None:
    assert system.http.get("/healthz").status_code == 200
    assert eventually(lambda: system.http.get("/readyz").status_code == 200, "readiness")


def test_the_contract_is_served_as_openapi(system: System) -> None:
    document = system.http.get("/openapi.json").json()
    calls = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert calls >= {
        "POST /orders",
        "GET /orders/{order_id}",
        "POST /orders/{order_id}/payment",
        "POST /orders/{order_id}/cancel",
        "DELETE /orders/{order_id}",
        "GET /orders/{order_id}/events",
        "GET /orders/{order_id}/stream",
        "GET /order-details/{order_id}",
        "GET /order-details",
        "GET /pickups",
        "POST /pickups/{order_id}/start",
        "POST /pickups/{order_id}/ready",
        "POST /pickups/{order_id}/complete",
        "POST /pickups/{order_id}/reject",
        "GET /payments",
        "GET /payments/{payment_id}",
        "GET /stores",
        "GET /stores/{store_id}",
        "GET /stores/{store_id}/menu",
        "PATCH /stores/{store_id}",
        "PATCH /stores/{store_id}/menu/{menu_id}",
        "GET /healthz",
        "GET /readyz",
    }
    assert system.http.get("/docs").status_code == 200
