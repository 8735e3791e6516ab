"""What a disk may hold after a power cut, by all that was written to it and synced until then.

What it is taken to promise is told in tests/README.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from random import Random

from tests.support.power.recorder import (
    DELETE,
    HEAD,
    SYNC,
    SYNC_NAMES,
    SYNC_WITH_NAMES,
    TRUNCATE,
    WRITE,
)

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""
FATES = ("lost", "kept", "some", "torn", "cut short")
"""What becomes of that which was not synced: `Inode.remains` tells them apart."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to storage; times are CLOCK_MONOTONIC's, in nanoseconds."""

    kind: int
    path: str
    offset: int
    began: int
    ended: int
    content: bytes


def read_calls(folder: Path) -> list[Call]:
    """Return the calls of all processes that were recorded into a folder, in order of their end."""
    calls = [call for log in folder.glob("*.log") for call in _calls(log.read_bytes())]
    return sorted(calls, key=lambda call: call.ended)


def _calls(log: bytes) -> Iterator[Call]:
    at = 0
    while at + HEAD.size <= len(log):
        kind, name_length, length, offset, began, ended = HEAD.unpack_from(log, at)
        at += HEAD.size
        name, at = log[at : at + name_length].decode(), at + name_length
        content, at = log[at : at + length], at + length
        yield Call(kind, name, offset, began, ended, content)


@dataclass(slots=True)
class _Change:
    """A write, or a truncation, that no sync has covered."""

    ended: int
    offset: int
    content: bytes | None
    """None: the file was cut to `offset` bytes."""

    def apply(self, content: bytearray) -> None:
        if self.content is None:
            del content[self.offset :]
            content.extend(bytes(self.offset - len(content)))
            return
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.content)] = self.content


@dataclass(slots=True)
class Inode:
    """A file, whatever it is called: what is on disk for certain, and what may be."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[_Change] = field(default_factory=list)

    def sync(self, began: int) -> None:
        """Take over what was written before a sync that has ended began."""
        later = []
        for change in self.pending:
            if change.ended <= began:
                change.apply(self.durable)
            else:
                later.append(change)
        self.pending = later

    def whole(self, pending: Iterable[_Change] = ()) -> bytes:
        """Return it as programs see it: from the page cache."""
        content = bytearray(self.durable)
        for change in (*self.pending, *pending):
            change.apply(content)
        return bytes(content)

    def remains(self, random: Random, fate: str, in_flight: list[_Change]) -> bytes:
        """Return what a disk may have of it, sector by sector, each as it was at some time.

        "lost": nothing that was not synced. "kept": all. "some": each change or not, whichever
        came first. "torn": each sector of its own. "cut short": the first changes, the last of
        them torn.
        """
        changes = [*self.pending, *in_flight]
        if fate == "lost" or not changes:
            return bytes(self.durable)
        if fate == "kept":
            return self.whole(in_flight)
        return _Torn(bytes(self.durable), changes).remains(random, fate)


class _Torn:
    """All that each sector has been since the last sync."""

    def __init__(self, durable: bytes, changes: list[_Change]) -> None:
        self._durable = durable
        self._versions: dict[int, list[tuple[int, bytes]]] = {}
        self._lengths = [len(durable)]
        content = bytearray(durable)
        for number, change in enumerate(changes):
            before = len(content)
            change.apply(content)
            self._lengths.append(len(content))
            for sector in _sectors(change, before):
                at = sector * SECTOR
                version = bytes(content[at : at + SECTOR]).ljust(SECTOR, b"\0")
                self._versions.setdefault(sector, []).append((number, version))

    def remains(self, random: Random, fate: str) -> bytes:
        count = len(self._lengths) - 1
        keep = {n for n in range(count) if random.random() < random.choice((0.2, 0.5, 0.8))}
        last = random.randrange(count)
        chosen: dict[int, bytes] = {}
        for sector, versions in self._versions.items():
            if fate == "some":
                possible = [version for number, version in versions if number in keep][-1:]
            elif fate == "torn":
                possible = [version for _, version in versions if random.random() < 0.5]
            else:
                possible = [version for number, version in versions if number < last][-1:]
                torn = [version for number, version in versions if number == last]
                if torn and random.random() < 0.5:
                    possible = torn
            if possible:
                chosen[sector] = random.choice(possible)
        if fate == "cut short":
            return self._put_together(chosen, random.choice(self._lengths[last : last + 2]))
        return self._put_together(chosen, random.choice((self._lengths[-1], *self._lengths)))

    def _put_together(self, sectors: dict[int, bytes], length: int) -> bytes:
        content = bytearray(self._durable)
        for sector, version in sectors.items():
            at = sector * SECTOR
            if len(content) < at:
                content.extend(bytes(at - len(content)))
            content[at : at + SECTOR] = version
        del content[length:]
        return bytes(content.ljust(length, b"\0"))


def _sectors(change: _Change, before: int) -> range:
    if change.content is None:
        return range(change.offset // SECTOR, -(-before // SECTOR))
    return range(
        min(change.offset, before) // SECTOR, -(-(change.offset + len(change.content)) // SECTOR)
    )


@dataclass(slots=True)
class _Name:
    """What a name has led to since the names were synced last; None: there was no such file."""

    choices: list[tuple[int, Inode | None]]

    @property
    def now(self) -> Inode | None:
        return self.choices[-1][1]

    def sync(self, began: int) -> None:
        last = max(n for n, (ended, _) in enumerate(self.choices) if n == 0 or ended <= began)
        del self.choices[:last]


class Disk:
    """Follows recorded calls up to one moment after another.

    Files whose name `is_kept` are a third party's: of them nothing is ever lost.
    """

    def __init__(self, calls: list[Call], folder: str, kept: str = "provider.db") -> None:
        self._calls = [call for call in calls if Path(call.path).parent == Path(folder)]
        self._next = 0
        self._kept = kept
        self._names: dict[str, _Name] = {}
        self._begun = sorted(range(len(self._calls)), key=lambda n: self._calls[n].began)
        self._next_begun = 0
        self._in_flight: list[tuple[int, int]] = []

    def go_to(self, moment: int) -> None:
        """Carry out all that had ended by a moment, which is not before the last one."""
        while self._next < len(self._calls) and self._calls[self._next].ended <= moment:
            self._carry_out(self._calls[self._next])
            self._next += 1
        while (
            self._next_begun < len(self._begun)
            and self._calls[self._begun[self._next_begun]].began < moment
        ):
            number = self._begun[self._next_begun]
            heappush(self._in_flight, (self._calls[number].ended, number))
            self._next_begun += 1
        while self._in_flight and self._in_flight[0][0] <= moment:
            heappop(self._in_flight)

    def _carry_out(self, call: Call) -> None:
        if call.kind in (SYNC_NAMES, SYNC_WITH_NAMES):
            for each in self._names.values():
                each.sync(call.began)
        if call.kind == SYNC_NAMES:
            return
        name = Path(call.path).name
        entry = self._names.setdefault(name, _Name([(0, None)]))
        if call.kind == DELETE:
            entry.choices.append((call.ended, None))
        elif entry.now is None:
            entry.choices.append((call.began, Inode()))
        inode = entry.now
        if call.kind in (WRITE, TRUNCATE):
            assert inode is not None
            inode.pending.append(_change(call))
        elif call.kind in (SYNC, SYNC_WITH_NAMES):
            assert inode is not None
            inode.sync(call.began)

    def contents(self) -> dict[str, bytes]:
        """Return the files as programs see them now."""
        return {
            name: entry.now.whole() for name, entry in self._names.items() if entry.now is not None
        }

    def after_cut(self, random: Random, fate: str | None = None) -> dict[str, bytes]:
        """Return files that a disk may have after a cut now; `fate`: of all that is not synced."""
        flying = [self._calls[number] for _, number in self._in_flight]
        left: dict[str, bytes] = {}
        for name, entry in self._names.items():
            of_file = [_change(c) for c in flying if _is_change(c) and Path(c.path).name == name]
            if name.startswith(self._kept):
                if entry.now is not None:
                    left[name] = entry.now.whole()
                continue
            own_fate = fate or random.choice(FATES)
            inode = _name_after(entry, random, own_fate)
            if inode is not None:
                in_flight = of_file if inode is entry.now else []
                left[name] = inode.remains(random, own_fate, in_flight)
        return left


def _is_change(call: Call) -> bool:
    return call.kind in (WRITE, TRUNCATE)


def _change(call: Call) -> _Change:
    return _Change(call.ended, call.offset, call.content if call.kind == WRITE else None)


def _name_after(entry: _Name, random: Random, fate: str) -> Inode | None:
    if fate == "kept":
        return entry.now
    return entry.choices[0][1] if fate == "lost" else random.choice(entry.choices)[1]
