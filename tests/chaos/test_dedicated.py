"""Dedicated isolation on the system that came back: a Ray actor for each live order, to a limit."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.conftest import DEDICATED_MAX, Catastrophe
from tests.support import hangs
from tests.support.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    new_order,
    place,
    place_at_once,
    post,
    reaches,
)
from tests.support.system import ORDER_ACTOR, System, eventually

pytestmark = pytest.mark.timeout(300)
PREFIX = "order:"


@pytest.fixture
def dedicated(catastrophe: Catastrophe) -> Iterator[System]:
    """The system once it has no live order. Joined: to join takes longer than a payment may."""
    with catastrophe.system.ray():
        eventually(lambda: not live(), "all orders are passivated", 120)
        yield catastrophe.system


def live() -> set[str]:
    """Return the orders that have a Ray actor of their own now."""
    import ray  # noqa: PLC0415 - after the system's environment is prepared

    names = ray.util.list_named_actors()
    return {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}


def pid_of(order_id: str) -> int:
    """Return the process that hosts this one order."""
    import ray  # noqa: PLC0415 - as above

    actor: Any = ray.get_actor(PREFIX + order_id)
    described: dict[str, Any] = ray.get(actor.describe.remote())
    return int(described["pid"])


def test_a_live_order_is_an_actor_of_its_own_and_gone_after_passivation(dedicated: System) -> None:
    order_id = place(dedicated, new_order("tok_slow_4000"), prefer=ASYNC)["order_id"]
    assert live() == {order_id}
    reaches(dedicated, order_id, "ACCEPTED")
    assert_agreed(dedicated, order_id)
    eventually(lambda: order_id not in live(), "it is passivated")
    assert post(dedicated, f"/orders/{order_id}/cancel").status_code == 200
    reaches(dedicated, order_id, "CANCELED")
    assert_agreed(dedicated, order_id)


def test_above_the_limit_the_host_takes_the_orders_itself(dedicated: System) -> None:
    orders = [new_order("tok_slow_4000") for _ in range(DEDICATED_MAX + 3)]
    placed = [order["order_id"] for order in place_at_once(dedicated, orders, ASYNC)]
    assert len(live()) <= DEDICATED_MAX
    for order_id in placed:
        reaches(dedicated, order_id, "ACCEPTED")
        assert_agreed(dedicated, order_id)


def test_an_order_whose_own_actor_dies_settles_by_itself(dedicated: System) -> None:
    order_id = place(dedicated, new_order("tok_slow_3000"), prefer=ASYNC)["order_id"]
    pid = pid_of(order_id)
    victims = [p for p in dedicated.processes() if p.pid == pid]
    assert victims
    victims[0].kill()
    reaches(dedicated, order_id, "ACCEPTED")
    assert_agreed(dedicated, order_id)


def test_an_order_whose_own_actor_hangs_settles_by_itself(dedicated: System) -> None:
    """Nobody asks it anything: the payment's answer comes to nobody."""
    import ray  # noqa: PLC0415 - as above

    order_id = place(dedicated, new_order("tok_slow_3000"), prefer=ASYNC)["order_id"]
    hangs.plant(hangs.commits_never_return, ray.get_actor(PREFIX + order_id))
    reaches(dedicated, order_id, "ACCEPTED")
    assert_agreed(dedicated, order_id)


def test_orders_of_their_own_outlive_their_host_and_one_another(dedicated: System) -> None:
    settled = accepted(dedicated)
    order_id = place(dedicated, new_order("tok_slow_3000"), prefer=ASYNC)["order_id"]
    dedicated.kill(ORDER_ACTOR)
    reaches(dedicated, order_id, "ACCEPTED")
    for known in (order_id, settled):
        assert post(dedicated, f"/pickups/{known}/start").status_code == 200
        reaches(dedicated, known, "PREPARING")
        assert_agreed(dedicated, known)
