"""Backups of small systems: taken, restored, and looked at."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from actors.order.new_order import NewOrder
from actors.settings import Service, Settings
from cluster.audit import verify as audit
from cluster.backup import taking
from cluster.backup.restoring import Restored, restore
from cluster.backup.taking import Taken
from serve_app.backend import Backend
from tests.support.in_process import in_process

NAME, TEL = "Nara Forgettable", "010-9999-1234"


def quiet(*_: object) -> None:
    """Say nothing of progress."""


async def backup(settings: Settings, folder: Path) -> Taken:
    """Take a backup of a system."""
    return await taking.backup(settings, folder, quiet)


async def restored(folder: Path, settings: Settings) -> Restored:
    """Restore a folder's backup."""
    return await restore(settings, folder, quiet)


async def audited(settings: Settings) -> set[str]:
    """Return the codes of what `siren verify` finds wrong."""
    codes: set[str] = set()
    await audit.verify(settings, lambda found: codes.add(found.code), quiet)
    return codes


def order_of(customer: str = "c-1", token: str = "tok_approve") -> NewOrder:
    """Return somebody's order of a latte."""
    return NewOrder(customer, NAME, TEL, "gangnam", (("latte", 1),), token)


async def placed(
    siren: Backend, customer: str = "c-1", token: str = "tok_approve", key: str | None = None
) -> str:
    """Place an order, wait until the view has it, and return its id."""
    reply = await siren.place(order_of(customer, token), key)
    order_id = str(msgspec.json.decode(reply.detail)["order_id"])
    await siren.watcher.wait_beyond(order_id, 0, 10)
    return order_id


async def with_one_order(settings: Settings) -> None:
    """Let a system have run, in which one order was placed."""
    async with in_process(settings) as siren:
        await placed(siren)


def rows(settings: Settings, service: Service, table: str) -> list[Any]:
    """Return all rows of a table, in one order."""
    with closing(sqlite3.connect(settings.data_dir / f"{service}.db")) as database:
        return database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def names_in(folder: Path, pattern: str = "*") -> set[str]:
    """Return the names of a folder's files."""
    return {path.name for path in folder.glob(pattern)}
