"""A database of the running system takes no write for a while: as on a read-only file system."""

import os
from functools import partial

import httpx
import pytest

from tests.support.outside import ASYNC, accepted, assert_agreed, headers, new_order, place, reaches
from tests.support.storage_faults import (
    assert_says_when_to_come_again,
    log_lines,
    made,
    read_only,
)
from tests.support.system import System, eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root takes writes from a file")


def refusal(system: System) -> httpx.Response | None:
    answer = system.http.post("/orders", json=new_order(), headers=headers(prefer=ASYNC))
    return answer if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else None


def is_told(system: System, file: str) -> bool:
    words = f"{file}: disk I/O error: operation not permitted"
    return any(words in line for line in log_lines(system))


def test_a_journal_that_takes_no_write_refuses_in_words_and_is_taken_up_again(
    system: System,
) -> None:
    known = accepted(system)
    with read_only(system.data_dir / "journal.db"):
        assert_says_when_to_come_again(eventually(partial(refusal, system), "it is refused"))
        for path in (f"/orders/{known}", f"/order-details/{known}", "/order-details", "/stores"):
            assert system.http.get(path).status_code == httpx.codes.OK
        assert is_told(system, "journal.db")
    assert_agreed(system, eventually(partial(made, system), "an order is made again"))


def test_a_view_that_takes_no_write_holds_up_no_order_and_catches_up(system: System) -> None:
    known = accepted(system)
    with read_only(system.data_dir / "readmodel.db"):
        order = place(system)
        assert order["order_status"] == "ACCEPTED"
        eventually(partial(is_told, system, "readmodel.db"), "it is told")
        assert system.http.get(f"/order-details/{known}").status_code == httpx.codes.OK
        hidden = system.http.get(f"/order-details/{order['order_id']}")
        assert hidden.status_code == httpx.codes.NOT_FOUND
    reaches(system, order["order_id"], "ACCEPTED")
