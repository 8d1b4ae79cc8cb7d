"""What a table lacks, as the commands that fill it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from lacuna.tables.cell_statistics import DASHES
from lacuna.tables.experiments import Design
from lacuna.tables.grid import Grid, GridRow, of_runs


@dataclass(frozen=True)
class Gap:
    """The missing runs of one method."""

    what: str  # in words
    cells: int  # without any run
    runs: int  # missing seeds counted one by one
    command: str  # runs that exist are answered from their records


def gaps(grid: Grid) -> list[Gap]:
    """One for each method, or variant of one, that lacks runs."""
    lacking: dict[tuple[tuple[str, str], ...], dict[tuple[tuple[str, str], ...], set[int]]] = {}
    empty: dict[tuple[tuple[str, str], ...], int] = {}
    budgets: dict[tuple[tuple[str, str], ...], str] = {}
    for row in _to_be_completed(grid):
        for column, cell in zip(grid.columns, row.cells, strict=True):
            settings = of_runs(grid.table, {**row.settings, **column.settings})
            seen = {run.config["seed"] for run in cell.runs if run.status in ("finished", *DASHES)}
            if seen and not cell.seeded:
                continue
            if todo := set(grid.table.design.seeds_of_cell({**settings, **grid.fixed})) - seen:
                method = tuple((key, value) for key, value in settings.items() if _is_method(key))
                place = tuple((key, value) for key, value in settings.items() if not _is_method(key))
                budgets[method] = row.budget or budgets.get(method, "")
                places = lacking.setdefault(method, {})
                if place not in places:
                    empty[method] = empty.get(method, 0) + (not seen)
                places.setdefault(place, set()).update(todo)
    return [
        Gap(
            _words(grid.table.design, method),
            empty[method],
            sum(map(len, places.values())),
            _command(grid, method, places, budgets[method]),
        )
        for method, places in lacking.items()
    ]


def _to_be_completed(grid: Grid) -> list[GridRow]:
    """The rows that the experiment asks for; of the budgets of one the paper's, if there are runs of it."""
    chosen: dict[tuple[str, ...], GridRow] = {}
    swept = grid.table.design.axes
    for row in grid.rows:
        asked = row.settings.get("method") in swept.get("method", (None,))
        if asked and (row.headers not in chosen or row.budget == "paper"):
            chosen[row.headers] = row
    return list(chosen.values())


def _is_method(key: str) -> bool:
    return key.partition(".")[0] == "method"


def _words(design: Design, method: Iterable[tuple[str, str]]) -> str:
    return ", ".join(
        design.label(key, value) if key == "method" else f"{key.partition('.')[2]}={value}" for key, value in method
    )


def _command(
    grid: Grid,
    method: Iterable[tuple[str, str]],
    places: dict[tuple[tuple[str, str], ...], set[int]],
    budget: str,
) -> str:
    axes = grid.table.design.axes
    overrides = dict(grid.fixed) | dict(method)
    for key in dict.fromkeys(key for place in places for key, _ in place):
        values = [v for v in axes[key] if any((key, v) in place for place in places)]
        if tuple(values) != axes[key]:
            overrides[key] = ",".join(values)
    seeds = sorted(set().union(*places.values()))
    if tuple(seeds) != grid.table.design.seeds:
        overrides["seed"] = ",".join(map(str, seeds))
    overrides["budget"] = budget or "paper"
    parts = [f"{key}={value}" for key, value in overrides.items()]
    own = grid.table.design.config_dir
    options = [] if own is None else ["--config-dir", str(own)]
    return shlex.join(["python", "run.py", *options, "-m", f"experiment={grid.table.experiment}", *parts])
