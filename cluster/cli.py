"""The `siren` command. Imports Ray only where a command needs it, so that help is quick."""

import secrets
import sys
import time
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape

from actors.contracts.errors import SirenError
from cluster import (
    backup_commands,
    chaos_commands,
    config_commands,
    headings_commands,
    on_nodes,
    orders_commands,
    simulate_commands,
)
from cluster.on_nodes import Address, SettingsFile
from cluster.running import environment
from cluster.running.down import stop
from cluster.running.token_secret import read_secret
from cluster.running.up import Up, leave
from cluster.terminal import (
    Data,
    Host,
    Port,
    console,
    fail,
    problems,
    progress_bar,
    run,
    settings_here,
    settings_of,
    wrong_settings,
)
from serve_app.contract.identity import Identity, Role

environment.prepare_anywhere()

MAX_HOURS = 366 * 24

app = typer.Typer(
    name="siren",
    help="Siren Order: order coffee ahead, pay, pick it up. Settings: environment, SIREN_*.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(on_nodes.app)
app.add_typer(config_commands.app, name="config")
app.add_typer(headings_commands.app)
app.add_typer(chaos_commands.app)
app.add_typer(backup_commands.app)
app.add_typer(orders_commands.app)
app.add_typer(simulate_commands.app)


@app.command()
def up(
    data: Data = None,
    port: Port = None,
    host: Host = None,
    dashboard: Annotated[  # noqa: FBT002
        bool, typer.Option("--dashboard", help="Ray's dashboard, too: four processes more.")
    ] = False,
    despite_damage: Annotated[  # noqa: FBT002
        bool, typer.Option("--despite-damage", help="Serve what damaged files still have.")
    ] = False,
) -> None:
    """Start the whole system on this machine, in the foreground; Ctrl-C stops it."""
    environment.prepare()
    settings = settings_of(data_dir=data, port=port, host=host)
    from cluster.greeting import teller  # noqa: PLC0415 - quick help, as below

    told = teller(settings)
    system = Up(settings, told.say, told.greet, dashboard=dashboard, despite_damage=despite_damage)
    try:
        code = system.run()
    except SirenError as error:
        told.fail(error)
        code = 1
    else:
        told.end()
    if system.hangs:
        leave(code)
    raise typer.Exit(code)


@app.command()
def down(data: Data = None) -> None:
    """Stop the system that runs on a data folder, and wait until it has stopped.

    One that does not stop in time is killed, with all its processes; no order is lost by that.
    """
    folder = settings_of(data_dir=data).data_dir.absolute()
    try:
        pid = stop(folder, lambda step: console.print(f"· {step}"))
    except SirenError as error:
        fail(error)
    console.print(f"nothing runs on {folder}" if pid is None else f"stopped process {pid}")


@app.command()
def status(data: Data = None, address: Address = None, file: SettingsFile = None) -> None:
    """Show nodes or processes, actors and where they live, outstanding work, the view's lag.

    It is of the cluster of --address, of RAY_ADDRESS, or that this machine is a node of, where
    nothing runs on the data folder. Answers within ten seconds whatever is broken. Exit code 1
    where nothing runs, or where not all could be asked.
    """
    from cluster.operations.status_anywhere import report  # noqa: PLC0415 - takes a second

    try:
        answer = report(settings_of(data_dir=data), address, file, given=data is not None)
    except ValidationError as error:
        wrong_settings(error)
    except SirenError as error:
        fail(error)
    console.print(answer.shown)
    if answer.problem is not None:
        problems.print(f"[red]siren:[/red] {escape(answer.problem)}")
    code = 0 if answer.problem is None else 1
    if answer.hangs:
        leave(code)
    raise typer.Exit(code)


@app.command()
def verify(data: Data = None) -> None:
    """Audit journal, payments, charges, tickets and view against each other; only reads.

    Prints each violation on a line: order id, code, what is wrong. Exit code 1 if there is any.
    Works while the system is up, too: what moves is looked at again before it is reported.
    """
    settings = settings_here(data)
    with progress_bar() as progress:
        from cluster.audit import verify as audit  # noqa: PLC0415 - its imports take a second

        bar = progress.add_task("auditing events", total=None)
        work = audit.verify(
            settings,
            lambda violation: console.print(str(violation), markup=False, soft_wrap=True),
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
        totals = run(work)
    console.print(
        f"audited {totals.orders} orders, {totals.events} events, {totals.payments} payments, "
        f"{totals.charges} charges, {totals.tickets} tickets, {totals.rows} rows of the view",
        soft_wrap=True,
    )
    if totals.lag:
        console.print(f"note: the view is {totals.lag} events behind the journal")
    if totals.waiting:
        console.print(
            f"note: {totals.waiting} orders wait for the payment provider for a minute and longer",
            soft_wrap=True,
        )
    if totals.unsealed:
        console.print(
            f"note: {totals.unsealed} events were written before events were sealed", soft_wrap=True
        )
    if totals.stopped:
        console.print(
            f"note: nothing runs on this folder, and {totals.stopped} open orders are overdue: "
            "`siren up` carries them on",
            soft_wrap=True,
        )
    if totals.violations:
        console.print(f"[red]violations: {totals.violations}[/red]")
        raise typer.Exit(1)
    console.print("[green]no violation[/green]")


@app.command()
def rebuild_view(data: Data = None) -> None:
    """Fold the whole journal into the order details anew, and swap them in at the end.

    The details stay readable meanwhile. Works while the system is up, and while it is down.
    """
    settings = settings_here(data)
    started = time.monotonic()
    with progress_bar() as progress:
        from cluster.operations.rebuild_view import rebuild_view as rebuild  # noqa: PLC0415 - as above

        bar = progress.add_task("folding events", total=None)
        reached = run(
            rebuild(settings, lambda done, total: progress.update(bar, completed=done, total=total))
        )
    seconds = time.monotonic() - started
    console.print(f"rebuilt the view up to journal position {reached} in {seconds:.1f} s")


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="What the holder is.")],
    store: Annotated[str | None, typer.Option(help="The store of staff.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Who the holder is. (default: the role, of staff the store)")
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0.01, max=MAX_HOURS, help="How long the token lasts.")
    ] = 12,
    data: Data = None,
) -> None:
    """Print a token, which whoever holds it signs in with; nothing can take it back early.

    It is signed with SIREN_JWT_SECRET, else with the secret that the first `siren up` made in the
    data folder. Another secret, and a restart, end all tokens at once.
    """
    from serve_app.security.tokens import MAX_SUBJECT, is_name, issue  # noqa: PLC0415 - as above

    if (role is Role.STAFF) != (store is not None):
        raise typer.BadParameter("staff needs one, nobody else has one", param_hint="--store")
    if role is Role.CUSTOMER and subject is None:
        raise typer.BadParameter("needed: it is the customer's id", param_hint="--subject")
    # Each device of a store has a rate limit of its own.
    default = f"{role}-{store}-{secrets.token_hex(4)}" if store else str(role)
    name = default if subject is None else subject
    if not is_name(name):
        detail = f"must have 1 to {MAX_SUBJECT} printable characters"
        raise typer.BadParameter(detail, param_hint="--subject")
    settings = settings_here(data)
    try:
        secret = read_secret(settings)
    except SirenError as error:
        fail(error)
    if store is not None:
        from cluster.operations.known_stores import check_store  # noqa: PLC0415 - as above

        run(check_store(settings, store))
    typer.echo(issue(secret, Identity(name, role, store), timedelta(hours=hours))[0])


@app.command()
def forget(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002
    data: Data = None,
) -> None:
    """Forget a person: in every order, view, ticket and database file. Asks before it acts.

    Name, phone number and the words of cancellations are erased. The system must be up; orders
    wait while its databases are written anew. What stays: the orders themselves, their money, the
    customer's id, and what already left this system. BACKUPS ARE NOT TOUCHED: delete them,
    or take the next one into the same folder; forget again after restoring an older one. On
    PostgreSQL, the server's own write-ahead log and archives keep what they have for a while.
    """
    settings = settings_here(data)
    if not (yes or sys.stdin.isatty()):
        detail = "nobody can be asked here whether to forget: repeat it with --yes"
        fail(SirenError("not_confirmed", detail))
    from cluster.operations.forget import find_customer, forget_customer  # noqa: PLC0415 - as above

    found = run(find_customer(settings, customer))
    orders = f"{len(found.order_ids)} order{'' if len(found.order_ids) == 1 else 's'}"
    if found.forgotten:
        console.print(f"the customer of {orders} was forgotten before", soft_wrap=True)
    if not yes:
        question = f"Forget the customer of {orders} for ever, and write the databases anew?"
        typer.confirm(question, abort=True)
    with progress_bar() as progress:
        bar = progress.add_task("erasing orders", total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(bar, description=what, completed=done, total=total)

        forgotten = run(forget_customer(settings, customer, show))
    console.print(
        f"forgot the customer of {orders}; scrubbed "
        f"{', '.join(forgotten.databases)}; backups, where there are any, still know them",
        soft_wrap=True,
    )
    if forgotten.paying:
        console.print(
            f"a payment is still under way for {', '.join(forgotten.paying)}: the card token "
            "stays until it is over; repeat this command then, and nothing of it is left",
            soft_wrap=True,
        )
    if forgotten.behind:
        detail = (
            f"view or store has not followed yet and may have the name of "
            f"{', '.join(forgotten.behind)}; see `siren status`, then repeat this command"
        )
        fail(SirenError("not_followed", detail))


if __name__ == "__main__":
    app()
