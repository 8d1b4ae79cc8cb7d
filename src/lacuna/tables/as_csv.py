"""Tables as CSV: one line for each cell, numbers in full and shares in [0, 1]."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable

from lacuna.tables.grid import Grid

FIELDS = (
    *("table", "source", "row", "budget", "column", "metric", "mean", "sd", "n", "seeds", "published"),
    *("published_sd", "difference", "noise", "verdict", "status", "runs"),
)
NUMBERS = ("mean", "sd", "published", "published_sd", "difference", "noise")


def as_csv(grids: Iterable[Grid]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
    writer.writeheader()
    for grid in grids:
        for row in grid.rows:
            for column, cell in zip(grid.columns, row.cells, strict=True):
                about = {
                    "table": grid.table.id,
                    "source": grid.source,
                    "row": " | ".join(filter(None, row.headers)),
                    "budget": row.budget,
                    "column": " | ".join(column.headers),
                    "metric": cell.metric,
                    "n": cell.n,
                    "seeds": " ".join(map(str, cell.values)),
                    "verdict": cell.verdict,
                    "status": " ".join(sorted({run.status for run in cell.runs})) or "missing",
                    "runs": " ".join(run.run for run in cell.runs),
                }
                numbers = {
                    "mean": cell.mean,
                    "sd": cell.sd,
                    "published": cell.published.value if cell.published else math.nan,
                    "published_sd": math.nan if not cell.published else cell.published.std,
                    "difference": cell.difference,
                    "noise": cell.noise,
                }
                writer.writerow(about | {key: _written(value) for key, value in numbers.items()})
    return file.getvalue()


def _written(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else repr(value)


def read_csv(text: str) -> list[dict[str, str | float]]:
    """The lines of ``as_csv`` with their numbers as numbers; NaN where there is none."""
    rows = csv.DictReader(text.splitlines())
    return [row | {key: float(row[key] or "nan") for key in NUMBERS} for row in rows]
