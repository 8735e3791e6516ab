"""A rate limit is measured in time that passes, not by the clock on the wall."""

import pytest

from actors.settings import Settings
from serve_app.contract.identity import Identity, Role
from serve_app.contract.problems import Refused
from serve_app.security.authentication import Gate
from serve_app.security.rate_limit import RateLimit

ADA, BOB = (Identity(name, Role.CUSTOMER) for name in ("ada", "bob"))
NAMED_LIKE_A_ROLE = Identity("ada", Role.STAFF, "gangnam")


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def refused(limit: RateLimit, identity: Identity) -> str | None:
    """Return the seconds to wait where the request is refused."""
    try:
        limit.count(identity)
    except Refused as error:
        return error.response.headers["retry-after"]
    return None


def test_so_many_a_minute_and_then_how_long_to_wait(clock: Seconds) -> None:
    limit = RateLimit("3/minute", clock)
    assert [refused(limit, ADA) for _ in range(3)] == [None] * 3
    clock.now += 10.5
    assert refused(limit, ADA) == "50"
    assert refused(limit, BOB) is None, "each subject for itself"
    assert refused(limit, NAMED_LIKE_A_ROLE) is None, "and each role"
    clock.now += 49.5
    assert [refused(limit, ADA) for _ in range(4)] == [None, None, None, "60"]


@pytest.mark.parametrize(("limit", "seconds"), [("1/second", "1"), ("1/hour", "3600")])
def test_other_windows(clock: Seconds, limit: str, seconds: str) -> None:
    limited = RateLimit(limit, clock)
    assert (refused(limited, ADA), refused(limited, ADA)) == (None, seconds)


def test_a_clock_on_the_wall_that_is_set_back_refuses_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = RateLimit("1/minute")
    limit.count(ADA)
    monkeypatch.setattr("time.time", lambda: 0.0)
    waits = refused(limit, ADA)
    assert waits is not None
    assert int(waits) <= 60


def test_memory_of_subjects_ends_with_their_windows(clock: Seconds) -> None:
    limit = RateLimit("5/second", clock)
    for number in range(1000):
        limit.count(Identity(f"c-{number}", Role.CUSTOMER))
        clock.now += 0.01
    assert len(limit._windows) <= 101


def test_another_limit_holds_from_the_next_request_on_and_the_same_one_changes_nothing() -> None:
    settings = Settings(auth="required", rate_limit="1/hour")
    gate = Gate(settings, b"s" * 32)
    assert gate._limit is not None
    assert (refused(gate._limit, ADA), refused(gate._limit, ADA)) == (None, "3600")

    gate.reconfigure(settings)
    assert refused(gate._limit, ADA) == "3600"
    gate.reconfigure(settings.model_copy(update={"rate_limit": "2/hour"}))
    assert [refused(gate._limit, ADA) for _ in range(3)] == [None, None, "3600"]
