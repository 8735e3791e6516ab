"""The plot of a bench: throughput and latency over connections, one line a workload."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.measure import Figures

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # told apart without red and green
MARKERS = "os^D"


def write_plot(path: Path, figures: Sequence[Figures], title: str) -> None:
    """Write a PNG with a panel for requests a second and one for milliseconds (p50 and p99)."""
    picture = Figure(figsize=(12, 5.5), dpi=120, layout="constrained")
    rates, latencies = picture.subplots(1, 2)
    lines = groupby(figures, key=lambda figure: figure.name)
    for (name, line), colour, marker in zip(lines, COLOURS, MARKERS, strict=False):
        _add(rates, latencies, name, list(line), colour=colour, marker=marker)
    _label(rates, figures, "requests a second (spread of the rounds shaded)")
    _label(latencies, figures, "milliseconds: p99 solid, p50 dashed")
    latencies.set_yscale("log")
    latencies.yaxis.set_major_formatter("{x:g}")
    rates.set_ylim(bottom=0)
    rates.legend(loc="upper left")
    picture.suptitle(title)
    picture.savefig(path)


def _add(
    rates: Axes, latencies: Axes, name: str, line: list[Figures], *, colour: str, marker: str
) -> None:
    across = [figure.connections for figure in line]
    rates.plot(across, [f.rate for f in line], color=colour, marker=marker, label=name)
    slowest, fastest = [f.slowest for f in line], [f.fastest for f in line]
    rates.fill_between(across, slowest, fastest, color=colour, alpha=0.15)
    latencies.plot(across, [f.p99 for f in line], color=colour, marker=marker)
    latencies.plot(
        across, [f.p50 for f in line], color=colour, marker=marker, linestyle="--", alpha=0.7
    )


def _label(axes: Axes, figures: Sequence[Figures], what: str) -> None:
    connections = sorted({figure.connections for figure in figures})
    axes.set_xscale("log")
    axes.set_xticks(connections, [str(number) for number in connections])
    axes.minorticks_off()
    axes.set_xlabel("connections")
    axes.set_title(what, fontsize=11)
    axes.grid(visible=True, alpha=0.3)
