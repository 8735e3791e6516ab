"""Orders as the journal has them, for a view that has not got them in memory.

One that cannot be read or folded has its error in its place: it is no other order's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from actors.contracts.errors import Damaged
from actors.order.domain.order import Order, fold
from actors.order.histories import History
from actors.order.journal import Journal
from readmodel.folding import Folded

AT_ONCE = 256
"""Orders that one query loads: a server has `READ_LIMIT_S` for each, and on SQLite others wait."""

Loaded = tuple[dict[str, Folded], dict[str, Exception]]


async def load_before(
    journal: Journal, rows: Sequence[Sequence[Any]], first_versions: dict[str, int]
) -> Loaded:
    """Return orders as they were before the given versions.

    `rows` are the view's of them: id, position of the first event, and of the last one.
    """
    folded: dict[str, Folded] = {}
    failed: dict[str, Exception] = {}
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        # Not `load`: what it shares with others goes on when the projection is cut off.
        histories = await journal.load_each([order_id for order_id, *_ in part])
        for (order_id, seq, position), history in zip(part, histories, strict=True):
            order = _fold(history, first_versions[order_id])
            if isinstance(order, Exception):
                failed[order_id] = order
            elif order is not None:
                folded[order_id] = Folded(seq, position, order, _person(history))
    return folded, failed


async def load_whole(journal: Journal, order_ids: Sequence[str]) -> Loaded:
    """Return orders as they are now."""
    folded: dict[str, Folded] = {}
    failed: dict[str, Exception] = {}
    for start in range(0, len(order_ids), AT_ONCE):
        part = order_ids[start : start + AT_ONCE]
        histories = await journal.load_each(part)
        positions = await journal.failures.positions_of(part)
        for order_id, history in zip(part, histories, strict=True):
            order = _fold(history)
            if isinstance(order, Exception):
                failed[order_id] = order
            elif order is not None:
                here = positions[order_id]
                person = _person(history)
                folded[order_id] = Folded(here[0], here[order.version - 1], order, person)
    return folded, failed


def _fold(history: History | Damaged, until: int | None = None) -> Order | Exception | None:
    if isinstance(history, Damaged):
        return history
    try:
        return fold(history.events if until is None else history.events[: until - 1])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this order's
        return error


def _person(history: History) -> Any:
    return replace(history.private, payment_token=None)
