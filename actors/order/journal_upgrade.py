"""Older journals made into today's when they are opened.

Several processes may do it at once, and any of them may die: each part is one transaction that
says how far they are. The first one says that the journal is of the new version, so that older
code stays away from what is half done.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import bindparam, delete, func, inspect, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.order.domain.events import CustomerErased, StoredEvent
from actors.order.domain.order import evolve, fold
from actors.order.domain.reasons import code_of
from actors.order.domain.saga import due_at
from actors.order.ids import KEY_DIGITS, hash_key, slot_of
from actors.order.journal_rows import row_of, stored_event
from actors.order.journal_tables import (
    NO_OLDER_WRITER,
    events,
    meta,
    open_orders,
    order_keys,
    order_private,
    seal_sums,
)
from actors.order.seals import SUMMED
from actors.runtime.clock import to_micros
from actors.runtime.database import Database
from actors.runtime.database_faults import UNREADABLE
from actors.runtime.message_codec import to_json
from actors.runtime.schema import add_column, until_let_in
from actors.runtime.statements import Transaction

PART = 5000
"""Events in one transaction."""
REACHED = "upgraded_to"
"""In `meta` while events are upgraded: the last position that is done."""
SEALING = 4
"""The schema version whose code seals events."""
WITH_REASON = ("OrderCanceled", "PickupRejected")

Progress = Callable[[int, int], None]


class _WithReason(msgspec.Struct):
    reason: str
    by: Literal["customer", "store", "system"] = "store"


async def upgrade(database: Database, progress: Progress) -> None:
    """Bring a journal of any older version up to date; returns when all of it is.

    `progress` gets the position reached and the last one, after each part. Raises `Unavailable`
    where the database cannot be written: whatever is left then is done the next time.
    """
    await until_let_in(database, lambda: add_column(database, events.c.seal))
    async with database.write(limit_s=None) as connection:  # a large one takes its time
        if await _becomes(connection, 1, 2):
            await _note_keys(database, connection)
    async with database.write(limit_s=None) as connection:  # a large one takes its time
        if await _becomes(connection, 2, 3):
            await _begin_hashing(database, connection)
    async with database.read() as connection:
        secret = await connection.scalar(select(meta.c.value).where(meta.c.key == "secret"))
        last = await connection.scalar(select(func.max(events.c.position))) or 0
    parts = _Parts(database, bytes.fromhex(secret or ""))
    while (reached := await database.transact(parts.next)) is not None:
        progress(min(reached, last), last)
    async with database.write() as connection:
        await _becomes(connection, 3, 4)
    await admit_unsealed(database)


async def admit_unsealed(database: Database, *, always: bool = False) -> None:
    """Note that code older than seals has written events up to the last one.

    Only where that one shows it, or `always`. Without it an event that has no seal is a finding of
    `siren verify`.
    """
    newest = select(events.c.position, events.c.seal).order_by(events.c.position.desc()).limit(1)
    async with database.write() as connection:
        last = (await connection.execute(newest)).one_or_none()
        if last is None or not (always or last.seal is None):
            return
        noted = database.insert(seal_sums)
        row = {"id": 1, **dict.fromkeys(SUMMED, 0), "unsealed_until": last.position}
        reached = {"unsealed_until": last.position}
        await connection.execute(
            noted.on_conflict_do_update(index_elements=["id"], set_=reached), row
        )


async def _becomes(connection: AsyncConnection, old: int, new: int) -> bool:
    """Move the schema version on; False where it is another one, or somebody else was first."""
    mine = update(meta).where(meta.c.key == "schema_version", meta.c.value == str(old))
    return bool((await connection.execute(mine.values(value=str(new)))).rowcount)


async def _note_keys(database: Database, connection: AsyncConnection) -> None:
    """Version 2 has `order_keys`."""
    e, o = events.c, open_orders.c
    if database.is_sqlite:
        key = func.substr(e.order_id, -KEY_DIGITS)
    else:
        key = func.right(e.order_id, KEY_DIGITS)
    # In their order: at random places it would take several times as long.
    keys = select(key, e.order_id).where(e.version == 1).order_by(key)
    noted = database.insert(order_keys).from_select(["key", "order_id"], keys)
    await connection.execute(text("DROP INDEX IF EXISTS open_orders_by_slot"))
    await connection.execute(noted.on_conflict_do_nothing())
    for order_id in (await connection.scalars(select(o.order_id))).all():
        mine = update(open_orders).where(o.order_id == order_id)
        await connection.execute(mine.values(slot=slot_of(order_id)))


async def _begin_hashing(database: Database, connection: AsyncConnection) -> None:
    """Version 3 has hashed command ids, and codes for reasons: its events are of version 2."""
    present = await connection.run_sync(
        lambda sync: {column["name"] for column in inspect(sync).get_columns(order_private.name)}
    )
    if order_private.c.cancel_reason.name not in present:
        await connection.execute(text("ALTER TABLE order_private ADD COLUMN cancel_reason TEXT"))
    if not database.is_sqlite:  # there the folder's lock keeps older code away
        constraint = f"ADD CONSTRAINT {NO_OLDER_WRITER} CHECK (schema_version > 1) NOT VALID"
        await connection.execute(text(f"ALTER TABLE events {constraint}"))
    await connection.execute(database.insert(meta), {"key": REACHED, "value": "0"})


class _Parts:
    """Upgrades the events of version 1, a part in each transaction."""

    def __init__(self, database: Database, secret: bytes) -> None:
        prepare, e, p = database.prepare, events.c, order_private.c
        self._secret = secret
        mine = meta.c.key == bindparam("name")
        self._reached = prepare(select(meta.c.value).where(mine))
        self._move = prepare(update(meta).where(mine).values(value=bindparam("reached")))
        self._end = prepare(delete(meta).where(mine))
        self._part = prepare(
            select(events)
            .where(e.position > bindparam("after"))
            .order_by(e.position)
            .limit(literal(PART))
        )
        self._rewrite = prepare(
            update(events)
            .where(e.position == bindparam("here"))
            .values(
                schema_version=bindparam("new_version"),
                data=bindparam("new_data"),
                command_id=bindparam("new_id"),
            )
        )
        among = database.among(e.order_id, "order_ids")
        self._erased = prepare(select(e.order_id).where(among, e.type == "CustomerErased"))
        self._history = prepare(select(events).where(among).order_by(e.version))
        self._open = prepare(
            select(open_orders.c.ticket_version).where(
                database.among(open_orders.c.order_id, "order_ids")
            )
        )
        self._keep = prepare(
            update(order_private)
            .where(p.order_id == bindparam("mine"))
            .values(cancel_reason=bindparam("reason"))
        )
        self._append = prepare(
            events.insert(),
            [c.name for c in e if c.name not in ("position", "seal")],
        )
        self._reopen = database.prepare_upsert(
            open_orders, "order_id", ("due_at", "ticket_version")
        )

    def next(self, transaction: Transaction) -> int | None:
        """Upgrade the next part; return the position reached, None where all is done."""
        found = transaction.all(self._reached, {"name": REACHED})
        if not found:
            return None
        rows = transaction.all(self._part, {"after": int(found[0][0])})
        if not rows:
            transaction.change(self._end, [{"name": REACHED}])
            return None
        old = [row for row in rows if row[4] == 1]
        if old:
            transaction.change(self._rewrite, [self._rewritten(row) for row in old])
        self._move_reasons(transaction, old)
        reached = int(rows[-1][0])
        transaction.change(self._move, [{"name": REACHED, "reached": str(reached)}])
        return reached

    def _rewritten(self, row: Sequence[Any]) -> dict[str, Any]:
        position, order_id, _, tag, version, data, _, command_id, _ = row
        return {
            "here": position,
            "new_version": version + 1,
            "new_data": _coded(data) if tag in WITH_REASON else data,
            "new_id": hash_key(self._secret, order_id, command_id),
        }

    def _move_reasons(self, transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
        """Keep what people wrote where it can be erased; of who was erased nothing is kept."""
        canceled = {row[1]: _reason(row[5]) for row in rows if row[3] == "OrderCanceled"}
        texts = {order_id: told for order_id, told in canceled.items() if told is not None}
        if not texts:
            return
        among = {"order_ids": list(texts)}
        erased = {row[0] for row in transaction.all(self._erased, among)}
        kept = [
            {"mine": order_id, "reason": reason}
            for order_id, (reason, code) in texts.items()
            if reason != code and order_id not in erased
        ]
        if kept:
            transaction.change(self._keep, kept)
        for order_id in erased:
            reason, code = texts[order_id]
            if reason != code:
                self._erase_again(transaction, order_id)

    def _erase_again(self, transaction: Transaction, order_id: str) -> None:
        """Let view and ticket, which have the words, follow an erasure once more."""
        mine = {"order_ids": [order_id]}
        try:
            order = fold(stored_event(row)[1] for row in transaction.all(self._history, mine))
        except UNREADABLE:
            return  # damaged: `siren verify` says so, and nothing can follow it
        if order is None:
            return
        at = max(datetime.now(UTC), order.last_at)
        erased = StoredEvent(order_id, order.version + 1, CustomerErased(), at, "")
        transaction.change(self._append, [row_of(erased)])
        opened = transaction.all(self._open, mine)
        unconfirmed = bool(opened) and opened[0][0] is not None
        acknowledged = 0 if unconfirmed else order.ticket_version
        order = evolve(order, erased)
        due = due_at(order, acknowledged)
        if due is not None:
            told = order.ticket_version > acknowledged
            row = {
                "order_id": order_id,
                "slot": slot_of(order_id),
                "due_at": to_micros(due),
                "ticket_version": order.ticket_version if told else None,
            }
            transaction.change(self._reopen, [row])


def _coded(data: str) -> str:
    """Return an event's data with a code for its reason; damaged ones as they are."""
    reason = _reason(data)
    if reason is None:
        return data
    return to_json({**msgspec.json.decode(data), "reason": reason[1]}).decode()


def _reason(data: str) -> tuple[str, str] | None:
    """Return the reason of a cancellation as it was given, and its code; None where it is none."""
    try:
        fields = msgspec.json.decode(data, type=_WithReason)
    except msgspec.MsgspecError:
        return None
    return fields.reason, code_of(fields.reason, fields.by)
