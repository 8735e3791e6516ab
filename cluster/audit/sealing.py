"""What the seals of events prove: that none was altered, removed, or put in.

See `actors.order.seals`: a chain an order, and sums of all that were ever committed.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from sqlalchemy import func, select

from actors.order.journal_tables import events, order_keys, seal_sums
from actors.order.seals import MASK, SEALED_COLUMNS, SUMMED, difference, order_of, seal_of, sums_of
from cluster.audit.databases import Databases
from cluster.audit.records import Dossier, Finding, Violation

LOST_ORDERS = 1000
"""As many as are told by name where whole orders are gone."""


def broken_seals(dossier: Dossier) -> Iterator[Finding]:
    """Yield what the chain of an order's events shows; they are in order of version."""
    former, since, position, complete = 0, 1, 0, True
    for version, row in enumerate(dossier.events, start=1):
        complete = complete and row.version == version  # else that is what is told of it
        expected = seal_of(former, row[SEALED_COLUMNS])
        if row.seal is None and row.position > dossier.unsealed_until:
            words = f"version {row.version}, a {row.type}, has no seal: it was put in or altered"
            yield "event_unsealed", words
        elif row.seal not in (None, expected) and complete:
            one = since == row.version
            which = f"version {row.version}" if one else f"one of versions {since} to {row.version}"
            words = f"{which}, a {row.type}, is not what was committed, or what was before it is"
            yield "seal_broken", words
        if row.position <= position:
            yield "events_reordered", f"version {row.version} stands before the one before it"
        former = expected if row.seal is None else row.seal
        since = since if row.seal is None else row.version + 1
        position = row.position


class SealSums:
    """Compares what all seals add up to with what was noted along with each commit."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._kept = self._found = dict.fromkeys(SUMMED, 0)
        self._upto = 0
        self.unsealed_until = self.unsealed = 0
        self._all_were_read = False

    async def begin(self) -> None:
        """Note how far the journal has come, and its sums at that moment."""
        with self._databases.around("journal", seal_sums.name):
            async with self._databases.read("journal") as connection:
                kept = (await connection.execute(select(seal_sums))).one_or_none()
                self._upto = await connection.scalar(select(func.max(events.c.position))) or 0
                if kept is not None:
                    self._kept = {name: getattr(kept, name) for name in SUMMED}
                    self.unsealed_until = kept.unsealed_until
                self._all_were_read = True

    def count(self, dossiers: Iterable[Dossier]) -> None:
        """Take events into account; each of them once."""
        rows = [row for dossier in dossiers for row in dossier.events if row.position <= self._upto]
        sealed = [(row.order_id, row.version, row.seal) for row in rows if row.seal is not None]
        self.unsealed += len(rows) - len(sealed)
        sums = sums_of(sealed)
        self._found = {name: self._found[name] + sums[name] & MASK for name in SUMMED}
        if any("events" in dossier.unreadable for dossier in dossiers):
            self._all_were_read = False

    async def violations(self) -> AsyncIterator[Violation]:
        """Yield what was removed or put in; nothing where not all could be read: that is told."""
        lacking = difference(self._kept, self._found)
        if not self._all_were_read or self._databases.damage or not any(lacking.values()):
            return
        yield _told(lacking)
        for order_id in await self._lost_orders():
            words = "all its events are gone: only its key is left in the journal"
            yield Violation(order_id, "order_removed", words)

    async def _lost_orders(self) -> list[Any]:
        k, e = order_keys.c, events.c
        known = select(e.order_id).where(e.order_id == k.order_id).exists()
        lost = select(k.order_id).where(~known).limit(LOST_ORDERS)
        with self._databases.around("journal", order_keys.name):
            async with self._databases.read("journal") as connection:
                return list(await connection.scalars(lost))
        return []


def _told(lacking: dict[str, int]) -> Violation:
    count = lacking["events"]
    if count == 0:
        words = "as many sealed events as were committed, but not the same ones"
        return Violation("journal", "events_replaced", words)
    code = "events_removed" if count > 0 else "events_added"
    what = "is gone, or its seal" if count > 0 else "was never committed"
    positive = lacking if count > 0 else {name: -value for name, value in lacking.items()}
    which = order_of(positive)
    if which is None:
        words = f"{abs(count)} sealed events: each {what}; they are of several orders"
        return Violation("journal", code, words)
    order_id, first, last = which
    versions = f"version {first}" if first == last else f"each of versions {first} to {last}"
    return Violation(order_id, code, f"{versions} {what}")
