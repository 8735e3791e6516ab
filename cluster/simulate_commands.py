"""`siren simulate`: the whole saga in one process, with every fault that a seed can think of."""

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cluster.terminal import console

if TYPE_CHECKING:
    from cluster.simulation.explore import Explored
    from cluster.simulation.runner import Total

DEFAULT_SCHEDULES = 10_000
TOLD_EVERY_S = 5.0
REPLAYED = 3
"""So many violations are shrunk and told; the others are named."""
LARGEST_SEED = 1 << 53

app = typer.Typer()


@app.command()
def simulate(
    schedules: Annotated[
        int | None,
        typer.Option(min=1, help=f"How many schedules. (default: {DEFAULT_SCHEDULES:,})"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the first one; the next has the next.")
    ] = 0,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Go on for so long, instead of so many.")
    ] = None,
    exhaustive: Annotated[
        int | None,
        typer.Option(
            metavar="FAULTS",
            min=0,
            max=3,
            help="Instead: each way in which up to so many faults can meet some small cases.",
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=256, help="At a time. (default: one a core)")
    ] = None,
    first: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--first", help="End at the first violation, and name it only; in one process."
        ),
    ] = False,
) -> None:
    """Simulate orders in which everything goes wrong that can, and check that nothing is lost.

    Domain, order host, journal, payment, store and projection are the real ones; clock, network,
    disks and payment provider are simulated, in one process, and all chance is the seed's. A
    schedule that violates an invariant is shrunk and told; `--seed` with `--schedules 1` repeats
    it. Exit code 1 where there is one.
    """
    if schedules is not None and seconds is not None:
        raise typer.BadParameter("either so many or for so long", param_hint="--seconds")
    if first and (processes or 1) > 1:
        raise typer.BadParameter("seeds go one by one in one process", param_hint="--first")
    if exhaustive is not None:
        if schedules is not None or seconds is not None or first:
            raise typer.BadParameter("explores all there are", param_hint="--exhaustive")
        _explore(exhaustive, processes)
        return
    if schedules == 1 and not first:
        _replay(seed)
        return
    from cluster.simulation.runner import run_many, run_until_violated  # noqa: PLC0415 - quick help

    wanted = schedules if seconds is not None else schedules or DEFAULT_SCHEDULES
    if first:
        total = run_until_violated(seed, wanted, seconds, _Progress())
    else:
        total = run_many(seed, wanted, seconds, _Progress(), processes)
    _sum_up(total, seed)
    if total.part.found:
        _tell_violations(total, shrunk=0 if first else REPLAYED)
        raise typer.Exit(1)


class _Progress:
    """Prints a line now and then."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, total: "Total") -> None:
        now = time.monotonic()
        if now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            console.print(f"· {_figures(total)}")


def _figures(total: "Total") -> str:
    part = total.part
    rate = part.schedules / max(total.took_s, 1e-9)
    return (
        f"{part.schedules:,} schedules, {rate:,.0f}/s, {total.states.count:,} distinct states, "
        f"{len(part.found):,} violations"
    )


def _sum_up(total: "Total", seed: int) -> None:
    part = total.part
    console.print(_figures(total))
    console.print(
        f"seeds {seed} to {seed + part.schedules - 1}, {total.took_s:.1f} s for "
        f"{part.simulated_s / 3600:,.1f} simulated hours"
    )
    faults = ", ".join(f"{name.lower()} {count:,}" for name, count in part.faults.most_common())
    console.print(f"faults, in {part.disturbed:,} schedules: {faults or 'none'}")


def _tell_violations(total: "Total", shrunk: int) -> None:
    names: dict[str, list[int]] = {}
    for seed, violated in total.part.found:
        for name in violated:
            names.setdefault(name, []).append(seed)
    for name, seeds in names.items():
        some = ", ".join(map(str, seeds[:10]))
        console.print(f"[red]{escape(name)}[/red]: {len(seeds):,} schedules, seeds {some}")
    for name, seeds in list(names.items())[:shrunk]:
        _tell_shrunk(seeds[0], name)
    first = total.part.found[0][0]
    console.print(f"\nagain, as it was: siren simulate --seed {first} --schedules 1")


def _tell_shrunk(seed: int, name: str) -> None:
    from cluster.simulation.replay import shrink, told  # noqa: PLC0415 - quick help
    from cluster.simulation.world import World  # noqa: PLC0415 - quick help

    with World().open() as world:
        least = shrink(world, seed, name)
    if least is not None:
        console.print()
        for line in told(least.outcome, least.script):
            console.print(escape(line))


def _replay(seed: int) -> None:
    from cluster.simulation.replay import replay, shrink, told  # noqa: PLC0415 - quick help
    from cluster.simulation.world import World  # noqa: PLC0415 - quick help

    with World().open() as world:
        outcome = replay(world, seed)
        for line in told(outcome):
            console.print(escape(line))
        if not outcome.violations:
            console.print("[green]all invariants hold[/green]")
            return
        shrunk = shrink(world, seed)
        if shrunk is not None:
            console.print(f"\nwhat it takes, after {shrunk.tries} tries to leave something out:")
            for line in told(shrunk.outcome, shrunk.script):
                console.print(escape(line))
    raise typer.Exit(1)


def _explore(faults: int, processes: int | None) -> None:
    from cluster.simulation.explore import CASES  # noqa: PLC0415 - quick help
    from cluster.simulation.replay import told  # noqa: PLC0415 - quick help
    from cluster.simulation.runner import explore_many  # noqa: PLC0415 - quick help
    from cluster.simulation.world import World  # noqa: PLC0415 - quick help

    done = explore_many(faults, _tell_case, processes)
    schedules = sum(each.schedules for each in done.values())
    found = [(case, *each) for case, explored in done.items() for each in explored.found]
    console.print(
        f"{schedules:,} schedules, each with up to {faults} faults: {len(found):,} violations; "
        f"{sum(each.alike for each in done.values()):,} go on like another one, with no fault more"
    )
    if not found:
        return
    case, script, _ = found[0]
    with World().open() as world:
        outcome = world.run(CASES[case], script, traced=True)
    for line in told(outcome, script):
        console.print(escape(line))
    raise typer.Exit(1)


def _tell_case(case: str, explored: "Explored") -> None:
    console.print(
        f"· {case}: {explored.schedules:,} schedules, {len(explored.states):,} distinct states, "
        f"{len(explored.found):,} violations"
    )
