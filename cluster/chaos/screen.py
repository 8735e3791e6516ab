"""How a run is shown: a table that changes on a terminal, lines elsewhere, a summary at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cluster.chaos.clients import PATIENCE_S
from cluster.chaos.linearizability import Verdict
from cluster.chaos.report import Happened, Report, by_group
from cluster.chaos.storm import Storm

EVERY_S = 10.0
"""How often there is a line where nobody watches."""
SORT_WIDTH = 15
SHOWN = 20
"""Violations that the summary has; the report has more."""


class Screen:
    """Shows one run on a console. It is told what happens, and looks at the rest by itself."""

    def __init__(self, console: Console, report: Report) -> None:
        self._console = console
        self._report = report
        self._storm: Storm | None = None
        self._stage = "beginning"
        self._last: Happened | None = None
        self._last_at = self._said_at = time.monotonic()

    def last_fault(self) -> str:
        """Return what broke last."""
        return f"{self._last.group} {self._last.words}" if self._last else "nothing"

    def happened(self, fault: Happened) -> None:
        """Note a fault."""
        self._last, self._last_at = fault, time.monotonic()
        if not self._console.is_terminal:
            for_s = f", {fault.lasts_s:.1f} s" if fault.lasts_s else ""
            words = f"{fault.at_s:6.1f} s  {fault.group} {fault.words}: {fault.to}{for_s}"
            self._console.print(words, soft_wrap=True, markup=False)

    def stage(self, words: str) -> None:
        """Note what is done now."""
        self._stage = words
        if not self._console.is_terminal:
            self._console.print(words)

    @contextmanager
    def showing(self, storm: Storm) -> Iterator[None]:
        """Show a run while the block lasts."""
        self._storm = storm
        if not self._console.is_terminal:
            yield
            return
        with Live(
            console=self._console, get_renderable=self.shown, refresh_per_second=4, transient=True
        ):
            yield

    def tick(self) -> None:
        """Say how it goes now and then, where nobody sees a table."""
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said_at >= EVERY_S:
            self._said_at = now
            self._console.print(self._progress(), soft_wrap=True)

    def shown(self) -> Group:
        """Return the table as of now."""
        at = f" · {_clock(self._storm.broken_s)} of " if self._storm else " · "
        head = Text(f"{self._report.system} · seed {self._report.seed}", style="bold")
        head.append(f"{at}{_clock(self._report.seconds)} · {self._stage}", style="not bold")
        return Group(head, self._faults(), self._requests(), self._progress())

    def _progress(self) -> Text:
        customers = self._storm.customers if self._storm else None
        checked = self._report.acknowledged
        now = len(customers.orders) if customers and not self._report.statuses else 0
        out = sum(len(waits.waiting) for waits in self._report.waits.values())
        oldest = max((w.oldest_s() for w in self._report.waits.values()), default=0.0)
        return Text(
            f"{checked + now:,} orders acknowledged · {out} unanswered, the oldest for "
            f"{oldest:.1f} s · {len(self._report.faults)} faults"
        )

    def _faults(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        groups = [fault.group for fault in self._report.faults]
        widest, times, gap = max(map(len, groups), default=0), "times", 2
        table.add_column("fault", no_wrap=True)
        table.add_column(times, justify="right", no_wrap=True)
        left = self._console.width - widest - len(times) - 3 * gap
        table.add_column("the last one", no_wrap=True, max_width=left)
        for group, faults in by_group(self._report.faults).items():
            last = faults[-1]
            current = last is self._last and time.monotonic() - self._last_at < last.lasts_s
            words = f"{last.words} ({last.to}), at {_clock(last.at_s)}"
            style = "bold red" if current else ""
            table.add_row(group, str(len(faults)), Text(words, style=style, overflow="ellipsis"))
        return table

    def _requests(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("asked for", no_wrap=True, min_width=SORT_WIDTH)
        for name in ("answered", "open", "again", "> once", "longest"):
            table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
        table.add_column("after", no_wrap=True, overflow="ellipsis")
        for sort, waits in sorted(self._report.waits.items()):
            table.add_row(
                sort,
                f"{waits.answered:,}",
                str(len(waits.waiting)),
                str(waits.repeated),
                str(waits.repeated_more),
                f"{waits.longest_s:.1f} s",
                Text(waits.longest_after, overflow="ellipsis"),
            )
        return table

    def summarize(self) -> None:
        """Print how the run ended."""
        report, console = self._report, self._console
        console.print(self._faults())
        console.print(self._requests())
        for line in self._summary():
            console.print(line, soft_wrap=True)
        for violation in report.violations[:SHOWN]:
            words = f"{violation.order_id or 'the run'}  {violation.code}: {violation.words}"
            console.print(words, markup=False, soft_wrap=True)
            for line in violation.trace:
                console.print(f"    {line}", markup=False, soft_wrap=True, style="dim")
        if report.violations:
            console.print(f"[red]violations: {len(report.violations)}[/red]")
        else:
            console.print("[green]no violation[/green]")

    def _summary(self) -> Iterator[str]:
        report = self._report
        yield (
            f"{len(report.faults)} faults of {report.kinds} kinds in {report.seconds:.0f} s, seed "
            f"{report.seed}; a try was given up after {PATIENCE_S:.0f} s"
        )
        for name, why in report.left_out.items():
            yield f"left out: {escape(name)}: {escape(why)}"
        ends = ", ".join(f"{count:,} {status}" for status, count in report.statuses.most_common())
        yield f"{report.acknowledged:,} orders acknowledged: {ends or 'none'}"
        if report.refused:
            reasons = ", ".join(f"{count:,} {code}" for code, count in report.refused.items())
            yield f"not taken by their stores: {reasons}"
        judged = ", ".join(f"{report.verdicts[v]:,} {v}" for v in Verdict if report.verdicts[v])
        yield f"histories with {report.calls:,} calls: {judged or 'none'}"
        if report.settled_s:
            yield f"all at rest {max(report.settled_s):.1f} s after the last fault"
        yield f"audited {report.audited:,} orders"
        if report.interrupted:
            yield "interrupted: what had begun was undone and checked"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
