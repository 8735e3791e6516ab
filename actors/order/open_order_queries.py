"""The queries for open orders, each built once: that takes longer than to run it.

Bound are moments in microseconds since 1970: `now`, `late`, `ahead`.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    func,
    select,
    true,
)

from actors.order.ids import SLOTS
from actors.order.journal_tables import events, open_orders


def _due_query(condition: ColumnElement[bool]) -> Select[Any]:
    o, e = open_orders.c, events.c
    # Only of those that seem to be due in the future: the clock may have been set back since.
    mine = (e.order_id == o.order_id) & (o.due_at > bindparam("now", type_=BigInteger))
    began, last = (
        select(edge(e.at)).where(mine).scalar_subquery() for edge in (func.min, func.max)
    )
    return select(o.order_id, o.due_at, began, last).where(condition).order_by(o.due_at)


DUE_OF_ONE = _due_query(open_orders.c.order_id == bindparam("mine"))


@lru_cache(maxsize=8)
def due_in(slots: tuple[int, ...]) -> Select[Any]:
    """Return the query for all open orders of some slots, those longest due first."""
    return _due_query(_in_slots(slots))


@lru_cache(maxsize=8)
def overdue_in(slots: tuple[int, ...]) -> Select[Any]:
    """Return the query for those due by `late`; see `Journal.overdue`."""
    o, e = open_orders.c, events.c
    at = (
        select(e.at).where(e.order_id == o.order_id).order_by(e.version.desc()).limit(1)
    ).scalar_subquery()
    waits_for_a_step = (o.due_at > bindparam("ahead", type_=BigInteger)) & (o.due_at <= at)
    late = (o.due_at <= bindparam("late", type_=BigInteger)) | waits_for_a_step
    beyond = o.order_id > bindparam("after")
    found = select(o.order_id, o.due_at).where(late, beyond, _in_slots(slots))
    return found.order_by(o.order_id).limit(bindparam("most", type_=Integer))


def _in_slots(slots: tuple[int, ...]) -> ColumnElement[bool]:
    return true() if len(slots) == SLOTS else open_orders.c.slot.in_(slots)
