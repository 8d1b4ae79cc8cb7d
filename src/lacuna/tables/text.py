"""Cells and headers in words, the same for every form of output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

from lacuna.metrics.display import Display
from lacuna.tables.cell_statistics import Cell
from lacuna.tables.grid import Grid
from lacuna.tables.labels import axis_label
from lacuna.tables.provenance import costs

MARKS = {"better": "▲", "worse": "▼", "higher": "△", "lower": "▽", "same": "=", "unknown": ""}
LEGEND = (
    "A cell reads: our mean ± sd over seeds (number of seeds; one run where any seed gives the same), then the figure "
    "that the paper prints, with its sd where it gives one, and our difference from it. ▲ better and ▼ worse than "
    "printed: the difference lies outside its 95% interval, by Student's t with the sds and numbers of runs of both "
    "sides; = inside; △ higher and ▽ lower where neither is better. Where the paper prints no sd it is taken to have "
    "ours. One seed tells no spread, and gets no sign. "
    "– a run that ended without an answer, with its status; · no run yet. Shares are in per cent. "
    "Times are wall-clock, of runs that may have shared their machine with others."
)


@dataclass(frozen=True)
class Words:
    """A cell; "" for what it does not have."""

    ours: str
    printed: str
    difference: str  # with its mark

    @property
    def beside(self) -> str:
        return " ".join(filter(None, (self.printed, self.difference)))


def words(cell: Cell) -> Words:
    about = cell.display
    printed = difference = ""
    if cell.published:
        printed = number(about, cell.published.value) + _spread(about, cell.published.std)
    if not math.isnan(cell.difference):
        shown = number(about, abs(cell.difference))
        sign = "" if float(shown or 0) == 0 else "+" if cell.difference > 0 else "−"
        difference = f"{MARKS[cell.verdict]} {sign}{shown}".strip()
    if cell.values:
        spread = f"{_spread(about, cell.sd)} ({cell.n})" if cell.seeded else " (any seed)"
        ours = f"{number(about, cell.mean)}{spread}"
    else:
        ours = f"– {cell.dash.replace('_', ' ')}" if cell.dash else "–" if cell.runs else "·"
    return Words(ours, printed, difference)


def _spread(about: Display, sd: float | None) -> str:
    return "" if sd is None or math.isnan(sd) else f" ± {number(about, sd)}"


def number(about: Display, value: float) -> str:
    """
    >>> share, error, time = Display("acc", percent=True), Display("rmse"), Display("time", unit="seconds")
    >>> number(share, 0.78339), number(error, 5.0912), number(time, 12936)
    ('78.3', '5.091', '12,936 s')
    """
    if about.percent:
        return f"{100 * value:.1f}"
    if about.unit == "seconds":
        return f"{value:,.0f} s" if value >= 100 else f"{value:.2g} s"
    return f"{value:.3f}"


def row_titles(grid: Grid) -> list[str]:
    """Over the headers of rows; the last is the budget, where rows have one."""
    titles = [axis_label(axis) for axis in grid.table.rows]
    return [*titles, "budget"] if any(row.budget for row in grid.rows) else titles


def row_heads(grid: Grid) -> list[list[str]]:
    """For each row, as many as there are titles."""
    width = len(row_titles(grid))
    return [[*row.headers, row.budget][:width] for row in grid.rows]


def column_levels(grid: Grid) -> list[list[tuple[str, int]]]:
    """From the top: labels with the number of columns that each spans; the last level is the metric's."""
    headers = [column.headers for column in grid.columns]
    levels = []
    for depth in range(len(headers[0])):
        groups = groupby(headers, key=lambda header: header[: depth + 1])
        levels.append([(prefix[depth], len(list(group))) for prefix, group in groups])
    return levels


def duration(seconds: float) -> str:
    """
    >>> duration(0.21), duration(75), duration(4000), duration(40_000)
    ('0.21 s', '75 s', '67 min', '11.1 h')
    """
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


COST_TITLES = ("method", "budget", "hardware", "runs", "mean time of a run", "peak memory")


def cost_rows(grid: Grid) -> list[tuple[str, ...]]:
    """Under ``COST_TITLES``, what the runs of each method took; the first three are words."""
    return [
        (
            cost.method,
            cost.budget,
            cost.hardware,
            str(cost.runs),
            duration(cost.seconds),
            f"{cost.memory_gb:.1f} GB",
        )
        for cost in costs(grid)
    ]


def count(n: int, noun: str) -> str:
    """
    >>> count(1, "run"), count(1200, "cell")
    ('1 run', '1,200 cells')
    """
    return f"{n:,} {noun}" + "s" * (n != 1)
