"""Figures of tables that have one, readable in greyscale: lines and markers differ besides colours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.figures import blank_figure
from lacuna.tables.cells import Cell
from lacuna.tables.grid import Grid, Row
from lacuna.tables.labels import axis_label, metric, value_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = ("-", "--", ":", "-.")
MARKERS = "osD^vP*X<>"
AXES = {
    "ratio": "missing rate (share of cells)",
    "dataset.p": "columns of the data",
    "iteration": "outer iteration",
}


def picture(grid: Grid) -> Figure | None:
    """The figure of a grid; None where it has none, or nothing to show."""
    if grid.table.picture is None or not any(cell.values for row in grid.rows for cell in row.cells):
        return None
    return _bars(grid) if grid.table.picture == "bars" else _lines(grid)


def svg(figure: Figure) -> str:
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
    metric: str
    name: str
    points: tuple[tuple[float, Cell], ...]


def _curves(grid: Grid) -> list[Curve]:
    """Along the columns' axis one for each row, or along the iterations one for each metric and budget."""
    found = []
    for key in grid.table.metrics:
        places = [j for j, column in enumerate(grid.columns) if column.metric == key]
        if grid.table.iterations:
            for budget in dict.fromkeys(row.budget for row in grid.rows):
                rows = [row for row in grid.rows if row.budget == budget]
                points = [(float(row.settings["iteration"]), row.cells[places[0]]) for row in rows]
                found.append(Curve("", key, f"{budget} budget", tuple(points)))
            continue
        (axis,) = grid.table.columns
        for row in grid.rows:
            points = [(float(grid.columns[j].settings[axis]), row.cells[j]) for j in places]
            found.append(Curve(_outer(row), key, _name(row), tuple(points)))
    return [curve for curve in found if any(cell.values for _, cell in curve.points)]


def _lines(grid: Grid) -> Figure:
    """A panel for each metric and each value of the outer row axes; the same name looks the same in all of them."""
    curves = _curves(grid)
    styles = dict(zip(dict.fromkeys(curve.name for curve in curves), _styles(), strict=False))
    shown: dict[tuple[str, str], list[Curve]] = {(curve.panel, curve.metric): [] for curve in curves}
    for curve in curves:
        shown[curve.panel, curve.metric].append(curve)
    figure, axes = blank_figure(len(shown))
    for axis, ((title, key), own) in zip(axes, shown.items(), strict=True):
        for curve in own:
            _draw(axis, curve, styles[curve.name])
        about = metric(key)
        unit = "%" if about.percent else about.unit
        across = "iteration" if grid.table.iterations else grid.table.columns[0]
        axis.set(title=title, xlabel=AXES[across], ylabel=about.label + (f" ({unit})" if unit else ""))
        if any(cell.published for curve in own for _, cell in curve.points):
            axis.plot([], [], "ko", markerfacecolor="none", label="hollow: printed")
    if len(styles) > 1:
        named = [zip(*axis.get_legend_handles_labels(), strict=True) for axis in axes]
        entries = {label: handle for pairs in named for handle, label in pairs}
        ncols = min(len(axes), 3) + 1
        figure.set_figheight(figure.get_figheight() + 0.25 * -(-len(entries) // ncols))
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=ncols, frameon=False)
    return figure


def _outer(row: Row) -> str:
    axes = [(key, value) for key, value in row.settings.items() if key.partition(".")[0] != "method"]
    return ", ".join(f"{value_label(key, value)} {axis_label(key)}" for key, value in axes)


def _name(row: Row) -> str:
    inner = [value_label(key, value) for key, value in row.settings.items() if key.partition(".")[0] == "method"]
    return ", ".join([*inner, *([f"{row.budget} budget"] if row.budget else [])])


def _styles() -> Iterator[dict[str, Any]]:
    for i in count():
        line, marker = LINES[i % len(LINES)], MARKERS[i % len(MARKERS)]
        yield {"color": f"C{i % 10}", "linestyle": line, "marker": marker}


def _draw(axis: Any, curve: Curve, style: dict[str, Any]) -> None:
    """Means with a band of one sd over seeds; printed figures as larger hollow markers."""
    scale = 100 if metric(curve.metric).percent else 1
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
    panel.set_yticks(places, [_name(row) for row in rows])
    panel.invert_yaxis()
    about = metric(grid.table.metrics[0])
    panel.set(xscale="log", xlabel=f"{about.label} ({about.unit})")
    panel.legend(fontsize="small")
    return figure
