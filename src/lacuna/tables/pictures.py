"""Figures of tables that have one, readable in greyscale: lines and markers differ besides colours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.figures import blank_figure
from lacuna.metrics.display import Display
from lacuna.tables.cell_statistics import Cell
from lacuna.tables.experiments import Design
from lacuna.tables.grid import Grid, GridRow
from lacuna.tables.labels import IN_FIGURES, axis_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = ("-", "--", ":", "-.")
MARKERS = "osD^vP*X<>"


def picture(grid: Grid) -> Figure | None:
    """The figure of a grid; None where it has none, or nothing to show."""
    if grid.table.picture is None or not any(cell.values for row in grid.rows for cell in row.cells):
        return None
    return _bars(grid) if grid.table.picture == "bars" else _lines(grid)


def as_svg(figure: Figure) -> str:
    """As text; the same figure gives the same text."""
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "lacuna", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


@dataclass(frozen=True)
class Curve:
    """One line of a panel."""

    panel: str  # its title
    metric: str  # a key of a record
    display: Display
    name: str
    points: tuple[tuple[float, Cell], ...]


def _curves(grid: Grid) -> list[Curve]:
    """Along the columns' axis one for each row, or along the iterations one for each metric and budget."""
    found = []
    for key in grid.table.metrics:
        display = next(column.display for column in grid.columns if column.metric == key)
        places = [j for j, column in enumerate(grid.columns) if column.metric == key]
        if grid.table.iterations:
            for budget in dict.fromkeys(row.budget for row in grid.rows):
                rows = [row for row in grid.rows if row.budget == budget]
                points = [(float(row.settings["iteration"]), row.cells[places[0]]) for row in rows]
                found.append(Curve("", key, display, f"{budget} budget", tuple(points)))
            continue
        (axis,), design = grid.table.columns, grid.table.design
        for row in grid.rows:
            points = [(float(grid.columns[j].settings[axis]), row.cells[j]) for j in places]
            found.append(Curve(_outer(design, row), key, display, _name(design, row), tuple(points)))
    return [curve for curve in found if any(cell.values for _, cell in curve.points)]


def _lines(grid: Grid) -> Figure:
    """A panel for each metric and each value of the outer row axes; the same name looks the same in all of them."""
    curves = _curves(grid)
    styles = dict(zip(dict.fromkeys(curve.name for curve in curves), _styles(), strict=False))
    shown: dict[tuple[str, str], list[Curve]] = {(curve.panel, curve.metric): [] for curve in curves}
    for curve in curves:
        shown[curve.panel, curve.metric].append(curve)
    horizontal = "iteration" if grid.table.iterations else grid.table.columns[0]
    across = IN_FIGURES.get(horizontal, axis_label(horizontal))
    figure, axes = blank_figure(len(shown))
    for axis, ((title, _), own) in zip(axes, shown.items(), strict=True):
        for curve in own:
            _draw(axis, curve, styles[curve.name])
        about = own[0].display
        unit = "%" if about.percent else about.unit
        axis.set(title=title, xlabel=across, ylabel=about.label + (f" ({unit})" if unit else ""))
        if any(cell.published for curve in own for _, cell in curve.points):
            axis.plot([], [], "ko", markerfacecolor="none", label="hollow: printed")
    if len(styles) > 1:
        named = [zip(*axis.get_legend_handles_labels(), strict=True) for axis in axes]
        entries = {label: handle for pairs in named for handle, label in pairs}
        ncols = min(len(axes), 3) + 1
        figure.set_figheight(figure.get_figheight() + 0.25 * -(-len(entries) // ncols))
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=ncols, frameon=False)
    return figure


def _outer(design: Design, row: GridRow) -> str:
    axes = [(key, value) for key, value in row.settings.items() if key.partition(".")[0] != "method"]
    return ", ".join(f"{design.label(key, value)} {axis_label(key)}" for key, value in axes)


def _name(design: Design, row: GridRow) -> str:
    inner = [design.label(key, value) for key, value in row.settings.items() if key.partition(".")[0] == "method"]
    return ", ".join([*inner, *([f"{row.budget} budget"] if row.budget else [])])


def _styles() -> Iterator[dict[str, Any]]:
    for i in count():
        line, marker = LINES[i % len(LINES)], MARKERS[i % len(MARKERS)]
        yield {"color": f"C{i % 10}", "linestyle": line, "marker": marker}


def _draw(axis: Any, curve: Curve, style: dict[str, Any]) -> None:
    """Means with a band of one sd over seeds; printed figures as larger hollow markers."""
    scale = 100 if curve.display.percent else 1
    ours = [(x, cell) for x, cell in curve.points if cell.values]
    x, mean = [x for x, _ in ours], np.array([scale * cell.mean for _, cell in ours])
    spread = np.nan_to_num([scale * cell.sd for _, cell in ours])
    axis.plot(x, mean, label=curve.name, markersize=4, **style)
    axis.fill_between(x, mean - spread, mean + spread, color=style["color"], alpha=0.2, linewidth=0)
    if printed := [(x, scale * cell.published.value) for x, cell in curve.points if cell.published]:
        axis.plot(*zip(*printed, strict=True), markersize=8, **style | {"linestyle": "", "markerfacecolor": "none"})


def _bars(grid: Grid) -> Figure:
    """One bar for each row on a logarithmic axis; printed figures as diamonds."""
    rows = [row for row in grid.rows if row.cells[0].values]
    figure, (panel,) = blank_figure(1)
    figure.set_size_inches(7, 1 + 0.35 * len(rows))
    places = range(len(rows))
    panel.barh(places, [row.cells[0].mean for row in rows], color="0.7", edgecolor="0.2", label="here")
    known = [(row.cells[0].published.value, at) for at, row in enumerate(rows) if row.cells[0].published]
    if known:
        panel.plot(*zip(*known, strict=True), "kD", markerfacecolor="none", label="printed")
    panel.set_yticks(places, [_name(grid.table.design, row) for row in rows])
    panel.invert_yaxis()
    about = grid.columns[0].display
    panel.set(xscale="log", xlabel=f"{about.label} ({about.unit})")
    panel.legend(fontsize="small")
    return figure
