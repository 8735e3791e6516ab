"""Many power cuts of one recording, each followed by a start and by questions."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from actors.contracts.errors import SirenError
from cluster.audit.verify import verify
from readmodel.projection import JournalReplaced
from tests.support.compiled_once import compiled_once
from tests.support.outside import headers
from tests.support.power.books import rows, wrong_books
from tests.support.power.disk import Disk
from tests.support.power.judge import Judge
from tests.support.power.recorder import SYNC, SYNC_WITH_NAMES
from tests.support.power.recording import Recording
from tests.support.power.revival import Machine

PREPARED_EVERY = 25
REPEATED = 0.2
"""Of the starts so many go on with what clients had asked for and not been answered."""


@dataclass
class Verdict:
    """`lost` and `wrong`: what was found, with the number of the cut that showed it."""

    cuts: int = 0
    told: int = 0
    """Orders acknowledged before a cut, summed over all cuts."""
    unsynced: int = 0
    """Cuts after which files were other than programs had seen them."""
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    cuts_with_losses: int = 0

    def __add__(self, other: "Verdict") -> "Verdict":
        mine, others = asdict(self), asdict(other)
        return Verdict(**{name: mine[name] + others[name] for name in mine})

    def __str__(self) -> str:
        return (
            f"{self.cuts} power cuts, {self.unsynced} of them with damage to what was not synced; "
            f"{self.told} orders acknowledged before them, "
            f"{self.cuts_with_losses} cuts that lost any, {len(self.wrong)} other faults"
        )


def at_random(recording: Recording, count: int, random: Random) -> list[int]:
    """Return moments at which something was being written for orders, or just had been."""
    first = min(asked.began for asked in recording.asked)
    calls = [call for call in recording.calls if call.began > first]
    chosen = (random.choice(calls) for _ in range(count))
    return sorted(random.randint(call.began - 1000, call.ended + 1000) for call in chosen)


def around_every_call_of_one_life(recording: Recording) -> list[int]:
    """Return the moments before, in the midst of, and after each call to storage for one order.

    From its first command on, until it is in the view after its last one.
    """
    began, ended = recording.asked[0].began, recording.alone_until
    return sorted(
        moment
        for call in recording.calls
        if began <= call.began <= ended
        for moment in (call.began, (call.began + call.ended) // 2, call.ended)
    )


def during_the_first_start(recording: Recording) -> list[int]:
    """Return the moments around each call to storage before the first command."""
    return sorted(
        moment
        for call in recording.calls
        if call.ended < recording.asked[0].began
        for moment in (call.began, call.ended)
    )


class Cutter:
    """Cuts one recording's power again and again; `seed` decides what is left each time."""

    def __init__(self, recording: Recording, seed: int) -> None:
        self._recording = recording
        self._judge = Judge(recording)
        self._seed = seed
        syncs = [c for c in recording.calls if c.kind in (SYNC, SYNC_WITH_NAMES)]
        assert syncs, "nothing was ever synced"

    async def cut(
        self, machine: Machine, moments: Iterable[int], fates: tuple[str | None, ...] = (None,)
    ) -> Verdict:
        """Cut at each moment, once for each fate of what was not synced, and judge each start."""
        verdict = Verdict()
        disk = Disk(self._recording.calls, self._recording.folder)
        for moment in moments:
            disk.go_to(moment)
            for fate in fates:
                random = Random(f"{self._seed} {verdict.cuts}")
                files = disk.after_cut(random, fate)
                verdict.unsynced += files != disk.contents()
                verdict.told += len(self._judge.told_by(moment))
                lost, wrong = await self._start(machine, files, moment, random)
                name = f"cut {verdict.cuts} of seed {self._seed} ({fate or 'any'})"
                verdict.lost += [f"{name}: {words}" for words in lost]
                verdict.wrong += [f"{name}: {words}" for words in wrong]
                verdict.cuts_with_losses += bool(lost)
                verdict.cuts += 1
        return verdict

    async def _start(
        self, machine: Machine, files: dict[str, bytes], moment: int, random: Random
    ) -> tuple[list[str], list[str]]:
        judge, folder = self._judge, machine.settings.data_dir
        in_full = random.random() < 1 / PREPARED_EVERY
        try:
            await machine.start(files, None if in_full else judge.schemas)
        except SirenError as error:
            return ([str(error)] if judge.told_by(moment) else []), [f"no start: {error}"]
        except JournalReplaced as error:
            return judge.lost(folder, moment), [f"the view is ahead: {error}"]
        lost, wrong = judge.lost(folder, moment), wrong_books(folder)
        if not lost:
            wrong += await judge.details_differ(machine.http, moment)
        if random.random() < REPEATED:
            wrong += await self._repeat(machine, moment, random)
        if in_full:
            await verify(machine.settings, lambda found: wrong.append(str(found)), lambda *_: None)
        return lost, wrong

    async def _repeat(self, machine: Machine, moment: int, random: Random) -> list[str]:
        """Repeat what had not been answered, as its clients do: nothing happens twice."""
        unanswered = self._judge.unanswered(moment)
        if not unanswered:
            return []
        asked = random.choice(unanswered)
        answer = await machine.http.post(asked.path, json=asked.body, headers=headers(asked.key))
        await machine.rest()
        folder = machine.settings.data_dir
        wrong = wrong_books(folder)
        if not answer.is_success:
            wrong.append(f"repeated {asked.path}: {answer.text}")
        if asked.path == "/orders":
            assert isinstance(asked.body, dict)
            customer = asked.body["customer"]["id"]
            query = f"SELECT count(*) FROM order_detail WHERE customer_id = '{customer}'"
            if (count := rows(folder, "readmodel", query)) != [(1,)]:
                wrong.append(f"{customer} has {count} orders")
        return wrong


@contextmanager
def _in_memory() -> Iterator[Path]:
    """Hand out a folder for machines' files, in memory where that can be: each start syncs."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="power-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


async def cut_power(
    recording: Recording, seed: int, moments: Iterable[int], *fates: str | None
) -> Verdict:
    """Cut a recording's power at each of these moments, once for each fate, and tell the verdict.

    Without a fate each file has one of its own.
    """
    with _in_memory() as folder:
        async with Machine(folder) as machine:
            found = await Cutter(recording, seed).cut(machine, moments, fates or (None,))
    print(f"\n{found}")
    return found


def cut_power_side_by_side(
    recording: Recording, seed: int, moments: Sequence[int], *fates: str | None
) -> Verdict:
    """Do what `cut_power` does in as many processes as there are likely to be cores."""
    half = (len(moments) + 1) // 2
    parts = [moments[:half], moments[half:]]
    with ProcessPoolExecutor(len(parts), get_context("spawn")) as processes:
        running = [
            processes.submit(_cut_alone, recording, seed * len(parts) + number, part, fates)
            for number, part in enumerate(parts)
        ]
        found = sum((each.result() for each in running), Verdict())
    print(f"\n{found}")
    return found


def _cut_alone(
    recording: Recording, seed: int, moments: Sequence[int], fates: tuple[str | None, ...]
) -> Verdict:
    with compiled_once():
        return asyncio.run(cut_power(recording, seed, moments, *fates))
