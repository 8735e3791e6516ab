"""The projection's part in the traces of orders: a span for each commit, once it is in the view.

Events have no trace. The context of a commit comes with a nudge, sooner or later than its events.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from actors.runtime import tracing
from readmodel.folding import Folded

REMEMBERED = 10_000
FOLD = "fold view"


class FoldTraces:
    """Brings folds and contexts together, whichever comes first; at most `REMEMBERED` of each."""

    def __init__(self) -> None:
        self._expected: OrderedDict[str, dict[int, tracing.Carrier]] = OrderedDict()
        self._folded: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def expect(self, handed_on: Iterable[tracing.HandedOn]) -> None:
        """Take contexts of commits."""
        for order_id, version, carrier in handed_on:
            self._expected.setdefault(order_id, {})[version] = carrier
            if order_id in self._folded:
                self._emit(order_id)
        _forget(self._expected)

    def folded(self, orders: Mapping[str, Folded], began_ns: int) -> None:
        """Note that the view has these orders now."""
        if not tracing.is_on():
            return
        ended_ns = time.time_ns()
        for order_id, folded in orders.items():
            self._folded[order_id] = (folded.order.version, began_ns, ended_ns)
            self._folded.move_to_end(order_id)
            if order_id in self._expected:
                self._emit(order_id)
        _forget(self._folded)

    def _emit(self, order_id: str) -> None:
        version, began_ns, ended_ns = self._folded[order_id]
        waiting = self._expected[order_id]
        for reached in [each for each in waiting if each <= version]:
            tracing.emit(FOLD, order_id, waiting.pop(reached), began_ns, ended_ns)
        if not waiting:
            del self._expected[order_id]


def _forget(known: OrderedDict[str, Any]) -> None:
    while len(known) > REMEMBERED:
        known.popitem(last=False)
