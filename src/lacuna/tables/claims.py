"""What a table says about the published one: reproduced, differs, or not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scipy import stats

from lacuna.config import described
from lacuna.tables.cell_statistics import CONFIDENCE, Cell
from lacuna.tables.grid import Grid
from lacuna.tables.text import number

Verdict = Literal["reproduced", "differs", "not comparable", "not run"]
LEVEL = 0.05  # of the test that more figures lie apart than chance explains


@dataclass(frozen=True)
class Claim:
    """One table against print."""

    verdict: Verdict
    compared: int  # figures of which both sides are known, with a spread
    apart: int  # of those, outside the 95% interval of the difference, and large enough to matter
    filled: int  # cells with a number of ours
    cells: int
    largest: str = ""  # the figure that is furthest apart, in intervals
    why: str = ""


def claim(grid: Grid) -> Claim:
    """Reproduced where no more figures lie outside the 95% interval of their difference than chance explains.

    Chance is a binomial test at 5% with a share of 0.05 apart. Differences too small to matter do not count.
    """
    named = [
        (", ".join(filter(None, (*row.headers, row.budget, *column.headers))), cell)
        for row in grid.rows
        for column, cell in zip(grid.columns, row.cells, strict=True)
    ]
    counts = sum(bool(cell.values) for _, cell in named), len(named)
    compared = [(name, cell) for name, cell in named if cell.verdict != "unknown"]
    apart = [(name, cell) for name, cell in compared if cell.verdict != "same" and cell.material]
    if not grid.records:
        return Claim("not run", 0, 0, *counts)
    if not compared:
        on_standin = any(described.stand_in_for(run.config) for run in grid.records)
        why = "run on a stand-in" if on_standin else "one seed, or nothing printed"
        return Claim("not comparable", 0, 0, *counts, why=why)
    differs = stats.binom.sf(len(apart) - 1, len(compared), 1 - CONFIDENCE) < LEVEL
    largest = max(apart, key=lambda found: abs(found[1].difference) / found[1].margin, default=None)
    return Claim(
        "differs" if differs else "reproduced",
        len(compared),
        len(apart),
        *counts,
        largest=_told(*largest) if largest else "",
        why=(grid.table.explained or "not explained") if differs else "",
    )


def _told(name: str, cell: Cell) -> str:
    assert cell.published is not None
    return f"{name}: {number(cell.display, cell.mean)}, printed {number(cell.display, cell.published.value)}"
