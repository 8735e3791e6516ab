"""What clients are promised of one order, as a small state machine of its own.

It is written from the HTTP contract, and shares nothing with the domain that it is to judge: what a
command does, what it needs, and what payment and store do by themselves.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple


class Shown(NamedTuple):
    """What an order detail says of an order: its version, and how order, money and ticket stand."""

    version: int
    order: str
    payment: str
    pickup: str


class State(NamedTuple):
    """An order as it can be; `token`: of the card that was tried last."""

    shown: Shown
    token: str = ""


class Outcome(StrEnum):
    """What became of a command, as far as its client knows."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Command(NamedTuple):
    """What was asked for (`place`, `pay`, …, see `EFFECTS`), with which card."""

    name: str
    outcome: Outcome
    token: str = ""


class Read(NamedTuple):
    """What a read, or a command's answer, showed; None: that there is no such order."""

    shown: Shown | None


What = Command | Read
MaybeState = State | None
NOWHERE: frozenset[MaybeState] = frozenset((None,))
"""Before it is placed."""

APPROVED_TOKENS = ("tok_approve", "tok_slow_", "tok_flaky", "tok_lost_reply")
TICKETS = ("REQUESTED", "ACCEPTED")
CHARGES = ("PENDING", "APPROVED")


class OrderModel:
    """The steps of one order. `may_expire`: as much time has passed as there is to pay."""

    def __init__(self, *, may_expire: bool = False) -> None:
        self._may_expire = may_expire

    def step(self, states: frozenset[MaybeState], what: What) -> frozenset[MaybeState]:
        """Return where an order may be after a call, given its answer; none: it cannot be so."""
        reached = frozenset[MaybeState]().union(
            *(reachable(state, may_expire=self._may_expire) for state in states)
        )
        if isinstance(what, Read):
            return frozenset(s for s in reached if (s and s.shown) == what.shown)
        effects = {state: EFFECTS[what.name](state, what.token) for state in reached}
        if what.outcome is Outcome.REFUSED:
            return frozenset(state for state, effect in effects.items() if effect is None)
        return frozenset(effect for effect in effects.values() if effect is not None)


@cache
def reachable(state: MaybeState, *, may_expire: bool) -> frozenset[MaybeState]:
    """Return where an order can get without its clients, where it stays included."""
    found: set[MaybeState] = {state}
    todo = [state]
    while todo:
        current = todo.pop()
        after = set() if current is None else set(_by_itself(current, may_expire=may_expire))
        todo += after - found
        found |= after
    return frozenset(found)


def _by_itself(state: State, *, may_expire: bool) -> Iterator[State]:
    now = state.shown
    if now.payment == "PENDING":
        yield from _charged(state)
    if now.order == "PAID":
        yield _moved(state, order="ACCEPTED", pickup="ACCEPTED")
        yield _moved(state, 2, order="CANCELING", pickup="REJECTED")  # the store cannot make it
    if now.order == "PLACED" and may_expire:
        yield _moved(state, order="CANCELING")
    if now.order == "CANCELING":
        yield from _undone(state)


def _charged(state: State) -> Iterator[State]:
    """Charge the card or do not, as its token says; a charge that is undone may be refused."""
    canceling = state.shown.order == "CANCELING"
    approves = state.token.startswith(APPROVED_TOKENS)
    if approves and canceling:
        yield _moved(state, payment="APPROVED")
    elif approves:
        yield _moved(state, order="PAID", payment="APPROVED", pickup="REQUESTED")
    if canceling or not (approves or state.token == "tok_unavailable"):  # noqa: S105 - no secret
        yield _moved(state, payment="DECLINED")


def _undone(state: State) -> Iterator[State]:
    """Undo the ticket first, then the money."""
    now = state.shown
    if now.pickup in (*TICKETS, "NONE"):
        yield _moved(state, pickup="CANCELED")
    if now.pickup not in TICKETS and now.payment in CHARGES:
        yield _moved(state, payment="CANCELED")


def _moved(state: State, events: int = 1, token: str | None = None, **changes: Any) -> State:
    now = state.shown
    now = now._replace(version=now.version + events, **changes)
    if now.order == "CANCELING" and now.pickup not in TICKETS and now.payment not in CHARGES:
        now = now._replace(order="CANCELED")
    return State(now, state.token if token is None else token)


def _place(state: MaybeState, token: str) -> MaybeState:
    if state is not None:
        return None
    placed = State(Shown(1, "PLACED", "NONE", "NONE"), token)
    return _moved(placed, payment="PENDING") if token else placed


def _pay(state: MaybeState, token: str) -> MaybeState:
    if state is None or state.shown.order != "PLACED" or state.shown.payment == "PENDING":
        return None
    return _moved(state, token=token, payment="PENDING")


def _cancel(state: MaybeState, _token: str) -> MaybeState:
    if state is None or state.shown.order in ("CANCELING", "CANCELED"):
        return state
    if state.shown.order not in ("PLACED", "PAID", "ACCEPTED"):
        return None
    return _moved(state, order="CANCELING")


def _reject(state: MaybeState, _token: str) -> MaybeState:
    if state is None or state.shown.pickup == "REJECTED":
        return state
    if state.shown.order not in ("ACCEPTED", "PREPARING", "READY"):
        return None
    return _moved(state, 2, order="CANCELING", pickup="REJECTED")


def _pressed(source: str, target: str) -> Callable[[MaybeState, str], MaybeState]:
    def press(state: MaybeState, _token: str) -> MaybeState:
        if state is None or state.shown.order not in (source, target):
            return None
        return state if state.shown.order == target else _moved(state, order=target, pickup=target)

    return press


EFFECTS: dict[str, Callable[[MaybeState, str], MaybeState]] = {
    "place": _place,
    "pay": _pay,
    "cancel": _cancel,
    "start": _pressed("ACCEPTED", "PREPARING"),
    "ready": _pressed("PREPARING", "READY"),
    "complete": _pressed("READY", "PICKED_UP"),
    "reject": _reject,
}
"""What a command makes of an order; None where it has to be refused."""
