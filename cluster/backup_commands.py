"""The commands of `siren` about backups: taking, checking and restoring them, and lost charges."""

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from actors.contracts.errors import SirenError
from cluster.terminal import Data, console, fail, progress_bar, run, settings_here

SHOWN = 20
MEBIBYTE = 1024 * 1024

app = typer.Typer()

Folder = Annotated[Path, typer.Argument(help="The backup's folder.")]


@app.command()
def backup(
    folder: Folder,
    verify: Annotated[  # noqa: FBT002
        bool, typer.Option("--verify", help="Take none; check the one that is there.")
    ] = False,
    data: Data = None,
) -> None:
    """Take a backup of all databases, of one moment; the system may be up, and take orders.

    A folder that has an earlier backup of the same system gets what is new and what changed since,
    and then holds the new backup alone; interrupted, it still holds the earlier one. To keep
    several, name several folders. What `siren forget` erased leaves a folder with its next backup.
    A BACKUP HOLDS NAMES, PHONE NUMBERS AND SECRETS: its folder is closed to other users.
    """
    if verify:
        _check(folder)
        return
    settings = settings_here(data)
    started = time.monotonic()
    with progress_bar() as progress:
        from cluster.backup.taking import backup as take  # noqa: PLC0415 - quick help

        bar = progress.add_task("rows", total=None)
        taken = run(
            take(
                settings,
                folder,
                lambda done, total: progress.update(bar, completed=done, total=total),
            )
        )
    seconds = time.monotonic() - started
    found = taken.manifest
    size = sum(chunk.size for chunk in found.chunks()) / MEBIBYTE
    console.print(
        f"backed up {found.rows:,} rows, up to journal position {found.position}, as of "
        f"{found.taken_at:%Y-%m-%d %H:%M:%SZ}, in {seconds:.1f} s; {size:,.1f} MiB, "
        f"{taken.written} of {taken.files} files new",
        soft_wrap=True,
    )


def _check(folder: Path) -> None:
    with progress_bar() as progress:
        from cluster.backup.restoring import check  # noqa: PLC0415 - as above

        bar = progress.add_task("checking", total=None)

        def show(_what: str, done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        try:
            found = check(folder, show)
        except SirenError as error:
            fail(error)
    console.print(
        f"the backup of {found.taken_at:%Y-%m-%d %H:%M:%SZ} is whole: {found.rows:,} rows, up to "
        f"journal position {found.position}",
        soft_wrap=True,
    )


@app.command()
def restore(folder: Folder, data: Data = None) -> None:
    """Restore a backup into a new data folder, or to the databases that SIREN_*_URL name.

    They have to be empty. A provider's books that are there already stay: put the old provider.db
    into the new folder first where you still have it.
    """
    settings = settings_here(data)
    started = time.monotonic()
    with progress_bar() as progress:
        from cluster.backup import restoring  # noqa: PLC0415 - as above

        bar = progress.add_task("restoring", total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(bar, description=what, completed=done, total=total)

        restored = run(restoring.restore(settings, folder, show))
    found = restored.manifest
    moment = f"{found.taken_at:%Y-%m-%d %H:%M:%SZ}"
    console.print(
        f"restored {found.rows:,} rows, up to journal position {found.position}, in "
        f"{time.monotonic() - started:.1f} s",
        soft_wrap=True,
    )
    console.print(
        f"what came after {moment} is not in it: orders, and whom `siren forget` was asked to "
        "forget; forget them again",
        soft_wrap=True,
    )
    if restored.provider_kept:
        console.print(
            "the provider's books were there, and stay. What it charged since is of orders that "
            "nobody knows any more: before you start, `siren refund-lost` gives it back; then "
            "`siren verify` names the orders that it refunded since (charge_missing): cancel them",
            soft_wrap=True,
        )


@app.command("refund-lost")
def refund_lost(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002
    data: Data = None,
) -> None:
    """Give back what the provider charged for orders that the journal does not know. Asks first.

    For after a restore, or where the journal lost its end: those orders will not be made, and
    whoever sends one again is charged again. Harmless to repeat, also while the system is up.
    """
    settings = settings_here(data)
    from cluster.backup.lost_charges import find_lost_charges, refund  # noqa: PLC0415 - as above

    lost = run(find_lost_charges(settings))
    if not lost:
        console.print("the journal knows the order of every charge")
        return
    for charge in lost[:SHOWN]:
        console.print(f"{charge.order_id}  {charge.amount:,} {charge.currency}", soft_wrap=True)
    if len(lost) > SHOWN:
        console.print(f"… and {len(lost) - SHOWN} more")
    sums: Counter[str] = Counter()
    for charge in lost:
        sums[charge.currency] += charge.amount
    money = " and ".join(f"{amount:,} {currency}" for currency, amount in sorted(sums.items()))
    if not (yes or sys.stdin.isatty()):
        fail(SirenError("not_confirmed", "nobody can be asked here: repeat it with --yes"))
    if not yes:
        typer.confirm(f"Refund {money}, of {len(lost)} charges, for ever?", abort=True)
    with progress_bar() as progress:
        bar = progress.add_task("refunding", total=len(lost))
        run(
            refund(
                settings,
                lost,
                lambda done, total: progress.update(bar, completed=done, total=total),
            )
        )
    console.print(f"refunded {money}, of {len(lost)} charges")
