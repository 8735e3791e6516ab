"""Services killed and held down, or frozen: what goes on meanwhile, and what is caught up after."""

import threading
from uuid import uuid4

import pytest

from tests.support.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    card,
    headers,
    new_order,
    place,
    place_at_once,
    post,
    reaches,
    view,
)
from tests.support.system import (
    GATEWAY,
    ORDER_ACTOR,
    PAYMENT_ACTOR,
    PROJECTION_ACTOR,
    SERVICES,
    STORE_ACTOR,
    System,
    eventually,
)

pytestmark = pytest.mark.timeout(400)
HELD_UP_S = 30.0
"""What nobody has to wait longer than, on a slow machine too; dead cards are tried for ever."""


def test_everything_can_be_read_while_all_services_are_dead(system: System) -> None:
    readable = accepted(system)
    waiting = [
        str(placed["order_id"])
        for placed in place_at_once(system, [new_order("tok_slow_3000") for _ in range(8)], ASYNC)
    ]
    paths = [
        f"/order-details/{readable}",
        "/order-details?store_id=gangnam&limit=5",
        f"/orders/{readable}",
        f"/orders/{readable}/events",
        f"/pickups?order_id={readable}",
        f"/payments?order_id={readable}",
        "/stores",
        "/stores/gangnam/menu",
        "/healthz",
    ]

    with system.held_down(*SERVICES) as killed:
        while min(killed[title] for title in SERVICES) < 2:  # each has tried to come back
            for path in paths:
                assert system.http.get(path).status_code == 200, path
        shown = system.http.get(f"/order-details/{readable}").json()
        assert shown["order_status"] == "ACCEPTED"
        assert system.http.get("/readyz").status_code == 503

    for order_id in waiting:
        reaches(system, order_id, "ACCEPTED")
        assert_agreed(system, order_id)


def test_order_intake_goes_on_while_payment_is_down(system: System) -> None:
    with system.held_down(PAYMENT_ACTOR) as killed:
        eventually(lambda: killed[PAYMENT_ACTOR], "it is down")
        placed = [place(system, prefer="wait=1") for _ in range(3)]
        # Between two kills a new process may have the time to answer.
        assert {order["payment_status"] for order in placed} <= {"PENDING", "APPROVED"}
    for order in placed:
        reaches(system, order["order_id"], "ACCEPTED")
        assert_agreed(system, order["order_id"])


def test_paid_orders_wait_for_a_store_that_is_down(system: System) -> None:
    with system.held_down(STORE_ACTOR) as killed:
        eventually(lambda: killed[STORE_ACTOR], "it is down")
        placed = [place(system, prefer="wait=1") for _ in range(3)]
        for order in placed:
            detail = system.http.get(f"/orders/{order['order_id']}").json()
            assert detail["order_status"] in ("PLACED", "PAID")
        menu = system.http.get("/stores/gangnam/menu").json()["items"]
        assert "americano" in [item["menu_id"] for item in menu]
    for order in placed:
        reaches(system, order["order_id"], "ACCEPTED")
        assert_agreed(system, order["order_id"])


def test_the_view_catches_up_once_its_projector_is_back(system: System) -> None:
    with system.held_down(PROJECTION_ACTOR) as killed:
        eventually(lambda: killed[PROJECTION_ACTOR], "it is down")
        order_id = place(system)["order_id"]
        assert system.http.get(f"/orders/{order_id}").json()["order_status"] == "ACCEPTED"
    reaches(system, order_id, "ACCEPTED")
    assert_agreed(system, order_id)


def test_a_frozen_payment_service_holds_up_nothing_but_payments(system: System) -> None:
    unpaid = place(system, new_order(None))["order_id"]
    with system.held_frozen(PAYMENT_ACTOR):
        placed = place(system, prefer="wait=1")
        assert placed["payment_status"] == "PENDING"
        asked = post(system, f"/orders/{unpaid}/payment", card(), prefer="wait=1")
        assert asked.status_code == 202
        assert system.http.get("/readyz").status_code == 200
    for order_id in (placed["order_id"], unpaid):
        reaches(system, order_id, "ACCEPTED")
        assert_agreed(system, order_id)


def test_a_frozen_order_host_is_answered_for_and_the_key_finds_the_order(system: System) -> None:
    order, key = new_order(), uuid4().hex
    with system.held_frozen(ORDER_ACTOR):
        asked = system.http.post("/orders", json=order, headers=headers(key, "wait=1"))
        assert asked.status_code == 503
        assert asked.headers["retry-after"]
        assert asked.headers["content-type"] == "application/problem+json"
        assert system.http.get("/readyz").status_code == 503
        assert system.http.get("/stores").status_code == 200

    order_id = place(system, order, key=key)["order_id"]

    reaches(system, order_id, "ACCEPTED")
    assert_agreed(system, order_id)
    customer = order["customer"]["id"]
    found = system.http.get("/order-details", params={"customer_id": customer}).json()["items"]
    assert [row["order_id"] for row in found] == [order_id]


def test_a_gateway_that_dies_under_load_loses_no_order(system: System) -> None:
    orders = [new_order() for _ in range(24)]
    assert system.kill(GATEWAY)
    placed = place_at_once(system, orders, "wait=2")
    for order in placed:
        reaches(system, order["order_id"], "ACCEPTED")
    for order in orders:
        params = {"customer_id": order["customer"]["id"]}
        assert len(system.http.get("/order-details", params=params).json()["items"]) == 1


@pytest.mark.parametrize("token", ["tok_flaky", "tok_lost_reply", "tok_slow_700"])
def test_a_provider_that_misbehaves_charges_once(system: System, token: str) -> None:
    order_id = place(system, new_order(token))["order_id"]
    reaches(system, order_id, "ACCEPTED")
    assert_agreed(system, order_id)


def test_an_unavailable_provider_leaves_a_pending_order_that_can_be_cancelled(
    system: System,
) -> None:
    placed = place(system, new_order("tok_unavailable"), prefer="wait=1")
    assert placed["payment_status"] == "PENDING"

    assert post(system, f"/orders/{placed['order_id']}/cancel").is_success

    detail = reaches(system, placed["order_id"], "CANCELED")
    assert detail["payment_status"] == "CANCELED"
    assert assert_agreed(system, placed["order_id"]).money_moved == []


def test_orders_with_dead_cards_hold_up_no_other_payment_and_no_refund(system: System) -> None:
    paid = accepted(system)
    dead = place_at_once(system, [new_order("tok_unavailable") for _ in range(30)], ASYNC)
    dead += place_at_once(system, [new_order("tok_slow_600000") for _ in range(5)], ASYNC)
    threading.Event().wait(3)  # they have failed, and been tried again
    for _ in range(10):
        order_id = place(system, prefer=ASYNC)["order_id"]
        reaches(system, order_id, "ACCEPTED", within=HELD_UP_S)
    assert post(system, f"/orders/{paid}/cancel", prefer=ASYNC).is_success
    reaches(system, paid, "CANCELED", within=HELD_UP_S)
    for order in dead:
        assert post(system, f"/orders/{order['order_id']}/cancel").is_success
        reaches(system, order["order_id"], "CANCELED")


def test_an_actor_that_was_removed_is_created_by_whoever_needs_it(system: System) -> None:
    import ray  # noqa: PLC0415 - after the system's environment is prepared

    with system.ray():
        for name in ("order-host:0", "payment", "store", "projection"):
            ray.kill(ray.get_actor(name), no_restart=True)
    order_id = place(system)["order_id"]
    reaches(system, order_id, "ACCEPTED")
    eventually(lambda: view(system, order_id), "the projector was created too")
