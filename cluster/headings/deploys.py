"""Zero downtime: redeploy, bad deploys and rollback while customers order and read."""

import asyncio
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from cluster.headings.load import Labelled, Request, Result, http_request, percentile
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, Verdict, all_of, at_least, at_most
from cluster.headings.target import Target
from cluster.headings.versions import FAULTS, Fault, copy_of_code
from cluster.headings.workloads import order_id_of, placed_paid_accepted

CONNECTIONS = 64
MUST, AIM = 20_000, 100_000
"""Requests of each row."""
LIMIT_S = 900.0
READS = 4
"""For each order."""
KNOWN = 1000
ORDER, READ = "order", "read"
REPEATED = 200
QUICK_FAULTS = 2
OTHER_SETTING = {"SIREN_PASSIVATE_AFTER_S": "59"}


def orders_and_reads(over: Path, at_least_so_many: int) -> Iterator[Request]:
    """Orders, answered once the store has accepted them, and reads of them from the journal.

    Ends once the file `over` is there, and as many are under way as there must be.
    """
    known: deque[str] = deque(maxlen=KNOWN)
    learn = lambda body: known.append(order_id_of(body))  # noqa: E731
    orders = placed_paid_accepted(Prefer="wait=30")
    count = 0
    while count < at_least_so_many or not over.exists():
        yield Labelled(*next(orders)[:3], kind=ORDER, learn=learn, or_status=REPEATED)
        for _ in range(READS):
            yield _read(known[count % len(known)]) if known else _stores()
        count += 1 + READS


def _read(order_id: str) -> Labelled:
    needle = f'"order_id":"{order_id}"'.encode()
    return Labelled(http_request("GET", f"/orders/{order_id}"), 200, needle, READ)


def _stores() -> Labelled:
    return Labelled(http_request("GET", "/stores"), 200, b'"items":', READ)


@asynccontextmanager
async def _loaded(system: OwnSystem, requests: int, found: list[Result]) -> AsyncIterator[None]:
    """Load the system while the block lasts, and until there were enough requests."""
    with tempfile.TemporaryDirectory(prefix="siren-headings-") as folder:
        over = Path(folder) / "over"
        workload = partial(orders_and_reads, over, requests)
        load = asyncio.create_task(system.load(workload, CONNECTIONS, LIMIT_S, reopen=True))
        try:
            yield
        finally:
            over.touch()
            found.append(await load)


class _Deploys:
    """Deploys versions of a system, and judges what its customers saw meanwhile."""

    def __init__(self, system: OwnSystem, folder: Path, target: Target) -> None:
        self._system, self._folder, self._target = system, folder, target
        self._count = 0

    async def _deploy(self, path: Path | None, fault: Fault | None = None) -> tuple[str, float]:
        """Deploy a version; return what was not as it should be, and the seconds it took."""
        began = time.monotonic()
        given = {} if path is None else OTHER_SETTING | {"PYTHONPATH": str(path)}
        said = await self._system.siren("deploy", **given)
        seconds = time.monotonic() - began
        expected = 0 if fault is None else 1
        if said.code == expected:
            return "", seconds
        what = "a good version" if fault is None else f"a version that {fault.name}"
        return f"{what}: exit code {said.code}: {said.err or said.out}", seconds

    def _copy(self, fault: Fault | None = None) -> Path:
        self._count += 1
        return copy_of_code(self._folder / str(self._count), fault)

    async def good(self) -> Outcome:
        """Put another version, with other settings, in the place of the first."""
        self._target.say("deploying another version")
        return await self._row("another version, another setting", [(self._copy(), None)])

    async def back(self) -> Outcome:
        """Put the first version in the place of the other one."""
        self._target.say("rolling back")
        return await self._row("back to the version before: A→B→A", [(None, None)])

    async def bad(self, faults: Sequence[Fault]) -> Outcome:
        """Try to deploy versions that do not work."""
        self._target.say(f"deploying {len(faults)} versions that do not work")
        versions = [(self._copy(fault), fault) for fault in faults]
        return await self._row(f"{len(faults)} versions that do not work", versions)

    async def _row(
        self, done: str, versions: Sequence[tuple[Path | None, Fault | None]]
    ) -> Outcome:
        results: list[Result] = []
        wrong, took = [], []
        async with _loaded(self._system, self._target.requests(AIM), results):
            for path, fault in versions:
                problem, seconds = await self._deploy(path, fault)
                wrong += [problem] if problem else []
                took.append(seconds)
        return _judged(done, results[0], took, wrong, quick=self._target.quick)


def _judged(
    done: str, seen: Result, took: list[float], wrong: list[str], *, quick: bool
) -> Outcome:
    failed, longest = len(seen.errors), max(seen.latencies, default=0.0) / 1000
    enough = Verdict.MET if quick else at_least(seen.requests, MUST, AIM)
    return Outcome(
        f"{done}, {CONNECTIONS} connections",
        f"{failed} failed of {seen.requests:,}, p99 {percentile(seen.latencies, 99):.0f} ms, "
        f"longest {longest:.1f} s; deploy took {max(took):.0f} s",
        all_of(at_most(failed, 0), at_most(len(wrong), 0), enough),
        {
            "requests": seen.requests,
            "failed": failed,
            "p99_ms": percentile(seen.latencies, 99),
            "longest_s": longest,
            "deploy_s": max(took),
        },
        [*wrong, *seen.errors],
    )


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    with tempfile.TemporaryDirectory(prefix="siren-headings-") as folder:
        async with target.own() as system:
            deploys = _Deploys(system, Path(folder), target)
            yield await deploys.good()
            yield await deploys.bad(FAULTS[-QUICK_FAULTS:] if target.quick else FAULTS)
            yield await deploys.back()
            audit = await system.siren("verify")
            yield Outcome(
                "`siren verify` after all of them",
                (audit.out or audit.err).strip().splitlines()[-1],
                at_most(audit.code, 0),
                {"exit_code": audit.code},
                audit.out.splitlines() if audit.code else (),
            )


HEADING = Heading("zero-downtime deploy", "100 % of 16,034 reads at 271/s", _measure, limit_s=2400)
