"""Medians over the rounds, the ratios that must hold, and how both are shown and written."""

import json
import statistics
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.bench.measure import Figures

Key = tuple[str, str, int]
"""Server, workload, connections."""
NOT_MEASURED = "not measured"
ROW_FIELDS = ("rate", "slowest", "fastest", "p50", "p99", "cpu_ms", "memory_mb", "generator")


@dataclass(frozen=True)
class Ratio:
    """One median over another, and what it must be: at least `must`, or at most."""

    name: str
    over: Key
    under: Key
    must: float
    figure: str = "rate"
    at_most: bool = False

    def value(self, medians: dict[Key, Figures]) -> float | None:
        """Return the ratio; None where a side was not measured."""
        if self.over not in medians or self.under not in medians:
            return None
        over, under = (getattr(medians[key], self.figure) for key in (self.over, self.under))
        return float(over / under) if under else None

    def met(self, value: float) -> bool:
        """Tell whether it is what it must be."""
        return value <= self.must if self.at_most else value >= self.must

    def bound(self) -> str:
        """Return what it must be, in words."""
        return f"{'≤' if self.at_most else '≥'} {self.must:g}"


RATIOS = (
    Ratio("W1 at 64, of the no-op route", ("siren", "W1", 64), ("noop", "no-op", 64), 0.4),
    Ratio("W1 at 64, against plain", ("siren", "W1", 64), ("plain", "W1", 64), 6),
    Ratio(
        "W1 p50 at 1, against plain's",
        ("siren", "W1", 1),
        ("plain", "W1", 1),
        2,
        figure="p50",
        at_most=True,
    ),
    Ratio("W2 at 64, of the no-op route", ("siren", "W2", 64), ("noop", "no-op", 64), 0.7),
    Ratio("W1 at 256, of W1 at 64", ("siren", "W1", 256), ("siren", "W1", 64), 1),
)


@dataclass
class Comparison:
    """What all rounds gave. `skipped` says by server why it, or the rest of it, is missing."""

    planned: list[Key]
    figures: dict[Key, list[Figures]] = field(default_factory=dict)
    disk: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, key: Key, figures: Figures) -> None:
        """Keep what one round gave."""
        self.figures.setdefault(key, []).append(figures)
        self.wrong += [f"{key[0]}, {key[1]} at {key[2]}: {error}" for error in figures.wrong]

    def medians(self) -> dict[Key, Figures]:
        """Return the medians over the rounds."""
        return {key: median_of(rounds) for key, rounds in self.figures.items()}

    def disk_medians(self) -> dict[str, dict[str, float]]:
        """Return `fsync_ms` and `journal`; empty where the disk was not measured."""
        if not self.disk:
            return {}
        return {
            part: {
                name: statistics.median(found[part][name] for found in self.disk)
                for name in self.disk[0][part]
            }
            for part in ("fsync_ms", "journal")
        }


def median_of(rounds: list[Figures]) -> Figures:
    """Return the medians of rounds that were measured one by one; the rate keeps its spread."""
    names = ("rate", "p50", "p99", "cpu_ms", "memory_mb", "generator")
    middle = {name: statistics.median(getattr(f, name) for f in rounds) for name in names}
    rates = [figures.rate for figures in rounds]
    wrong = [error for figures in rounds for error in figures.wrong]
    return replace(rounds[0], **middle, slowest=min(rates), fastest=max(rates), wrong=wrong)


def tables(comparison: Comparison, rounds: int) -> list[Table]:
    """Return the servers side by side, the ratios, and what the disk allows."""
    medians = comparison.medians()
    return [
        _servers(comparison, medians, rounds),
        _ratios(medians),
        *_disk(comparison.disk_medians()),
    ]


def _servers(comparison: Comparison, medians: dict[Key, Figures], rounds: int) -> Table:
    table = Table("server", "workload", title=f"side by side, medians of {rounds} rounds")
    for column in ("connections", "requests/s", "spread", "p50 ms", "p99 ms", "CPU ms/request"):
        table.add_column(column, justify="right")
    for key in comparison.planned:
        server, workload, connections = key
        if (f := medians.get(key)) is None:
            reason = comparison.skipped.get(server, "see above")
            table.add_row(server, workload, str(connections), f"{NOT_MEASURED}: {reason}")
            continue
        table.add_row(
            server,
            workload,
            str(connections),
            f"{f.rate:,.0f}",
            f"{f.slowest:,.0f}–{f.fastest:,.0f}",
            *(f"{value:.1f}" for value in (f.p50, f.p99)),
            f"{f.cpu_ms:.2f}",
        )
    return table


def _ratios(medians: dict[Key, Figures]) -> Table:
    table = Table("ratio", title="what Siren must be beside them")
    for column in ("measured", "must", ""):
        table.add_column(column, justify="right")
    for ratio in RATIOS:
        value = ratio.value(medians)
        if value is None:
            table.add_row(ratio.name, NOT_MEASURED, ratio.bound(), "")
        else:
            verdict = "[green]met[/green]" if ratio.met(value) else "[red]missed[/red]"
            table.add_row(ratio.name, f"{value:.2f}", ratio.bound(), verdict)
    return table


def _disk(medians: dict[str, dict[str, float]]) -> list[Table]:
    if not medians:
        return []
    fsync = medians["fsync_ms"]
    title = f"4 KiB written and synced: p50 {fsync['p50']:.2f} ms, p99 {fsync['p99']:.2f} ms"
    table = Table(title=f"the bare journal; {title}")
    for column in ("appends a commit", "appends/s (2 events each)", "commits/s"):
        table.add_column(column, justify="right")
    for group, rate in medians["journal"].items():
        table.add_row(group, f"{rate:,.0f}", f"{rate / int(group):,.0f}")
    return [table]


def write_json(comparison: Comparison, seconds: float, rounds: int, folder: Path) -> Path:
    """Write `peers.json` into a folder, which is made if it is missing; return its path."""
    medians = comparison.medians()
    rows = [
        {"server": server, "workload": workload, "connections": connections}
        | {name: getattr(f, name) for name in ROW_FIELDS}
        | {"wrong": len(f.wrong)}
        for (server, workload, connections), f in medians.items()
    ]
    ratios = [
        {"name": ratio.name, "value": ratio.value(medians), "must": ratio.bound()}
        for ratio in RATIOS
    ]
    content = {
        "seconds": seconds,
        "rounds": rounds,
        "rows": rows,
        "ratios": ratios,
        "skipped": comparison.skipped,
        **comparison.disk_medians(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "peers.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path
