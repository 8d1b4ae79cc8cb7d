"""A dot for each figure: ours with its interval, the printed one, floor and ceiling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scipy import stats

from lacuna.tables.cell_statistics import CONFIDENCE, Cell
from lacuna.tables.grid import BOUNDS, Grid, GridRow
from lacuna.tables.text import row_heads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = 3  # of a table's columns; the full table has the others
LONGEST = 60  # rows


def dot_plot(grid: Grid) -> Figure | None:
    """Rows of the table from top to bottom, a panel for each of its first columns that have numbers of ours.

    Filled dots are our means with their 95% intervals over seeds, hollow diamonds the printed figures; grey ticks
    mark the floor and the ceilings of the same setting. None where there is nothing to show.
    """
    rows = [row for row in grid.rows if _method(row) not in BOUNDS and any(cell.values for cell in row.cells)]
    shown = [j for j in _columns(grid) if any(row.cells[j].values for row in rows)][:PANELS]
    if not shown or len(rows) > LONGEST:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 + 2.9 * len(shown), 1.1 + 0.21 * len(rows)), layout="constrained")
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    heads = {id(row): head for row, head in zip(grid.rows, row_heads(grid), strict=True)}
    for axis, j in zip(axes, shown, strict=True):
        for place, row in enumerate(rows):
            _draw(axis, place, row.cells[j], [other.cells[j] for other in _bounds(grid, row)])
        about = grid.columns[j].display
        unit = "%" if about.percent else about.unit
        title = ", ".join(grid.columns[j].headers)
        axis.set(title=title if len(title) < 40 else about.label)
        axis.set(xlabel=f"{about.label} ({unit})" if unit else about.label)
        axis.title.set_fontsize(9)
        axis.xaxis.label.set_fontsize(8)
        axis.tick_params(labelsize=8)
        axis.grid(axis="x", linewidth=0.4, alpha=0.5)
    labels = [", ".join(filter(None, heads[id(row)])) for row in rows]
    axes[0].set_yticks(range(len(rows)), labels)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    handles: list[Any] = [
        axes[0].plot([], [], "o-", color="C0", markersize=4, linewidth=1)[0],
        axes[0].plot([], [], "D", color="C3", markerfacecolor="none", markersize=5)[0],
        axes[0].plot([], [], "|", color="0.5", markersize=9)[0],
    ]
    names = ["ours, 95% interval", "printed", "floor, ceiling"]
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return figure


def _columns(grid: Grid) -> list[int]:
    """Those with printed figures first."""
    printed = [any(row.cells[j].published for row in grid.rows) for j in range(len(grid.columns))]
    return sorted(range(len(grid.columns)), key=lambda j: not printed[j])


def _method(row: GridRow) -> str:
    return row.settings.get("method", "")


def _bounds(grid: Grid, row: GridRow) -> list[GridRow]:
    """Floor and ceilings of the same setting."""
    here = {key: value for key, value in row.settings.items() if key.partition(".")[0] != "method"}
    return [
        other
        for other in grid.rows
        if _method(other) in BOUNDS and here == {k: v for k, v in other.settings.items() if k != "method"}
    ]


def _draw(axis: Any, place: int, cell: Cell, bounds: list[Cell]) -> None:
    scale = 100 if cell.display.percent else 1
    for bound in bounds:
        if bound.values:
            axis.plot(scale * bound.mean, place, "|", color="0.5", markersize=9)
    if cell.published and cell.comparable:
        axis.plot(scale * cell.published.value, place, "D", color="C3", markerfacecolor="none", markersize=5)
    if cell.values:
        half = 0.0 if math.isnan(cell.sd) or cell.n < 2 else _half_width(cell)
        axis.errorbar(scale * cell.mean, place, xerr=scale * half, fmt="o", color="C0", markersize=4, linewidth=1)


def _half_width(cell: Cell) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, cell.n - 1)) * cell.sd / math.sqrt(cell.n)
