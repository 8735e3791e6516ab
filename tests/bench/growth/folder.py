"""Fills a data folder with a history, directly: no service takes part, so it takes minutes."""

import asyncio
import json
import multiprocessing
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.progress import Progress
from sqlalchemy import Table

from actors.order.journal_tables import events, open_orders, order_keys, order_private
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from actors.payment.provider_tables import charges
from actors.payment.tables import payments
from actors.settings import Service, Settings
from actors.store.tables import tickets
from cluster.running.bootstrap import prepare_databases
from readmodel.tables import LIVE, order_detail
from tests.bench.growth import history
from tests.bench.growth.history import Block, History, Live, Plan, Row

BYTES_PER_ORDER = 6500  # measured: 3,650; the rest is for rebuilds, logs and what a run adds
CACHE_KIB = 512 * 1024
MARK = "history.json"

Rows = Callable[[Block], Any]
Report = Callable[[int], None]
"""Gets the number of orders made since the last call."""

TABLES: dict[Service, list[tuple[Table, Rows]]] = {
    "journal": [
        (events, history.event_rows),
        (order_keys, history.key_rows),
        (order_private, history.private_rows),
        (open_orders, history.open_rows),
    ],
    "payments": [(payments, history.payment_rows)],
    "provider": [(charges, history.charge_rows)],
    "stores": [(tickets, history.ticket_rows)],
    "readmodel": [(order_detail, history.detail_rows)],
}
# Two processes, each about as long as the other.
SHARES: tuple[tuple[Service, ...], ...] = (
    ("journal",),
    ("payments", "provider", "stores", "readmodel"),
)


def fill(folder: Path, orders: int, live: int = 0, kind: Live = "waiting") -> float:
    """Fill a new folder with finished and live orders; return the seconds it took.

    The live orders wait to be paid for six hours, or have their charge outstanding.
    """
    began = time.monotonic()
    refuse_without_room(folder.parent, orders + live)
    plan = Plan(orders, live, kind, int(time.time()))
    asyncio.run(_prepare(Settings(data_dir=folder)))
    with Progress(transient=True) as progress, multiprocessing.get_context("spawn").Pool(1) as pool:
        task = progress.add_task("making history", total=orders + live)
        other = pool.apply_async(write, (folder, plan, SHARES[1]))
        write(folder, plan, SHARES[0], lambda count: progress.advance(task, count))
        other.get()
    (folder / MARK).write_text(json.dumps({"orders": orders, "live": live}))
    return time.monotonic() - began


def is_filled(folder: Path, orders: int) -> bool:
    """Return whether the folder has a whole history of so many orders.

    Ends the program where it has anything else: what is not ours is not written over.
    """
    if not folder.exists():
        return False
    try:
        made = json.loads((folder / MARK).read_text())["orders"]
    except (OSError, ValueError, KeyError):
        raise SystemExit(
            f"{folder} exists and has no whole history; name another folder."
        ) from None
    if made != orders:
        raise SystemExit(f"{folder} has a history of {made} orders, not of {orders}.")
    return True


def refuse_without_room(folder: Path, orders: int) -> None:
    """End the program, in one sentence, where the disk has no room for so many orders."""
    wanted, free = orders * BYTES_PER_ORDER, shutil.disk_usage(folder).free
    if wanted > free:
        raise SystemExit(
            f"{orders:,} orders need about {wanted / 1e9:.1f} GB, "
            f"and {folder} has {free / 1e9:.1f} GB free: give --orders a smaller number."
        )


async def _prepare(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    await prepare_databases(settings)
    for owner in (
        PaymentLedger(settings.url("payments")),
        SimulatedProvider(settings.url("provider")),
    ):
        await owner.database.create_tables()
        await owner.close()


def write(
    folder: Path, plan: Plan, services: tuple[Service, ...], report: Report | None = None
) -> None:
    """Write what some services have of the plan."""
    made = History(plan)
    databases = {service: _open(folder / f"{service}.db") for service in services}
    for block in made.blocks():
        for service, database in databases.items():
            for table, rows in TABLES[service]:
                _insert(database, table, rows(block))
        made.count_seals(block)
        if report is not None:
            report(len(block.orders))
    for service, database in databases.items():
        _keep_counts(service, database, made)
        _close(database, folder / f"{service}.db")


def _open(path: Path) -> sqlite3.Connection:
    """Open a database for filling: whoever interrupts it has to begin again."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=OFF")
    database.execute("PRAGMA synchronous=OFF")
    database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    database.execute("BEGIN")
    return database


def _insert(database: sqlite3.Connection, table: Table, rows: Any) -> None:
    names = [c.name for c in table.c if not (table is tickets and c.name == "seq")]
    marks = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
    database.executemany(statement, rows)


def _keep_counts(service: Service, database: sqlite3.Connection, made: History) -> None:
    """Let the projector and the stores' numbers go on where the history ends."""
    if service == "journal":
        sums = {"id": 1, **made.sums, "unsealed_until": 0}
        marks = ", ".join(f":{name}" for name in sums)
        database.execute(f"INSERT INTO seal_sums ({', '.join(sums)}) VALUES ({marks})", sums)
    if service == "readmodel":
        database.execute("UPDATE checkpoint SET position = ? WHERE name = ?", (made.position, LIVE))
    if service == "stores":
        rows: list[Row] = [(*last, store_id) for store_id, last in made.numbers.items()]
        update = "UPDATE stores SET number_day = ?, last_number = ? WHERE store_id = ?"
        database.executemany(update, rows)


def _close(database: sqlite3.Connection, path: Path) -> None:
    with closing(database):
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode=WAL")
    # On disk now, not while something is measured.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
