"""How a bug is planted: text of files is replaced, in a copy of the packages.

Nothing else of the copy is changed: production code has no switch for it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("actors", "readmodel", "serve_app", "cluster")


@dataclass(frozen=True)
class Edit:
    """One place of a file, which must be there exactly once, and what comes there instead."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Planted:
    """A bug, the names of the invariants that it violates, and the edits that make it."""

    name: str
    found_as: frozenset[str]
    edits: tuple[Edit, ...]


def planted(name: str, found_as: set[str], *edits: tuple[str, str, str]) -> Planted:
    """Return a bug that is planted by replacing text in files."""
    return Planted(name, frozenset(found_as), tuple(Edit(*edit) for edit in edits))


def plant(bug: Planted, source: Path, folder: Path) -> None:
    """Put the packages into `folder`, with the bug in them: those without it are linked.

    Raises `ValueError` where the code is no longer what the bug was written for.
    """
    changed = {edit.file.partition("/")[0] for edit in bug.edits}
    for package in PACKAGES:
        if package in changed:
            # What is compiled of the files that stay as they are is good for the copy, too.
            shutil.copytree(source / package, folder / package)
        else:
            (folder / package).symlink_to(source / package)
    for edit in bug.edits:
        path = folder / edit.file
        text = path.read_text()
        if text.count(edit.before) != 1:
            raise ValueError(f"{bug.name}: {edit.file} has not exactly once: {edit.before}")
        path.write_text(text.replace(edit.before, edit.after))


APPENDS = "actors/order/journal_appends.py"
TABLES = "actors/order/journal_tables.py"
VIRTUAL_ORDER = "actors/order/virtual_order.py"
HOST = "actors/order/host.py"
STEPS = "actors/order/steps.py"
OUTCOME = "actors/order/command_outcome.py"
DECISIONS = "actors/order/domain/decisions.py"
ORDER = "actors/order/domain/order.py"
SAGA = "actors/order/domain/saga.py"
PAYMENT = "actors/payment/service.py"
TICKETS = "actors/store/tickets.py"
PROJECTION = "readmodel/projection.py"
LEDGER = "actors/payment/ledger.py"
CLIENT = "actors/client.py"
IDS = "actors/order/ids.py"
