"""How headings are shown: a table that grows row by row, and JSON."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.headings.record import Heading, Outcome, Verdict

COLUMNS = (("heading", 4), ("what was done", 7), ("figure", 7), ("best of its lineage", 5))
SHOWN_PROBLEMS = 3
VERDICT = "verdict"
STYLES = {
    Verdict.AIM: "green",
    Verdict.MET: "green",
    Verdict.MISSED: "red",
    Verdict.FAILED: "bold red",
}


class GrowingTable:
    """Prints its head, then each row as it comes; columns fit the console's width."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: str | None = None

    def head(self) -> None:
        """Print the names of the columns."""
        self._print(*(Text(name, style="bold") for name, _ in COLUMNS), Text(VERDICT, style="bold"))

    def add(self, heading: Heading, outcome: Outcome) -> None:
        """Print a row; the heading's name and its lineage stand in its first one alone."""
        first = heading.name != self._last
        self._last = heading.name
        self._print(
            Text(heading.name if first else ""),
            Text(outcome.done),
            Text(outcome.figure),
            Text((heading.best_known or "-") if first else ""),
            Text(outcome.verdict, style=STYLES[outcome.verdict]),
        )

    def _print(self, *cells: Text) -> None:
        row = Table(box=None, show_header=False, width=self._console.width, padding=(0, 1, 0, 0))
        for _, ratio in COLUMNS:
            row.add_column(ratio=ratio, overflow="fold")
        row.add_column(width=len(Verdict.AIM))
        row.add_row(*cells)
        self._console.print(row)


def as_json(rows: list[tuple[Heading, Outcome]]) -> list[dict[str, Any]]:
    """Return rows as JSON: heading, done, figure, numbers, problems, best_known, verdict."""
    return [
        {
            "heading": heading.name,
            "done": outcome.done,
            "figure": outcome.figure,
            "numbers": outcome.numbers,
            "problems": list(outcome.problems[:SHOWN_PROBLEMS]),
            "best_known": heading.best_known or None,
            "verdict": outcome.verdict,
        }
        for heading, outcome in rows
    ]
