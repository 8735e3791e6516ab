"""Everything is on one PostgreSQL server, which ends, cuts connections, or lets nobody write.

About 3 minutes on 2 cores.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import httpx
import pytest

from tests.support.outside import ASYNC, headers, new_order, place
from tests.support.postgres import Server, server
from tests.support.storage_faults import (
    assert_says_when_to_come_again,
    log_lines,
    made,
    read_meanwhile,
)
from tests.support.system import System, eventually

CUSTOMERS = 6
CUTS = 20
BACK_S = 30.0
READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = on"
AS_BEFORE = ("SET default_transaction_read_only = off", "ALTER SYSTEM RESET ALL")
RELOAD = "SELECT pg_reload_conf()"


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server() as started:
        yield started


@pytest.fixture(scope="module")
def system(database: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("server") / "data"
    system = System(folder, database_url=database.url, breaker_reset_s=1)
    system.start()
    yield system
    audit = system.siren("verify")
    system.stop()
    assert audit.returncode == 0, audit.stdout


def test_a_server_that_ends_under_load_and_comes_back_loses_nothing(
    system: System, database: Server
) -> None:
    with survived(system, database):
        database.end_at_once()
        refused = eventually(partial(refusal, system), "503")
        assert_says_when_to_come_again(refused)
        details = system.http.get("/order-details")
        assert details.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert details.headers["retry-after"]
        assert any("PostgreSQL at " in line for line in log_lines(system))
        database.start()


def test_connections_that_are_cut_every_second_cost_a_repeat_and_no_read(
    system: System, database: Server
) -> None:
    known = eventually(partial(made, system), "an order is made")
    with read_meanwhile(system, f"/order-details/{known}") as reads, survived(system, database):
        pause, cut = threading.Event(), 0
        for _ in range(CUTS):
            cut += database.cut_connections()
            place(system, prefer=ASYNC)
            pause.wait(1)
        assert cut > CUTS
    assert reads.keys() == {200}, reads
    words = "terminating connection due to administrator command"
    assert any(words in line for line in log_lines(system))


def test_a_server_that_lets_nobody_write_is_told_and_reads_go_on(
    system: System, database: Server
) -> None:
    known = eventually(partial(made, system), "an order is made")
    with read_meanwhile(system, f"/order-details/{known}") as reads, survived(system, database):
        database.run(READ_ONLY, RELOAD)
        refused = eventually(partial(refusal, system), "503")
        assert_says_when_to_come_again(refused)
        database.run(*AS_BEFORE, RELOAD)
    assert reads.keys() == {200}, reads
    assert any("in a read-only transaction" in line for line in log_lines(system))


@contextmanager
def survived(system: System, database: Server) -> Iterator[None]:
    """Let customers order while the block lasts; in the end each order is made, and paid once."""
    with ThreadPoolExecutor(CUSTOMERS) as customers:
        placed = [customers.submit(place, system, prefer=ASYNC) for _ in range(CUSTOMERS)]
        yield
        last = eventually(partial(made, system), "an order is made again", BACK_S)
    orders = {last, *(each.result()["order_id"] for each in placed)}
    for order_id in orders:
        eventually(partial(is_accepted, system, order_id), "it is made by itself")
    rows = database.sql("SELECT key FROM charges WHERE status = 'APPROVED'")
    charged = Counter(row[0].rpartition(":")[0] for row in rows)
    assert {charged[order_id] for order_id in orders} == {1}


def is_accepted(system: System, order_id: str) -> bool:
    """Whether journal and view both show an order as made."""
    shown = system.http.get(f"/order-details/{order_id}")
    journal = system.http.get(f"/orders/{order_id}")
    if not (shown.is_success and journal.is_success):
        return False
    detail = shown.json()
    return bool(detail["order_status"] == "ACCEPTED" and detail == journal.json())


def refusal(system: System) -> httpx.Response | None:
    """Place an order; return the answer if it is a refusal."""
    answer = system.http.post("/orders", json=new_order(), headers=headers(prefer=ASYNC))
    return answer if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else None
