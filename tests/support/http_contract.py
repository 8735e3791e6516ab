"""Words for tests of the HTTP contract: requests, and an order placed."""

import json
from typing import Any

import httpx

CARD = {"method": "card", "token": "tok_approve"}
UNPAID: dict[str, Any] = {
    "customer": {"id": "c-17", "name": "영욱", "tel": "010-1234-5678"},
    "store_id": "gangnam",
    "items": [{"menu_id": "americano", "quantity": 2}, {"menu_id": "bagel", "quantity": 1}],
}
ORDER = UNPAID | {"payment": CARD}
# Method, path and a valid body of every call that names something.
COMMANDS = [
    ("POST", "/orders/{id}/payment", CARD),
    ("POST", "/orders/{id}/cancel", {}),
    ("DELETE", "/orders/{id}", {}),
    ("POST", "/pickups/{id}/start", None),
    ("POST", "/pickups/{id}/ready", None),
    ("POST", "/pickups/{id}/complete", None),
    ("POST", "/pickups/{id}/reject", {"reason": "x"}),
    ("PATCH", "/stores/{id}", {"open": True}),
    ("PATCH", "/stores/gangnam/menu/{id}", {"sold_out": True}),
    ("PATCH", "/stores/{id}/menu/latte", {"sold_out": True}),
]
READS = [
    ("GET", path, None)
    for path in (
        "/orders/{id}",
        "/orders/{id}/events",
        "/orders/{id}/story",
        "/orders/{id}/stream",
        "/order-details/{id}",
        "/payments/{id}",
        "/stores/{id}",
        "/stores/{id}/menu",
        "/nowhere/{id}",
    )
]
LISTS = [("GET", path) for path in ("/order-details", "/pickups", "/payments", "/stores", "/")]


def changed(pointer: str, value: object) -> dict[str, Any]:
    """Return the order request with another value somewhere."""
    order: dict[str, Any] = json.loads(json.dumps(ORDER))
    *parents, last = pointer.strip("/").split("/")
    place: Any = order
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return order


async def placed(client: httpx.AsyncClient, order: dict[str, Any] = ORDER) -> str:
    """Place an order and return its id."""
    response = await client.post("/orders", json=order)
    assert response.status_code == 201, response.text
    return str(response.json()["order_id"])
