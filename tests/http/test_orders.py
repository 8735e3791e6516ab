"""Orders over real HTTP: placing, paying and cancelling them, as the contract has it."""

import re
from typing import Any
from uuid import uuid4

import pytest

from tests.support.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    card,
    headers,
    history,
    new_order,
    place,
    post,
    reaches,
)
from tests.support.system import System

FIELDS = {
    "order_id",
    "version",
    "store_id",
    "customer",
    "items",
    "total",
    "currency",
    "order_status",
    "payment_status",
    "pickup_status",
    "payment_id",
    "pickup_number",
    "estimated_ready_at",
    "cancel_reason",
    "placed_at",
    "paid_at",
    "accepted_at",
    "ready_at",
    "picked_up_at",
    "canceled_at",
}


def test_a_placed_order_is_answered_once_the_store_has_taken_it(system: System) -> None:
    order = new_order()
    answer = system.http.post("/orders", json=order, headers=headers())
    assert answer.status_code == 201
    detail = answer.json()
    assert answer.headers["location"] == f"/orders/{detail['order_id']}"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["preference-applied"] == "wait=30"
    assert "idempotency-replayed" not in answer.headers
    assert set(detail) == FIELDS
    assert detail["customer"] == order["customer"]
    assert detail["items"] == [
        line("americano", "Americano", 2, 4500),
        line("bagel", "Bagel", 1, 3500),
    ]
    assert (detail["total"], detail["currency"]) == (12500, "KRW")
    statuses = [detail[f"{part}_status"] for part in ("order", "payment", "pickup")]
    assert statuses == ["ACCEPTED", "APPROVED", "ACCEPTED"]
    assert re.fullmatch(r"[A-Z]+-\d{3}", detail["pickup_number"])
    assert detail["placed_at"] <= detail["paid_at"] <= detail["accepted_at"]
    assert detail["placed_at"].endswith("Z")


def line(menu_id: str, name: str, quantity: int, price: int) -> dict[str, object]:
    """Return a line of an order detail."""
    amount = quantity * price
    shown = {"menu_id": menu_id, "name": name, "quantity": quantity}
    return {**shown, "unit_price": price, "amount": amount}


def test_an_order_can_be_read_by_its_location_at_once(system: System) -> None:
    answer = system.http.post("/orders", json=new_order(), headers=headers(prefer=ASYNC))
    assert answer.headers["preference-applied"] == ASYNC
    read = system.http.get(answer.headers["location"])
    assert read.status_code == 200
    assert read.json()["order_id"] == answer.json()["order_id"]


def test_the_same_key_and_body_again_is_the_same_order_as_it_is_now(system: System) -> None:
    order, key = new_order(), uuid4().hex
    first = place(system, order, key=key)
    post(system, f"/orders/{first['order_id']}/cancel")
    again = system.http.post("/orders", json=order, headers=headers(key))
    assert again.status_code == 200
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["order_id"] == first["order_id"]
    assert again.json()["order_status"] == "CANCELED"


def test_the_same_key_with_another_body_is_refused(system: System) -> None:
    order, key = new_order(), uuid4().hex
    place(system, order, key=key)
    other = order | {"items": [{"menu_id": "latte", "quantity": 1}]}
    refused = system.http.post("/orders", json=other, headers=headers(key))
    assert_problem(refused, 422, "idempotency_mismatch")


def test_a_key_belongs_to_its_customer(system: System) -> None:
    key = uuid4().hex
    ids = {place(system, new_order(), key=key)["order_id"] for _ in range(2)}
    assert len(ids) == 2


def test_prices_come_from_the_menu_and_unknown_fields_are_refused(system: System) -> None:
    order = new_order()
    order["items"][0]["unit_price"] = 1
    refused = system.http.post("/orders", json=order)
    assert_problem(refused, 422, "invalid_request")
    assert refused.json()["errors"][0]["pointer"] == "/items/0/unit_price"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"store_id": "nowhere"}, "unknown_store"),
        ({"items": [{"menu_id": "tea for two", "quantity": 1}]}, "invalid_request"),
        ({"items": [{"menu_id": "tea_for_two", "quantity": 1}]}, "unknown_menu_item"),
        ({"items": []}, "invalid_request"),
        ({"items": [{"menu_id": "latte", "quantity": 100}]}, "invalid_request"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    system: System, changes: dict[str, Any], code: str
) -> None:
    assert_problem(system.http.post("/orders", json=new_order(**changes)), 422, code)


def test_a_body_that_is_too_large_is_refused(system: System) -> None:
    assert_problem(system.http.post("/orders", content=b" " * 65537), 413, "body_too_large")


# --- paying -----------------------------------------------------------------------------------


def test_an_unpaid_order_waits_and_no_store_sees_it(system: System) -> None:
    detail = place(system, new_order(None))
    statuses = [detail[f"{part}_status"] for part in ("order", "payment", "pickup")]
    assert statuses == ["PLACED", "NONE", "NONE"]
    assert detail["payment_id"] is None
    tickets = system.http.get("/pickups", params={"order_id": detail["order_id"]}).json()
    assert tickets["items"] == []


def test_the_pay_call_needs_the_order_s_id_and_the_server_sets_the_date(system: System) -> None:
    """Two faults of the original: it wanted the payment's id, and the client chose the date."""
    placed = place(system, new_order(None))
    path = f"/orders/{placed['order_id']}/payment"
    dated = card() | {"paid_at": "2001-01-01T00:00:00Z"}
    assert_problem(system.http.post(path, json=dated), 422, "invalid_request")

    paid = system.http.post(path, json=card(), headers=headers())

    assert paid.status_code == 200
    detail = reaches(system, placed["order_id"], "ACCEPTED")
    assert placed["placed_at"] <= detail["paid_at"] <= detail["accepted_at"]


def test_a_declined_card_is_a_201_at_placement_and_can_be_paid_again(system: System) -> None:
    placed = place(system, new_order("tok_decline"))
    assert (placed["order_status"], placed["payment_status"]) == ("PLACED", "DECLINED")
    path = f"/orders/{placed['order_id']}/payment"

    declined = system.http.post(path, json=card("tok_of_nobody"), headers=headers())
    assert_problem(declined, 402, "card_declined")
    assert declined.json()["order"]["payment_status"] == "DECLINED"

    paid = system.http.post(path, json=card(), headers=headers())
    assert (paid.status_code, paid.json()["payment_status"]) == (200, "APPROVED")
    reaches(system, placed["order_id"], "ACCEPTED")
    assert assert_agreed(system, placed["order_id"]).payments[0]["attempts"] == 3


def test_a_payment_that_takes_its_time_is_202_and_found_under_its_key(system: System) -> None:
    order_id = place(system, new_order(None))["order_id"]
    path, key = f"/orders/{order_id}/payment", uuid4().hex
    slow = card("tok_slow_800")
    asked = system.http.post(path, json=slow, headers=headers(key, ASYNC))
    assert (asked.status_code, asked.json()["payment_status"]) == (202, "PENDING")
    again = system.http.post(path, json=slow, headers=headers(key))
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    reaches(system, order_id, "ACCEPTED")
    assert len(assert_agreed(system, order_id).charges) == 1


def test_what_is_paid_cannot_be_paid_again(system: System) -> None:
    """A fault of the original: any later touch of a payment emitted "approved" once more."""
    order_id = accepted(system)
    path = f"/orders/{order_id}/payment"
    assert system.http.post(path, json=card(), headers=headers()).status_code == 409
    for touch in (f"/payments?order_id={order_id}", f"/orders/{order_id}"):
        assert system.http.get(touch).status_code == 200
    assert history(system, order_id).count("PaymentApproved") == 1
    assert len(assert_agreed(system, order_id).tickets) == 1


# --- cancelling -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "tok_decline"])
def test_an_order_can_be_cancelled_before_its_payment(system: System, token: str | None) -> None:
    """A fault of the original: that crashed."""
    order_id = place(system, new_order(token))["order_id"]
    canceled = post(system, f"/orders/{order_id}/cancel")
    assert (canceled.status_code, canceled.json()["order_status"]) == (200, "CANCELED")
    assert canceled.json()["payment_status"] == ("DECLINED" if token else "NONE")
    reaches(system, order_id, "CANCELED")
    assert assert_agreed(system, order_id).money_moved == []


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_cancelling_undoes_all_keeps_the_history_and_may_be_repeated(
    system: System, method: str
) -> None:
    """A fault of the original: cancelling deleted the order's history."""
    order_id = accepted(system)
    path = f"/orders/{order_id}" + ("/cancel" if method == "POST" else "")
    for _ in range(2):
        canceled = system.http.request(method, path, json={"reason": "rain"}, headers=headers())
        assert canceled.status_code == 200
        assert (canceled.json()["order_status"], canceled.json()["cancel_reason"]) == (
            "CANCELED",
            "rain",
        )
    detail = reaches(system, order_id, "CANCELED")
    assert (detail["payment_status"], detail["pickup_status"]) == ("CANCELED", "CANCELED")
    assert detail["canceled_at"]
    listed = system.http.get(f"/orders/{order_id}/events").json()
    assert [event["type"] for event in listed["items"]] == [
        "OrderPlaced",
        "PaymentRequested",
        "PaymentApproved",
        "PickupStarted",
        "OrderCanceled",
        "PickupCanceled",
        "PaymentCanceled",
    ]
    assert listed["next_cursor"] is None
    assert [event["version"] for event in listed["items"]] == list(range(1, 8))
    assert_agreed(system, order_id)


def test_a_late_approval_does_not_overwrite_the_cancellation(system: System) -> None:
    """A fault of the original: the view said "approved" after "cancelled"."""
    order_id = place(system, new_order("tok_slow_1500"), prefer=ASYNC)["order_id"]
    canceled = post(system, f"/orders/{order_id}/cancel")
    assert canceled.json()["order_status"] == "CANCELED"
    detail = reaches(system, order_id, "CANCELED")
    assert (detail["payment_status"], detail["pickup_status"]) == ("CANCELED", "NONE")
    after = place(system, new_order("tok_slow_1500"))  # by now the other approval has come
    assert after["payment_status"] == "APPROVED"
    assert reaches(system, order_id, "CANCELED") == detail
    assert assert_agreed(system, order_id).live_charges == []


def test_nothing_is_published_of_what_was_refused(system: System) -> None:
    """A fault of the original: events were published on rollback too."""
    order_id = accepted(system)
    post(system, f"/pickups/{order_id}/start")
    before = reaches(system, order_id, "PREPARING")
    refused = post(system, f"/orders/{order_id}/cancel")
    assert_problem(refused, 409, "not_cancelable")
    assert system.http.get(f"/orders/{order_id}").json() == before
    assert history(system, order_id)[-1] == "PreparationStarted"
    assert_agreed(system, order_id)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/orders/{id}"),
        ("GET", "/orders/{id}/events"),
        ("GET", "/orders/{id}/stream"),
        ("GET", "/order-details/{id}"),
        ("POST", "/orders/{id}/payment"),
        ("POST", "/orders/{id}/cancel"),
        ("DELETE", "/orders/{id}"),
        ("POST", "/pickups/{id}/start"),
        ("GET", "/payments/{id}"),
    ],
)
def test_an_unknown_id_is_not_found(system: System, method: str, path: str) -> None:
    body = card() if path.endswith("payment") else None
    answer = system.http.request(method, path.format(id=uuid4().hex), json=body)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def assert_problem(answer: object, status: int, code: str) -> None:
    """Check a problem document of RFC 9457."""
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    assert answer.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    problem = answer.json()  # type: ignore[attr-defined]
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    assert (problem["status"], problem["code"]) == (status, code)
