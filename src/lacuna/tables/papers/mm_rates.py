"""Diff-Joint's Table 8: how much of each target column of MIMIC-IV-ED is meaningfully missing."""

from __future__ import annotations

from lacuna.tables.papers.published import published
from lacuna.types import Table


def published_mm_rates() -> dict[str, float]:
    """The printed shares in [0, 1] by target.

    >>> published_mm_rates()["cci_CHF"]
    0.1517
    """
    return {row.target: row.value for row in published() if row.table == "diffjoint_table08"}


def mm_rates(table: Table) -> dict[str, tuple[float, float]]:
    """(ours, printed) by target, of a table with these columns."""
    ours = dict(zip((column.name for column in table.columns), table.meaningful.mean(0).tolist(), strict=True))
    return {name: (ours[name], printed) for name, printed in published_mm_rates().items()}
