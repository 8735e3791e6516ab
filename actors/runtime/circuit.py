"""When to leave the payment provider alone: a circuit breaker that counts orders, not calls.

An order may fail by itself, for ever: its card's bank is away, its charge takes longer than anybody
waits. Its retries say nothing about the provider. So each order counts once, and any answer to any
order shows that the provider is up. Breakers in libraries (pybreaker, aiobreaker, circuitbreaker,
purgatory) count calls of a function that fail in a row, whoever makes them, and let the first
caller decide whether a circuit closes again; hence these lines. All durations are monotonic.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from actors.contracts.errors import Unavailable

CIRCUIT_OPEN = "circuit_open"
PROVIDER_UNAVAILABLE = "provider_unavailable"
PROVIDER_TIMEOUT = "provider_timeout"
PROVIDER_WRONG = "provider_wrong_answer"
SILENCE_S = 1.0
"""A provider that answered anybody within this is up, however many orders fail meanwhile."""
STALLED_S = 3.0
"""So long `threshold` orders wait while nobody is answered: then nobody will be soon."""
SUDDEN = 50
"""This many times the threshold need no further proof: what a sudden outage can cost is bounded."""
REMEMBERED = 10_000
"""Orders that are known to fail, or to have been refused; more would be met as if for the first
time."""
SHOWN_S = 300.0
OURS = "database_"
"""How the code of an error begins which our own disk or server caused, not the provider."""


class Circuit:
    """Open once `threshold` orders failed for the first time and nobody was answered meanwhile.

    Or once as many wait for `STALLED_S` and nobody was answered meanwhile: a provider that takes
    requests and answers none shows that long before the first of them has failed.

    While it is open, `threshold` orders in each `reset_s` seconds are let through to see whether
    the provider is back; as many again of those that were never tried, and of those that come for
    the first time, so that a new order does not wait behind others whose cards are dead. Any
    answer closes it; a failure changes nothing.
    """

    def __init__(
        self, threshold: int, reset_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._failing, self._refused = _Recent(clock), _Recent(clock)
        self._doubts: set[str] = set()
        self._doubted_since = 0.0
        self._asking_since: dict[str, float] = {}
        self._answered_at = -math.inf
        self._set(threshold, reset_s)

    def reconfigure(self, threshold: int, reset_s: float) -> None:
        """Go on with other limits, and with what is known of each order."""
        if (threshold, reset_s) != (self._threshold, self._reset_s):
            self._set(threshold, reset_s)

    def _set(self, threshold: int, reset_s: float) -> None:
        self._threshold, self._reset_s = threshold, reset_s
        rate = threshold / reset_s
        self._new, self._untried, self._tried = (
            _Allowance(threshold, rate, self._clock) for _ in range(3)
        )

    @property
    def is_open(self) -> bool:
        """Whether the provider is left alone."""
        return self._is_failing() or self._is_stalled()

    def _is_failing(self) -> bool:
        doubts = len(self._doubts)
        if doubts < self._threshold:
            return False
        silent = self._clock() - self._doubted_since >= SILENCE_S
        return silent or doubts >= SUDDEN * self._threshold

    def _is_stalled(self) -> bool:
        if len(self._asking_since) < self._threshold:
            return False
        long_ago = self._clock() - STALLED_S
        if self._answered_at > long_ago:
            return False
        # In the order in which they asked: as many as the threshold ask for so long.
        last = next(islice(self._asking_since.values(), self._threshold - 1, None))
        return last <= long_ago

    @property
    def state(self) -> str:
        """The circuit in one word: closed or open."""
        return "open" if self.is_open else "closed"

    @property
    def failing(self) -> int:
        """How many orders failed when they were tried last, in the last five minutes."""
        return self._failing.since(self._clock() - SHOWN_S)

    @contextmanager
    def asking(self, order_id: str) -> Iterator[None]:
        """Ask the provider within this block; how the block ends is what the circuit learns.

        Raises `Unavailable` with the code `circuit_open` instead of entering the block, and where
        a provider fails that is not known to be up: that says nothing about the order. What our
        own database refuses says nothing about either.
        """
        probing = self.is_open
        if probing and not self._may_try(order_id):
            raise _left_alone()
        self._asking_since.setdefault(order_id, self._clock())
        try:
            yield
        except Exception as error:
            if isinstance(error, Unavailable) and error.code.startswith(OURS):
                raise
            self._failed(order_id)
            if probing and self.is_open:
                raise _left_alone() from error
            raise
        else:
            self._answered(order_id)
        finally:
            self._asking_since.pop(order_id, None)

    def _may_try(self, order_id: str) -> bool:
        if order_id in self._failing:
            return self._tried.take()
        if order_id in self._refused:
            return self._untried.take()
        if self._new.take():
            return True
        self._refused.add(order_id)
        return False

    def _failed(self, order_id: str) -> None:
        if order_id not in self._failing:
            if not self._doubts:
                self._doubted_since = self._clock()
            self._doubts.add(order_id)
        self._failing.add(order_id)
        self._refused.discard(order_id)

    def _answered(self, order_id: str) -> None:
        self._answered_at = self._clock()
        self._doubts.clear()
        self._failing.discard(order_id)
        self._refused.discard(order_id)


class _Recent:
    """The orders that were added last, at most `REMEMBERED`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._added_at: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._added_at

    def since(self, moment: float) -> int:
        return sum(added_at >= moment for added_at in self._added_at.values())

    def add(self, order_id: str) -> None:
        self._added_at[order_id] = self._clock()
        self._added_at.move_to_end(order_id)
        if len(self._added_at) > REMEMBERED:
            self._added_at.popitem(last=False)

    def discard(self, order_id: str) -> None:
        self._added_at.pop(order_id, None)


class _Allowance:
    """Up to `most` at once, `rate` in a second (a token bucket)."""

    def __init__(self, most: float, rate: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._rate = rate
        self._clock = clock
        self._left = most
        self._at = clock()

    def take(self) -> bool:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _left_alone() -> Unavailable:
    return Unavailable(CIRCUIT_OPEN, "The payment provider fails; it is left alone for a moment.")
