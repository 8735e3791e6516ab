"""The circuit counts orders that fail while nobody is answered, and lets a few through then."""

from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest

from actors.contracts.errors import Unavailable
from actors.runtime.circuit import STALLED_S, SUDDEN, Circuit

THRESHOLD, RESET_S = 5, 5.0


@dataclass
class Provider:
    """Time that passes when a test says so, and how often the provider was asked."""

    now: float = 0.0
    asked: int = 0
    down: bool = False

    def clock(self) -> float:
        return self.now

    def answer(self, *, dead: bool) -> None:
        self.asked += 1
        if dead or self.down:
            raise Unavailable("provider_unavailable", "told to fail")


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def circuit(provider: Provider) -> Circuit:
    return Circuit(THRESHOLD, RESET_S, provider.clock)


def ask(circuit: Circuit, provider: Provider, order_id: str, *, dead: bool = False) -> str:
    """Ask for one order; return "answered", or the code of what came instead."""
    try:
        with circuit.asking(order_id):
            provider.answer(dead=dead)
    except Unavailable as error:
        return error.code
    return "answered"


def fail_all(circuit: Circuit, provider: Provider, order_ids: Iterable[str]) -> None:
    for order_id in order_ids:
        ask(circuit, provider, order_id, dead=True)


def test_retries_of_one_order_never_open_it(circuit: Circuit, provider: Provider) -> None:
    for _ in range(1000):
        assert ask(circuit, provider, "dead", dead=True) == "provider_unavailable"
        provider.now += 1
    assert circuit.state == "closed"


@pytest.mark.parametrize("dead", [10, 200])
def test_orders_that_fail_for_ever_hold_no_other_up(
    circuit: Circuit, provider: Provider, dead: int
) -> None:
    """From the first good order on they are known to fail: whatever they do counts no more."""
    names = [f"dead {n}" for n in range(dead)]
    fail_all(circuit, provider, names)
    for minute in range(10):
        provider.now += 60
        assert ask(circuit, provider, f"good {minute}") == "answered"
        fail_all(circuit, provider, names)
        provider.now += 30
        fail_all(circuit, provider, names)
        assert ask(circuit, provider, f"another {minute}") == "answered"


def test_new_dead_orders_again_and_again_hold_good_ones_up_for_moments_only(
    circuit: Circuit, provider: Provider
) -> None:
    """Ten dead ones a second, a good one every second; who is refused asks again in a second."""
    waiting: dict[str, float] = {}
    waited = []
    for tick in range(600):
        provider.now += 0.1
        ask(circuit, provider, f"dead {tick}", dead=True)
        if tick % 10 == 0:
            waiting[f"good {tick}"] = provider.now
        for order_id, since in list(waiting.items()):
            if ask(circuit, provider, order_id) == "answered":
                waited.append(provider.now - since)
                del waiting[order_id]
    assert len(waited) >= 59
    assert max(waited) <= 2


def test_when_all_fail_it_opens_and_few_are_let_through(
    circuit: Circuit, provider: Provider
) -> None:
    ask(circuit, provider, "good")
    provider.down = True
    for second in range(60):
        for n in range(100):
            ask(circuit, provider, f"{second} {n}")
            ask(circuit, provider, f"{second // 2} {n}")
        provider.now += 1
        if second == 0:
            assert circuit.is_open
            opened_after = provider.asked
    assert opened_after <= SUDDEN * THRESHOLD
    rate = (provider.asked - opened_after) / 59
    assert rate <= 3 * THRESHOLD / RESET_S + 1


def test_a_sudden_outage_opens_it_without_waiting_for_further_proof(
    circuit: Circuit, provider: Provider
) -> None:
    provider.down = True
    for n in range(10_000):
        ask(circuit, provider, f"order {n}")
    assert circuit.is_open
    assert provider.asked <= SUDDEN * THRESHOLD + 2 * THRESHOLD


def test_the_first_answer_closes_it_and_a_failing_probe_changes_nothing(
    circuit: Circuit, provider: Provider
) -> None:
    provider.down = True
    fail_all(circuit, provider, (f"order {n}" for n in range(10)))
    provider.now += 2
    for n in range(3):
        assert ask(circuit, provider, f"probe {n}") == "circuit_open"
    provider.down = False
    assert ask(circuit, provider, "order 3") == "answered"
    assert circuit.state == "closed"
    assert all(ask(circuit, provider, f"later {n}") == "answered" for n in range(1000))


def test_orders_that_wait_are_tried_within_seconds_of_the_providers_return(
    circuit: Circuit, provider: Provider
) -> None:
    """Nobody new comes: those that failed before find out."""
    provider.down = True
    names = [f"order {n}" for n in range(20)]
    for _ in range(600):
        for order_id in names:
            ask(circuit, provider, order_id)
        provider.now += 1
    provider.down = False
    provider.now += 1
    answers = [ask(circuit, provider, order_id) for order_id in names]
    assert "answered" in answers
    assert circuit.state == "closed"


def test_the_state_of_our_own_disk_says_nothing_about_the_provider(
    circuit: Circuit, provider: Provider
) -> None:
    for n in range(100):
        with suppress(Unavailable), circuit.asking(f"order {n}"):
            raise Unavailable("database_unavailable", "database or disk is full")
    provider.now += 2
    assert (circuit.state, circuit.failing) == ("closed", 0)


def test_orders_that_are_not_tried_any_more_are_not_counted_as_failing(
    circuit: Circuit, provider: Provider
) -> None:
    fail_all(circuit, provider, ["a", "b", "c"])
    assert circuit.failing == 3
    ask(circuit, provider, "a")
    assert circuit.failing == 2
    provider.now += 400
    fail_all(circuit, provider, ["b"])
    assert circuit.failing == 1


def test_it_opens_before_a_provider_that_keeps_everybody_waiting(
    circuit: Circuit, provider: Provider
) -> None:
    with ExitStack() as waiting:
        for number in range(THRESHOLD):
            waiting.enter_context(circuit.asking(f"waiting {number}"))
        assert circuit.state == "closed"
        provider.now += STALLED_S
        assert circuit.state == "open"
        assert ask(circuit, provider, "new") == "answered"
        assert circuit.state == "closed", "somebody was answered"


def test_a_few_slow_orders_beside_others_that_are_answered_never_open_it(
    circuit: Circuit, provider: Provider
) -> None:
    with ExitStack() as waiting:
        for number in range(THRESHOLD * 10):
            waiting.enter_context(circuit.asking(f"slow {number}"))
        for number in range(100):
            provider.now += STALLED_S / 2
            assert ask(circuit, provider, f"quick {number}") == "answered"
            assert circuit.state == "closed"


def test_fewer_orders_than_the_threshold_may_wait_for_ever(
    circuit: Circuit, provider: Provider
) -> None:
    with ExitStack() as waiting:
        for number in range(THRESHOLD - 1):
            waiting.enter_context(circuit.asking(f"slow {number}"))
        provider.now += 1000
        assert circuit.state == "closed"


def test_other_limits_hold_from_the_next_order_on(circuit: Circuit, provider: Provider) -> None:
    fail_all(circuit, provider, ["a", "b"])
    provider.now += 10
    assert circuit.state == "closed"

    circuit.reconfigure(2, 100.0)
    assert circuit.state == "open"
    provider.down = True
    asked = provider.asked
    for number in range(10):
        ask(circuit, provider, f"new {number}")
    assert provider.asked == asked + 2

    circuit.reconfigure(THRESHOLD, RESET_S)
    assert circuit.state == "closed"


def test_the_same_limits_again_let_nobody_more_through(
    circuit: Circuit, provider: Provider
) -> None:
    fail_all(circuit, provider, map(str, range(THRESHOLD)))
    provider.now += 2
    provider.down = True
    for number in range(THRESHOLD):
        ask(circuit, provider, f"new {number}")
    asked = provider.asked

    circuit.reconfigure(THRESHOLD, RESET_S)
    ask(circuit, provider, "one more")

    assert provider.asked == asked
