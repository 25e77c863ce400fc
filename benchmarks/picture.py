"""The picture of what `greeting.py` measured: the same bytes for the same figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# A light ground of its own, so that it reads on a dark page as on a light one.
GROUND, INK, FAINT = "#ffffff", "#1f2933", "#d5dbe1"
OTHERS, OURS = "#5f7488", "#0a7d5f"

STYLE: Any = {
    "svg.hashsalt": "greeting",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
}


@dataclass(frozen=True)
class Row:
    """One variant: how long a request took (milliseconds), and how many a second were answered."""

    name: str
    p50: float
    p99: float
    rate: float
    is_ours: bool = False


def draw(rows: Sequence[Row], path: Path, *, title: str) -> None:
    """Write the picture as SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.6), facecolor=GROUND, layout="constrained")
        time, rate = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        figure.suptitle(title, fontsize=12, fontweight="bold")
        _draw_points(time, rows, [row.p50 for row in rows], unit="ms")
        _draw_tails(time, rows)
        time.set_xlabel("time of a request: median (dot) to p99 (bar), ms, log scale")
        _draw_points(rate, rows, [row.rate for row in rows], unit="/s")
        rate.set_xlabel("requests per second, log scale")
        time.set_yticks(range(len(rows)), [row.name for row in rows])
        time.set_ylim(len(rows) - 0.5, -0.7)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None, "Title": title})


def _draw_points(axes: Axes, rows: Sequence[Row], values: Sequence[float], *, unit: str) -> None:
    """Points, not bars: on a log scale a bar would begin nowhere."""
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        axes.plot(value, place, "o", color=_color(row), markersize=9)
        axes.annotate(
            f"{_short(value)} {unit}",
            (value, place),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontweight="bold" if row.is_ours else "normal",
        )
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2, max(values) * 4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_axisbelow(True)
    axes.grid()
    axes.tick_params(axis="y", length=0)


def _draw_tails(axes: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        axes.plot([row.p50, row.p99], [place, place], color=_color(row), linewidth=2)
        axes.plot(row.p99, place, "|", color=_color(row), markersize=12, markeredgewidth=2)
    axes.set_xlim(right=3 * max(row.p99 for row in rows))


def _color(row: Row) -> str:
    return OURS if row.is_ours else OTHERS


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
