"""Many schedules, on all cores: what they came to."""

import multiprocessing
import os
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing.pool import Pool

from cluster.simulation.explore import CASES, Explored, explore
from cluster.simulation.plan import plan_of
from cluster.simulation.world import World

CHUNK = 200
STATE_BITS = 27
"""States are told apart by so many bits of their hash: what is counted is less than there are."""


@dataclass
class Part:
    """What some schedules came to. `found`: seed, and the names of what was violated.

    `disturbed`: in how many anything went wrong.
    """

    schedules: int = 0
    disturbed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    found: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    states: "array[int]" = field(default_factory=lambda: array("I"))
    simulated_s: float = 0.0


class States:
    """Which states were seen."""

    def __init__(self) -> None:
        self._seen = bytearray(1 << STATE_BITS - 3)
        self.count = 0

    def add(self, states: Iterable[int]) -> "array[int]":
        """Return those that are new."""
        new = array("I")
        for state in states:
            short = state & (1 << STATE_BITS) - 1
            at, bit = short >> 3, 1 << (short & 7)
            if not self._seen[at] & bit:
                self._seen[at] |= bit
                new.append(short)
        self.count += len(new)
        return new


@dataclass
class Total:
    """What all schedules came to, so far."""

    began: float = field(default_factory=time.monotonic)
    part: Part = field(default_factory=Part)
    states: States = field(default_factory=States)

    def add(self, part: Part) -> None:
        """Take the schedules of a part into account."""
        mine = self.part
        mine.schedules += part.schedules
        mine.disturbed += part.disturbed
        mine.faults += part.faults
        mine.found += part.found
        mine.simulated_s += part.simulated_s
        self.states.add(part.states)

    @property
    def took_s(self) -> float:
        """How long it has taken."""
        return time.monotonic() - self.began


class Worker:
    """Runs schedules in this process; see `run_many`."""

    def __init__(self) -> None:
        self._states = States()

    def run(self, world: World, seeds: Iterable[int]) -> Part:
        """Run the schedules of some seeds."""
        part, states = Part(), set[int]()
        for seed in seeds:
            outcome = world.run(plan_of(seed))
            part.schedules += 1
            part.disturbed += bool(outcome.faults or outcome.plan.happenings)
            part.simulated_s += outcome.took_s
            part.faults.update(fault.name for fault in outcome.faults.values())
            part.faults.update(each.fault.name for each in outcome.plan.happenings)
            states |= outcome.states
            if outcome.violations:
                names = tuple(dict.fromkeys(each.name for each in outcome.violations))
                part.found.append((seed, names))
        part.states = self._states.add(sorted(states))
        return part


def run_many(
    first: int,
    schedules: int | None,
    seconds: float | None,
    told: Callable[[Total], object],
    processes: int | None = None,
) -> Total:
    """Run schedules from a seed on: so many, or for so long; `told` hears of each part."""
    total = Total()
    number = processes or os.cpu_count() or 1
    # Of threads there is none here, and what was imported need not be again.
    context = multiprocessing.get_context("fork")
    chunks = _chunks(first, schedules)
    with context.Pool(number, _begin) as pool:
        for part in _parts(pool, chunks, number):
            total.add(part)
            told(total)
            if seconds is not None and total.took_s >= seconds:
                break
    return total


def explore_many(
    faults: int, told: Callable[[str, Explored], object], processes: int | None = None
) -> dict[str, Explored]:
    """Explore every case with up to so many faults; `told` hears of each case that is done."""
    context = multiprocessing.get_context("fork")
    done: dict[str, Explored] = {}
    with context.Pool(processes or os.cpu_count() or 1, _begin) as pool:
        under_way = {case: pool.apply_async(_explore, (case, faults)) for case in CASES}
        for case, each in under_way.items():
            done[case] = each.get()
            told(case, done[case])
    return done


def run_until_violated(
    first: int, schedules: int | None, seconds: float | None, told: Callable[[Total], object]
) -> Total:
    """Run schedules in this process, in the order of their seeds, up to one that violates anything.

    No more than so many, or for no longer than that.
    """
    total, worker = Total(), Worker()
    with World().open() as world:
        for seeds in _chunks(first, schedules, 1):
            total.add(worker.run(world, seeds))
            told(total)
            if total.part.found or (seconds is not None and total.took_s >= seconds):
                break
    return total


def _chunks(first: int, schedules: int | None, size: int = CHUNK) -> Iterator[range]:
    end = None if schedules is None else first + schedules
    for start in count(first, size):
        if end is not None and start >= end:
            return
        yield range(start, start + size if end is None else min(end, start + size))


def _parts(pool: Pool, chunks: Iterator[range], number: int) -> Iterator[Part]:
    """Yield parts in the order of their seeds, never far more of them under way than workers."""
    under_way = [pool.apply_async(_run, (each,)) for each in islice(chunks, 2 * number)]
    while under_way:
        yield under_way.pop(0).get()
        under_way += [pool.apply_async(_run, (each,)) for each in islice(chunks, 1)]


_OPEN = ExitStack()  # for as long as this process lives
_mine: tuple[World, Worker] | None = None


def _begin() -> None:
    global _mine  # noqa: PLW0603 - one a process
    _mine = _OPEN.enter_context(World().open()), Worker()


def _explore(case: str, faults: int) -> Explored:
    assert _mine is not None
    return explore(_mine[0], case, faults)


def _run(seeds: range) -> Part:
    assert _mine is not None
    world, worker = _mine
    return worker.run(world, seeds)
