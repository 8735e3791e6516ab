"""A disk that takes nothing more: nothing is acknowledged that is not on it, and it heals."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import psutil

from tests.support.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    headers,
    new_order,
    place,
    post,
    reaches,
)
from tests.support.system import ORDER_ACTOR, PAYMENT_ACTOR, System, eventually


@contextmanager
def full_disk(system: System, title: str) -> Iterator[None]:
    """Let every write of a process to a file fail, as on a full disk (RLIMIT_FSIZE is 0)."""
    victims = system.processes(title)
    assert victims, errno.ESRCH
    limits = [victim.rlimit(psutil.RLIMIT_FSIZE) for victim in victims]
    for victim, (_, hard) in zip(victims, limits, strict=True):
        victim.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for victim, limit in zip(victims, limits, strict=True):
            victim.rlimit(psutil.RLIMIT_FSIZE, limit)


def _refusal(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else None


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(system: System) -> None:
    before = accepted(system)
    order, key = new_order(), uuid4().hex
    with full_disk(system, ORDER_ACTOR):
        refused = system.http.post("/orders", json=order, headers=headers(key, "wait=1"))
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert refused.headers["retry-after"]
        # What was found within the last second is told again: it may be from before.
        unready = eventually(lambda: _refusal(system.http.get("/readyz")), "it is not ready")
        assert unready.headers["content-type"] == "application/problem+json"
        assert system.http.get(f"/orders/{before}").json()["order_status"] == "ACCEPTED"

    eventually(lambda: system.http.get("/readyz").status_code == 200, "it is ready again")
    order_id = place(system, order, key=key)["order_id"]
    for known in (before, order_id):
        reaches(system, known, "ACCEPTED")
        assert_agreed(system, known)
    assert post(system, f"/orders/{before}/cancel").status_code == 200


def test_a_full_disk_under_payment_is_not_taken_for_a_broken_provider(system: System) -> None:
    with full_disk(system, PAYMENT_ACTOR):
        placed = [place(system, prefer="wait=1") for _ in range(3)]
        placed += [place(system, prefer=ASYNC) for _ in range(7)]
        assert {order["payment_status"] for order in placed} == {"PENDING"}
        shown = " ".join(system.siren("status").stdout.split())
    assert "circuit closed" in shown, shown
    assert "fault" in shown, shown

    for order in placed:
        reaches(system, order["order_id"], "ACCEPTED")
        assert_agreed(system, order["order_id"])
