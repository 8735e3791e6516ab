"""What a system takes of its machine: memory, open files and threads of each process, and files."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cluster.running.processes import title_of

MB = 1024**2
DATABASES = (".db", ".db-wal", ".db-shm")


@dataclass(frozen=True)
class Taken:
    """What one process takes: memory in bytes that no other process shares, and counts."""

    memory: int
    files: int
    threads: int


@dataclass
class Footprint:
    """What a system takes at one moment; files are those that are no database."""

    processes: dict[str, Taken] = field(default_factory=dict)
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """Return it as a table."""
        rows = [
            f"{name:50} {each.memory / MB:8.1f} MB {each.files:5} files {each.threads:4} threads"
            for name, each in self.processes.items()
        ]
        return rows + [
            f"{name:50} {self.bytes[name] / MB:8.1f} MB {count:5} files"
            for name, count in self.files.items()
        ]


def footprint(processes: list[psutil.Process], folders: dict[str, Path]) -> Footprint:
    """Look at processes, which are named by title and number, and into folders by their names."""
    seen = Footprint()
    for process in processes:
        with process.oneshot():
            name = f"{_name(process)} {process.pid}"
            memory = process.memory_full_info().uss
            seen.processes[name] = Taken(memory, process.num_fds(), process.num_threads())
    for name, folder in folders.items():
        for file in folder.rglob("*"):
            if file.is_file() and not file.name.endswith(DATABASES):
                seen.files[name] += 1
                seen.bytes[name] += file.stat().st_size
    return seen


def _name(process: psutil.Process) -> str:
    title = title_of(process)
    program, *arguments = title.split()
    if title.startswith("ray::"):
        return title[:40]
    named = [each for each in arguments if not each.startswith("-")][:1]
    return f"{Path(program).name} {Path(named[0]).name if named else ''}".strip()[:40]


def grown(before: Footprint, after: Footprint, share: float, least: int) -> list[str]:
    """Return what has grown by more than a share and `least` bytes, or has more files or threads.

    A process that is not there any more, or is new, is told too: it hides what it took.
    """
    found = [f"{name} came or went" for name in before.processes.keys() ^ after.processes.keys()]
    for name in before.processes.keys() & after.processes.keys():
        old, new = before.processes[name], after.processes[name]
        if new.memory > old.memory * (1 + share) + least:
            found.append(f"{name}: {old.memory / MB:.1f} → {new.memory / MB:.1f} MB")
        if new.files > old.files + FEW or new.threads > old.threads + FEW:
            found.append(f"{name}: {old} → {new}")
    for name in before.files.keys() | after.files.keys():
        if after.files[name] > before.files[name] + FEW:
            found.append(f"{name}: {before.files[name]} → {after.files[name]} files")
        if after.bytes[name] > before.bytes[name] * (1 + share) + least:
            sizes = f"{before.bytes[name] / MB:.1f} → {after.bytes[name] / MB:.1f} MB"
            found.append(f"{name}: {sizes} in files")
    return found


FEW = 4
"""Files and threads, more or less: a pool grows to its bound with the first crowd."""
