"""`siren verify`: audits journal, payments, charges, tickets and view against each other.

On a running system the databases are read one after the other while orders move. So whatever looks
wrong is looked at again, and only what stays wrong is reported.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from actors.runtime.database_faults import sqlite_files
from actors.runtime.lock_file import is_held
from actors.settings import Settings
from cluster.audit import whole_tables
from cluster.audit.databases import Databases
from cluster.audit.record_reader import RecordReader
from cluster.audit.records import Dossier, Violation
from cluster.audit.rules import OVERDUE, examine, has_long_waited_for_provider
from cluster.audit.sealing import SealSums

RECHECKS = 3
PAUSE_S = 0.5  # time for what was under way to arrive
SUSPECTS = 2000  # re-checked together: a broken database does not fill the memory

Report = Callable[[Violation], None]
Progress = Callable[[int, int], None]
"""Gets the number of events audited, and of all events."""


@dataclass(slots=True)
class Totals:
    """What was audited, and how many violations were found.

    `lag`: events the view is behind; `waiting`: orders for which the payment provider has been
    asked for a minute and longer; `stopped`: open orders that go on once the system is started;
    `unsealed`: events of code without seals, which nothing but their order's next seal proves.
    """

    orders: int = 0
    events: int = 0
    payments: int = 0
    charges: int = 0
    tickets: int = 0
    rows: int = 0
    lag: int = 0
    waiting: int = 0
    stopped: int = 0
    unsealed: int = 0
    violations: int = 0

    def count(self, dossier: Dossier) -> None:
        """Add the rows of one order."""
        self.orders += bool(dossier.events)
        self.events += len(dossier.events)
        self.payments += dossier.payment is not None
        self.charges += len(dossier.charges)
        self.tickets += dossier.ticket is not None
        self.rows += dossier.view is not None
        self.waiting += has_long_waited_for_provider(dossier)


async def verify(settings: Settings, report: Report, progress: Progress) -> Totals:
    """Audit all orders; `report` gets every violation as soon as it is certain.

    Reads only, and never more than some thousand orders at a time. Raises `SirenError` where a
    database is missing or unreadable.
    """
    databases = Databases(settings)
    try:
        await databases.check()
        return await _Audit(databases, report, progress, running=_may_run(settings)).run()
    finally:
        await databases.close()


def _may_run(settings: Settings) -> bool:
    """Whether a system runs on these databases; with none on SQLite it may be anywhere."""
    return not sqlite_files(settings) or is_held(settings.data_dir.absolute())


class _Audit:
    def __init__(
        self, databases: Databases, report: Report, progress: Progress, *, running: bool
    ) -> None:
        self._running = running
        self._databases = databases
        self._reader = RecordReader(databases)
        self._report = report
        self._progress = progress
        self._totals = Totals()
        self._suspects: dict[str, set[str]] = {}  # codes by order id
        self._strays: defaultdict[str, set[str]] = defaultdict(set)

    async def run(self) -> Totals:
        if await whole_tables.set_back(self._databases):
            words = "it lost its end, or is an older copy: the view has read what it does not have"
            self._found(Violation("journal", "journal_set_back", words))
        expected = await whole_tables.count_events(self._databases)
        seals = SealSums(self._databases)
        await seals.begin()
        async for page in self._reader.pages():
            for dossier in page:
                self._totals.count(dossier)
            seals.count(page)
            await self._suspect(page, self._count_stopped)
            self._progress(self._totals.events, max(expected, self._totals.events))
        await self._audit_strays()
        await self._confirm()
        await self._audit_numbers()
        async for violation in seals.violations():
            self._found(violation)
        self._totals.unsealed = seals.unsealed
        self._totals.lag = await whole_tables.lag(self._databases)
        await whole_tables.check_books(self._databases)
        await self._databases.look_through(at_rest=not self._running)
        for place, words in self._databases.damage.items():
            self._found(Violation(place, "database_damaged", words))
        return self._totals

    async def _audit_strays(self) -> None:
        async for strays in whole_tables.stray_charges(self._databases):
            if strays:
                for order_id, keys in strays.items():
                    self._strays[order_id] |= keys
                await self._suspect(await self._load(strays))

    async def _audit_numbers(self) -> None:
        for row in await whole_tables.shared_numbers(self._databases):
            words = f"{row.number} of {row.day} at {row.store_id} was given to another order too"
            self._found(Violation(row.order_id, "ticket_number_twice", words))

    async def _load(self, order_ids: Iterable[str]) -> list[Dossier]:
        wanted = set(order_ids)
        strays = {order_id: self._strays[order_id] for order_id in wanted & self._strays.keys()}
        return await self._reader.load(lambda column: column.in_(wanted), strays)

    def _relevant(self, found: list[Violation]) -> list[Violation]:
        """Return what is wrong; that orders wait while nothing runs is not."""
        return found if self._running else [each for each in found if each.code != OVERDUE]

    def _count_stopped(self, found: list[Violation]) -> None:
        if not self._running:
            self._totals.stopped += any(each.code == OVERDUE for each in found)

    async def _suspect(
        self, dossiers: Iterable[Dossier], note: Callable[[list[Violation]], None] | None = None
    ) -> None:
        for dossier in dossiers:
            found = examine(dossier)
            if note is not None:
                note(found)
            codes = {violation.code for violation in self._relevant(found)}
            if codes:
                self._suspects.setdefault(dossier.order_id, set()).update(codes)
        if len(self._suspects) >= SUSPECTS:
            await self._confirm()

    async def _confirm(self) -> None:
        """Look at the suspects again; report what is still wrong each time."""
        suspects, self._suspects = self._suspects, {}
        persisting: list[Violation] = []
        for _ in range(RECHECKS):
            if not suspects:
                break
            await asyncio.sleep(PAUSE_S)
            persisting = [
                violation
                for dossier in await self._load(suspects)
                for violation in self._relevant(examine(dossier))
                if violation.code in suspects[dossier.order_id]
            ]
            suspects = {violation.order_id: set() for violation in persisting}
            for violation in persisting:
                suspects[violation.order_id].add(violation.code)
        for violation in persisting:
            self._found(violation)
        self._strays.clear()

    def _found(self, violation: Violation) -> None:
        self._totals.violations += 1
        self._report(violation)
