"""`siren orders` and `siren explain`: which orders live where, which are stuck, and one's life."""

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table

from actors.contracts.errors import SirenError
from actors.contracts.values import OrderStatus
from actors.runtime.lock_file import DATA_DIR
from actors.settings import Settings
from cluster.on_nodes import Address, SettingsFile
from cluster.running.node_settings import cluster_settings
from cluster.terminal import Data, console, fail, problems, run, settings_here, wrong_settings

app = typer.Typer()
orders = typer.Typer(help="Show the orders that are live as actors, or those that are stuck.")
app.add_typer(orders, name="orders")

Store = Annotated[str | None, typer.Option(help="Only orders at this store.")]
Status = Annotated[OrderStatus | None, typer.Option(help="Only orders in this state.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many orders at most.")]
OrderId = Annotated[str, typer.Argument(help="The order's id.")]


@orders.callback(invoke_without_command=True)
def show_orders(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    store: Store = None,
    status: Status = None,
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Those without due progress for a minute, and why.")
    ] = False,
    limit: Limit = 50,
    as_json: Json = False,
    data: Data = None,
    address: Address = None,
    file: SettingsFile = None,
) -> None:
    """Show which orders are in the memory of which actor, and what they wait for.

    With --stuck: those that should have gone on a minute ago, and those that are set aside, each
    with its cause and the command that goes on with it; from the journal's database alone, so it
    works while everything is down. Exit code 1 where any is stuck, or an actor is silent.
    """
    if context.invoked_subcommand is not None:
        return
    if stuck:
        _show_stuck(_settings(data, file), store, status, limit, as_json=as_json)
        return
    from cluster.operations.live_orders import address_of, live_orders  # noqa: PLC0415 - seconds

    try:
        folder = _settings(data, file).data_dir.absolute()
        where = address_of(folder, address, given=_is_given(data))
        live = live_orders(where, store, status, limit)
    except SirenError as error:
        fail(error)
    if as_json:
        _print_json(live)
    else:
        console.print(_live_table(live.orders), soft_wrap=True)
        console.print(f"live orders: {live.count}, {len(live.orders)} shown; actors: {live.hosts}")
        if live.silent:
            problems.print(f"[red]siren:[/red] no answer from {', '.join(live.silent)}")
    raise typer.Exit(1 if live.silent else 0)


def _settings(data: Path | None, file: Path | None) -> Settings:
    try:
        return settings_here(data) if file is None else cluster_settings(file)
    except ValidationError as error:
        wrong_settings(error)
    except SirenError as error:
        fail(error)


def _live_table(found: Iterable[dict[str, Any]]) -> Table:
    from actors.runtime.clock import utc_now  # noqa: PLC0415 - as above
    from cluster.operations.explain import awaited, duration  # noqa: PLC0415 - as above

    now = utc_now()
    table = Table("order", "store", "state", "since", "waits for", "actor", "node", "process")
    for order in found:
        waits = [awaited(wait.what) + _failing(wait) for wait in order["waits"]]
        since = order["since"]
        table.add_row(
            order["order_id"],
            order["store_id"] or "-",
            order["order_status"] or "not loaded",
            "-" if since is None else duration((now - since).total_seconds()),
            "; ".join(waits) or "nothing",
            order["actor"],
            order["node"],
            str(order["pid"]),
        )
    return table


def _failing(wait: Any) -> str:
    return "" if wait.cause is None else f" (tried {wait.tries} times: {wait.cause})"


def _show_stuck(
    settings: Settings,
    store: str | None,
    status: OrderStatus | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    count, found = run(_stuck(settings))
    shown = [
        each
        for each in found
        if store in (None, each.store_id) and status in (None, each.order_status)
    ][:limit]
    if as_json:
        _print_json({"count": count, "orders": shown})
    elif shown:
        from actors.runtime.clock import utc_now  # noqa: PLC0415 - as above
        from cluster.operations.explain import awaited, duration  # noqa: PLC0415 - as above

        now = utc_now()
        for each in shown:
            kind = "set aside" if each.set_aside else "waits"
            tried = f", tried {each.tries} times" if each.tries else ""
            lasts = duration((now - each.since).total_seconds())
            lines = (
                f"{each.order_id}  {each.order_status or 'unreadable'}  {kind} for {lasts}{tried}",
                f"  waits for {awaited(each.what)}",
                f"  because   {each.cause} ({each.code})",
                f"  go on by  siren orders {each.verb} {each.order_id}",
            )
            console.print("\n".join(lines), markup=False, soft_wrap=True)
    if not as_json:
        console.print(f"stuck orders: {count}, {len(shown)} shown" if count else "none is stuck")
    raise typer.Exit(1 if count else 0)


async def _stuck(settings: Settings) -> tuple[int, list[Any]]:
    from actors.order.telling import stuck_orders  # noqa: PLC0415 - as above
    from cluster.operations.live_orders import journal_of  # noqa: PLC0415 - as above

    journal = journal_of(settings)
    try:
        return await stuck_orders(journal)
    finally:
        await journal.close()


@orders.command()
def retry(
    order_id: OrderId, data: Data = None, address: Address = None, file: SettingsFile = None
) -> None:
    """Try again now what an order fails at, or to show an order that the view has set aside.

    Prints what it waits for then. Exit code 1 where it still fails.
    """
    story = run(_with_system(data, file, address, partial(_retry, order_id=order_id)))
    _tell_end(story)


@orders.command()
def cancel(
    order_id: OrderId,
    reason: Annotated[
        str, typer.Option(help="Why, in the journal beside who; the customer sees it.")
    ] = "owner_request",
    data: Data = None,
    address: Address = None,
    file: SettingsFile = None,
) -> None:
    """Cancel an order as its owner: what was done for it is undone, as with any cancellation.

    Not where somebody prepares it (the board rejects it then), and not where its events cannot be
    read: nobody knows then what would have to be undone.
    """
    do = partial(_cancel, order_id=order_id, reason=reason)
    story = run(_with_system(data, file, address, do))
    _tell_end(story)


def _is_given(data: Path | None) -> bool:
    return bool(data is not None or os.environ.get(DATA_DIR))


async def _with_system(data: Path | None, file: Path | None, address: str | None, do: Any) -> Any:
    from cluster.client import connect  # noqa: PLC0415 - as above
    from cluster.operations.live_orders import address_of  # noqa: PLC0415 - as above

    folder = _settings(data, file).data_dir.absolute()
    where = await asyncio.to_thread(address_of, folder, address, given=_is_given(data))
    siren = await connect(where)
    try:
        return await do(siren)
    finally:
        await siren.close()


async def _retry(siren: Any, order_id: str) -> Any:
    from cluster.operations import live_orders  # noqa: PLC0415 - as above

    return await live_orders.retry(siren, order_id)


async def _cancel(siren: Any, order_id: str, reason: str) -> Any:
    from actors.order.telling import story_of  # noqa: PLC0415 - as above

    story = await story_of(siren.journal, order_id)
    if story.untold is not None:
        detail = (
            f"it cannot be cancelled, since its events cannot be read: {story.untold}. Mend them "
            "(`siren verify` names them), then `siren orders retry`; its payment is in the "
            "provider's books under its id"
        )
        raise SirenError("not_readable", detail)
    await siren.cancel(order_id, reason, by="owner")
    return await story_of(siren.journal, order_id)


def _tell_end(story: Any) -> None:
    from actors.runtime.clock import utc_now  # noqa: PLC0415 - as above
    from cluster.operations.explain import waiting  # noqa: PLC0415 - as above

    console.print(f"order {story.order_id}: {story.order_status or 'unreadable'}")
    for wait in story.waits:
        console.print(waiting(wait, utc_now()), markup=False, soft_wrap=True)
    if story.untold is not None:
        problems.print(f"[red]siren:[/red] {story.untold}")
    failing = story.untold is not None or any(wait.set_aside for wait in story.waits)
    raise typer.Exit(1 if failing else 0)


@app.command()
def explain(
    order_id: OrderId,
    at: Annotated[int | None, typer.Option(min=1, help="As it was at this version.")] = None,
    as_json: Json = False,  # noqa: FBT002
    data: Data = None,
    file: SettingsFile = None,
) -> None:
    """Tell an order's life: what, when, by whom, how long it took, and what it waits for now.

    From the journal's database alone, so it works while everything is down.
    """
    story = run(_explain(_settings(data, file), order_id, at))
    if as_json:
        _print_json(story)
        return
    from actors.runtime.clock import utc_now  # noqa: PLC0415 - as above
    from cluster.operations.explain import sentences  # noqa: PLC0415 - as above

    now = utc_now() if at is None else story.happened[-1].at
    for line in sentences(story, now):
        console.print(line, markup=False, soft_wrap=True)


async def _explain(settings: Settings, order_id: str, at: int | None) -> Any:
    from actors.order.telling import story_of  # noqa: PLC0415 - as above
    from cluster.operations.live_orders import journal_of  # noqa: PLC0415 - as above

    journal = journal_of(settings)
    try:
        return await story_of(journal, order_id, at)
    finally:
        await journal.close()


def _print_json(value: object) -> None:
    from actors.runtime.message_codec import to_json  # noqa: PLC0415 - as above

    typer.echo(to_json(value).decode())
