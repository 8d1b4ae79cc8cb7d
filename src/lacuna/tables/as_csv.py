"""Tables as CSV: one line for each cell, numbers in full and shares in [0, 1]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from lacuna.tables.cell_statistics import Cell
from lacuna.tables.grid import Grid, GridColumn, GridRow


def as_csv(grids: Iterable[Grid]) -> str:
    lines = [
        _line(grid, row, column, cell)
        for grid in grids
        for row in grid.rows
        for column, cell in zip(grid.columns, row.cells, strict=True)
    ]
    return pd.DataFrame(lines).to_csv(index=False, lineterminator="\n")


def _line(grid: Grid, row: GridRow, column: GridColumn, cell: Cell) -> dict[str, Any]:
    return {
        "table": grid.table.id,
        "source": grid.source,
        "row": " | ".join(filter(None, row.headers)),
        "budget": row.budget,
        "column": " | ".join(column.headers),
        "metric": cell.metric,
        "mean": cell.mean,
        "sd": cell.sd,
        "n": cell.n,
        "seeds": " ".join(map(str, cell.values)),
        "published": cell.published.value if cell.published else None,
        "published_sd": cell.published.std if cell.published else None,
        "difference": cell.difference,
        "noise": cell.noise,
        "verdict": cell.verdict,
        "status": " ".join(sorted({run.status for run in cell.runs})) or "missing",
        "runs": " ".join(run.run for run in cell.runs),
    }
