"""What was measured, against what has to be reached; at the terminal and as JSON."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; None where it did not come within its time, and `note` says so.

    `must` is what it has to reach: at least with `more_is_better`, else at most; None for nothing.
    """

    name: str
    value: float | None
    unit: str
    must: float | None = None
    more_is_better: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it reaches what it must; None where it must nothing."""
        if self.must is None:
            return None
        if self.value is None:
            return False
        return self.value >= self.must if self.more_is_better else self.value <= self.must

    @property
    def text(self) -> str:
        """The value with its unit."""
        return "none" if self.value is None else f"{_short(self.value)} {self.unit}".strip()

    @property
    def wanted(self) -> str:
        """The must in words, "" for none."""
        if self.must is None:
            return ""
        return f"{'at least' if self.more_is_better else 'at most'} {_short(self.must)}"

    @property
    def verdict(self) -> str:
        """The verdict as coloured text, "" for none."""
        return {None: "", True: "[green]met[/green]", False: "[red]missed[/red]"}[self.met]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table_of(figures: Sequence[Figure]) -> Table:
    """Return all figures as a table."""
    table = Table("figure", "value", "must", "", "note", title="growth")
    for figure in figures:
        table.add_row(figure.name, figure.text, figure.wanted, figure.verdict, figure.note)
    return table


def save(figures: Sequence[Figure], given: dict[str, Any], path: Path) -> None:
    """Write all figures, and the options they were measured with, as JSON."""
    rows = [{**asdict(figure), "met": figure.met} for figure in figures]
    document = {"options": given, "cores": os.cpu_count(), "figures": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")
