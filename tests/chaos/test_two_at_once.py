"""Two systems on one machine, started at the same moment."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.outside import new_order, place
from tests.support.system import GATEWAY, System, connections_of

pytestmark = pytest.mark.timeout(600)

ORDERS = 10


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[System]]:
    systems = [
        System(tmp_path_factory.mktemp(name) / "data", gateway_min_replicas=1) for name in "ab"
    ]
    try:
        with ThreadPoolExecutor(len(systems)) as threads:
            list(threads.map(System.start, systems))
        yield systems
    finally:
        for system in systems:
            system.stop()


def test_each_order_is_placed_where_it_was_sent(two: list[System]) -> None:
    sent: dict[System, set[str]] = {system: set() for system in two}
    for _ in range(ORDERS):
        for system in two:
            sent[system].add(place(system, new_order())["order_id"])
    for system in two:
        rows = system.sql("journal", "select distinct order_id from events")
        assert {row["order_id"] for row in rows} == sent[system]


def test_what_another_system_s_haproxy_sends_is_refused(two: list[System]) -> None:
    """As one sends it that a crash left behind, where the next system was given its ports."""
    mine, other = two
    edge = json.loads((Path(mine.holder()["run"]) / "edge.json").read_text())
    before = other.sql("journal", "select count(*) from events")[0][0]
    for process in (*other.processes(GATEWAY), *other.processes("ray::ProxyActor")):
        for port in {c.laddr.port for c in connections_of(process) if not c.raddr}:
            with suppress(httpx.HTTPError):  # it does not speak HTTP
                answer = httpx.post(
                    f"http://127.0.0.1:{port}/orders",
                    json=new_order(),
                    headers={"X-Siren-System": edge["secret"]},
                    timeout=10,
                )
                assert answer.status_code == 421
    assert other.sql("journal", "select count(*) from events")[0][0] == before
