"""The client for scripts, and the scripts that show it, against the real system."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from actors.contracts.errors import Invalid, NotFound, Rejected
from cluster.client import NewOrder, Siren
from tests.support.outside import assert_agreed, reaches
from tests.support.system import System


@pytest.fixture
def siren(system: System) -> Iterator[Siren]:
    with system.ray(), Siren.connect() as siren:
        yield siren


def coffee(token: str | None = "tok_approve", menu_id: str = "latte") -> NewOrder:
    """Return an order of a customer of its own."""
    customer = f"script-{uuid4().hex[:8]}"
    return NewOrder(customer, "Script", "010-9999-0000", "gangnam", ((menu_id, 2),), token)


def test_a_script_takes_an_order_from_placement_to_pick_up(siren: Siren, system: System) -> None:
    order = siren.place(coffee(), wait=30)
    order_id = order["order_id"]
    assert (order["order_status"], order["total"]) == ("ACCEPTED", 10_000)
    assert siren.start(order_id)["order_status"] == "PREPARING"
    assert siren.ready(order_id)["order_status"] == "READY"
    assert siren.complete(order_id)["order_status"] == "PICKED_UP"
    assert siren.wait_for(order_id, "PICKED_UP") == siren.detail(order_id)
    reaches(system, order_id, "PICKED_UP")
    assert_agreed(system, order_id)


def test_a_script_pays_later_and_cancels(siren: Siren, system: System) -> None:
    order_id = siren.place(coffee(None))["order_id"]
    assert siren.pay(order_id, "tok_decline")["payment_status"] == "DECLINED"
    assert siren.pay(order_id, "tok_approve")["payment_status"] == "APPROVED"
    siren.wait_for(order_id, "ACCEPTED")
    siren.cancel(order_id, "changed my mind")
    assert siren.wait_for(order_id, "CANCELED")["cancel_reason"] == "changed my mind"
    reaches(system, order_id, "CANCELED")
    assert_agreed(system, order_id)


def test_the_same_key_places_one_order(siren: Siren) -> None:
    order, key = coffee(), uuid4().hex
    assert siren.place(order, key)["order_id"] == siren.place(order, key)["order_id"]


def test_a_script_lists_stores_menus_orders_and_payments(siren: Siren) -> None:
    assert {"gangnam", "pangyo", "jeju"} <= {store["store_id"] for store in siren.stores()}
    assert "latte" in {item["menu_id"] for item in siren.menu("gangnam")}
    order = siren.place(coffee(), wait=30)
    order_id = order["order_id"]
    siren.wait_for(order_id, "ACCEPTED")
    customer = order["customer"]["id"]
    assert [each["order_id"] for each in siren.orders(customer_id=customer)] == [order_id]
    assert siren.orders(customer_id=customer, order_status="CANCELED") == []
    assert siren.order(order_id) == siren.detail(order_id)
    (payment,) = siren.payments(order_id=order_id)
    assert (payment["status"], payment["amount"]) == ("APPROVED", 10_000)
    (ticket,) = siren.tickets("gangnam", order_id=order_id)
    assert ticket["number"] == order["pickup_number"]
    with pytest.raises(NotFound):
        siren.menu("nowhere")
    with pytest.raises(Invalid):
        siren.orders(limit=0)


def test_a_script_rejects_what_the_store_cannot_make(siren: Siren) -> None:
    order_id = siren.place(coffee(), wait=30)["order_id"]
    siren.reject(order_id, "no milk left")
    rejected = siren.wait_for(order_id, "CANCELED")
    assert (rejected["cancel_reason"], rejected["payment_status"]) == ("no milk left", "CANCELED")


def test_every_call_of_the_client_names_its_errors() -> None:
    calls = [name for name in vars(Siren) if not name.startswith("_") and name != "close"]
    assert len(calls) > 15
    for name in calls:
        assert re.search("[Rr]aises", getattr(Siren, name).__doc__ or ""), name


def test_refusals_arrive_as_the_errors_that_they_are(siren: Siren) -> None:
    with pytest.raises(NotFound):
        siren.cancel(uuid4().hex)
    with pytest.raises(Invalid, match="unknown_menu_item"):
        siren.place(coffee(menu_id="soup"))
    order_id = siren.place(coffee(), wait=30)["order_id"]
    with pytest.raises(Rejected, match="out_of_turn"):
        siren.complete(order_id)


def test_the_script_that_follows_one_order_prints_its_steps(system: System) -> None:
    ran = system.run("-m", "cluster.drivers.follow_one_order")
    assert ran.returncode == 0, ran.stderr
    assert "ACCEPTED" in ran.stdout
    assert "your number is " in ran.stdout
    assert "PICKED_UP  at " in ran.stdout


def test_the_rush_hour_prints_outcomes_and_rate(system: System) -> None:
    ran = system.run("-m", "cluster.drivers.rush_hour", "--orders", "60", "--at-once", "16")
    assert ran.returncode == 0, ran.stderr
    assert "ACCEPTED     60" in ran.stdout
    assert "orders a second" in ran.stdout
