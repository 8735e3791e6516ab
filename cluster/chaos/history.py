"""What clients asked of one order and were told, and whether that can be."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cluster.chaos.linearizability import Call, Found, Verdict, linearize
from cluster.chaos.order_model import (
    NOWHERE,
    Command,
    OrderModel,
    Outcome,
    Read,
    Shown,
)

FOUND, NOT_FOUND, DECLINED, CONFLICT = 200, 404, 402, 409
DONE = (200, 201, 202, DECLINED)
UNDONE_PAYMENT = "payment_canceled"
"""A refusal that tells of a payment that was asked for: the order was cancelled meanwhile."""


class Answered(NamedTuple):
    """An answer of the application: from the first try's beginning to the last one's end."""

    begin: float
    end: float
    status: int
    body: Any
    tries: int = 1


class Violation(NamedTuple):
    """Something that can never be, and was seen; `trace`: the calls that show it, line by line."""

    order_id: str
    code: str
    words: str
    trace: tuple[str, ...] = ()


@dataclass
class History:
    """One order's calls as its clients saw them; `views`: what the view showed, and when."""

    calls: list[Call] = field(default_factory=list)
    views: list[Call] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def commanded(self, name: str, answer: Answered, token: str = "") -> None:
        """Note a command and its answer; what the answer shows was so after it."""
        body: Mapping[str, Any] = answer.body if isinstance(answer.body, dict) else {}
        shown = shown_by(body.get("order") if answer.status == DECLINED else body)
        refused = answer.status == CONFLICT and body.get("code") != UNDONE_PAYMENT
        if answer.status == NOT_FOUND:
            self.calls.append(Call(answer.begin, answer.end, Read(None)))
        elif answer.status in DONE or answer.status == CONFLICT:
            outcome = Outcome.REFUSED if refused else Outcome.DONE
            done = Call(answer.begin, answer.end, Command(name, outcome, token))
            self.calls.append(done)
            if shown is not None:
                after = len(self.calls) - 1
                self.calls.append(Call(answer.begin, answer.end, Read(shown), after))
            if refused and answer.tries > 1:
                self.unanswered(name, answer.begin, token)  # the tries before may yet arrive
        else:
            self.unexpected.append(f"{name}: {answer.status} {body.get('code', '')}")

    def unanswered(self, name: str, begin: float, token: str = "") -> None:
        """Note a command whose outcome nobody knows."""
        self.calls.append(Call(begin, math.inf, Command(name, Outcome.UNKNOWN, token)))

    def read(self, answer: Answered) -> None:
        """Note a read of the order itself, from the journal: it is never stale."""
        self.calls.append(Call(answer.begin, answer.end, self._read(answer)))

    def viewed(self, answer: Answered) -> None:
        """Note a read of the view: it may be behind, and never goes back."""
        self.views.append(Call(answer.begin, answer.end, self._read(answer)))

    def _read(self, answer: Answered) -> Read:
        if answer.status not in (FOUND, NOT_FOUND):
            self.unexpected.append(f"read: {answer.status}")
        return Read(shown_by(answer.body) if answer.status == FOUND else None)


def shown_by(body: Any) -> Shown | None:
    """Return what an order detail shows; None of anything else."""
    if not isinstance(body, dict) or "order_status" not in body:
        return None
    return Shown(
        body["version"], body["order_status"], body["payment_status"], body["pickup_status"]
    )


def check(
    order_id: str, history: History, *, may_expire: bool = False
) -> tuple[Verdict, list[Violation]]:
    """Return whether a history can be explained, and what in it can never be."""
    calls = [*history.calls, *_as_stale(history.views)]
    found = linearize(calls, NOWHERE, OrderModel(may_expire=may_expire).step)
    violations = [Violation(order_id, "unexpected_answer", each) for each in history.unexpected]
    violations += [
        Violation(order_id, "view_went_back", words, traced(history.views))
        for words in _steps_back(history.views)
    ]
    if found.verdict is Verdict.NOT_LINEARIZABLE:
        words = "no order of its calls explains their answers"
        violations.append(Violation(order_id, "not_linearizable", words, _trace_of(calls, found)))
    return found.verdict, violations


def _as_stale(views: list[Call]) -> Iterator[Call]:
    """Return reads that may show any moment until they ended; the first of each thing shown."""
    first: dict[object, float] = {}
    for call in views:
        first[call.what] = min(call.end, first.get(call.what, math.inf))
    for what, end in first.items():
        yield Call(-math.inf, end, what)


def _steps_back(views: list[Call]) -> Iterator[str]:
    """Yield each read that showed less than one that had ended before it began."""
    known: list[tuple[float, int]] = []
    highest = 0
    for end, version in sorted((call.end, _version(call)) for call in views):
        highest = max(highest, version)
        known.append((end, highest))
    for call in views:
        before = max((version for end, version in known if end < call.begin), default=0)
        if _version(call) < before:
            yield f"it showed version {_version(call)} after {before}"


def _version(call: Call) -> int:
    assert isinstance(call.what, Read)
    return call.what.shown.version if call.what.shown is not None else 0


def traced(calls: list[Call]) -> tuple[str, ...]:
    """Return calls for people, by their beginning; seconds from the first one."""
    zero = min((call.begin for call in calls if call.begin > -math.inf), default=0.0)
    ordered = sorted(calls, key=lambda call: (call.begin, call.end))
    return tuple(_line(call, zero) for call in ordered)


def _trace_of(calls: list[Call], found: Found) -> tuple[str, ...]:
    zero = min((call.begin for call in calls if call.begin > -math.inf), default=0.0)
    fits = [f"fits  {_line(calls[number], zero)}" for number in found.order]
    rest = [call for number, call in enumerate(calls) if number not in found.order]
    return (*fits, *(f"then? {line}" for line in _lines(rest, zero)))


def _lines(calls: list[Call], zero: float) -> list[str]:
    return [_line(call, zero) for call in sorted(calls, key=lambda call: call.end)]


def _line(call: Call, zero: float) -> str:
    begin = "any time" if call.begin == -math.inf else f"{call.begin - zero:.3f}"
    end = "no answer" if call.end == math.inf else f"{call.end - zero:.3f}"
    return f"{begin} to {end}: {_words(call.what)}"


def _words(what: object) -> str:
    if isinstance(what, Command):
        return f"{what.name}{f' ({what.token})' if what.token else ''}: {what.outcome}"
    assert isinstance(what, Read)
    if what.shown is None:
        return "read: no such order"
    version, order, payment, pickup = what.shown
    return f"read: version {version}, {order}, payment {payment}, pickup {pickup}"
