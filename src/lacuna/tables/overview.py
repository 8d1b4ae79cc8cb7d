"""What a reader should see first: how much of each table there is, how it compares, and which method leads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lacuna.metrics.display import Display
from lacuna.tables.cell_statistics import Cell
from lacuna.tables.grid import BOUNDS, CEILINGS, Grid
from lacuna.tables.missing import gaps
from lacuna.tables.text import number


@dataclass(frozen=True)
class Summary:
    """Counts of one table."""

    grid: Grid
    runs: int
    filled: int  # cells with a number of ours
    cells: int
    same: int  # cells within noise of the printed figure
    better: int
    worse: int
    missing: int  # runs


def summary(grid: Grid) -> Summary:
    cells = [cell for row in grid.rows for cell in row.cells]
    verdicts = Counter(cell.verdict for cell in cells)
    filled, missing = sum(bool(cell.values) for cell in cells), sum(gap.runs for gap in gaps(grid))
    counts = (verdicts["same"], verdicts["better"], verdicts["worse"] + verdicts["higher"] + verdicts["lower"])
    return Summary(grid, len(grid.records), filled, len(cells), *counts, missing)


HALF = ("mm_recall", "mm_precision")  # of a detector: either alone is had by flagging all, or next to nothing
TITLES = ("table or figure", "runs", "cells filled", "= as printed", "▲ better", "▼ △ ▽ apart", "runs missing")


def summary_rows(grids: Sequence[Grid]) -> list[tuple[str, ...]]:
    """Under ``TITLES``, one line a table; the first word is its heading."""
    found = [summary(grid) for grid in grids]
    return [
        (
            one.grid.heading,
            f"{one.runs:,}",
            f"{one.filled} of {one.cells}",
            *(f"{n:,}" if n else "" for n in (one.same, one.better, one.worse, one.missing)),
        )
        for one in found
    ]


def leader(grid: Grid) -> str:
    """Which method is best by the table's leading metric, how far from the ceiling; "" where fewer than two ran."""
    if not (key := next((key for key in grid.table.metrics if not key.endswith(HALF)), "")):
        return ""
    about = next(column.display for column in grid.columns if column.metric == key)
    settings = [found for found in _settings(grid, key, about) if len(found.ran) > 1]
    if not settings or not about.better:
        return ""
    best = [found.best(about.better) for found in settings]
    (name, wins), *_ = Counter(best).most_common(1)
    label = grid.table.design.label("method", name)
    rivals = sorted({grid.table.design.label("method", other) for found in settings for other in found.ran} - {label})
    against = rivals[0] if len(rivals) == 1 else f"{len(rivals)} other methods"
    text = f"By {about.label}, {label} leads in {wins} of {len(settings)} settings run here, against {against}"
    led = [found for found, winner in zip(settings, best, strict=True) if winner == name]
    if distances := [abs(found.ran[name].mean - found.ceiling.mean) for found in led if found.ceiling]:
        ends = dict.fromkeys(number(about, distance) for distance in (min(distances), max(distances)))
        text += f", {' to '.join(ends)}{' points' * about.percent} from the ceiling"
    printed = [(found.ran[name].mean, found.printed) for found in led if found.printed]
    if printed:
        ahead = sum(about.better * ours > max(about.better * p for p in theirs) for ours, theirs in printed)
        text += f", and is ahead of every printed figure in {ahead} of {len(printed)}"
    floors = [(found.ran[name].mean, found.floor.mean) for found in led if found.floor]
    if behind := sum(about.better * ours < about.better * floor for ours, floor in floors):
        text += f"; the floor is ahead of it in {behind} of {len(floors)}"
    dataset = next(iter(led[0].ran[name].runs)).config["names"]["dataset"]
    return " ".join(filter(None, (f"{text}.", grid.table.caveat(name, dataset))))


@dataclass
class _Setting:
    """One problem of a table."""

    ran: dict[str, Cell]  # by method; floor and ceiling apart
    printed: list[float]
    ceiling: Cell | None = None
    floor: Cell | None = None

    def best(self, sign: int) -> str:
        return max(self.ran, key=lambda name: sign * self.ran[name].mean)


def _settings(grid: Grid, key: str, about: Display) -> list[_Setting]:
    found: dict[tuple[object, ...], _Setting] = defaultdict(lambda: _Setting({}, []))
    for row in grid.rows:
        for column, cell in zip(grid.columns, row.cells, strict=True):
            method = {**row.settings, **column.settings}.get("method")
            if method is None or column.metric != key:
                continue
            problem = {**row.settings, **column.settings, "method": ""}
            setting = found[tuple(sorted(problem.items()))]
            if cell.published and cell.comparable:
                setting.printed.append(cell.published.value)
            if method in CEILINGS and cell.values:
                higher = setting.ceiling is None or about.better * cell.mean > about.better * setting.ceiling.mean
                setting.ceiling = cell if higher else setting.ceiling
            elif method == "always_na":
                setting.floor = cell if cell.values else None
            elif method not in BOUNDS and cell.values:
                setting.ran[method] = cell
    return list(found.values())
