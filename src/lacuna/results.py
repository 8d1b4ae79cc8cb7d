"""The tables a run leaves: final states, flags and intervals, in the form the data came in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lacuna.files import whole
from lacuna.types import Column, Imputation, Table

if TYPE_CHECKING:
    import pandas as pd


def write_tables(table: Table, imputations: Mapping[str, Imputation], folder: Path) -> Path | None:
    """Write imputed.parquet, and mm.parquet and intervals.parquet where the method gives flags or draws.

    All rows in the table's order. A table that came from a file is also completed in its own form.

    Returns:
        The path of the completed file, if there is one.
    """
    rows = split_rows(table)
    final = _joined(rows, {split: done.final for split, done in imputations.items()}, table.values.shape)
    _write(imputed_frame(table.columns, final), folder / "imputed.parquet")
    flags = flags_frame(table, rows, imputations)
    if flags is not None:
        _write(flags, folder / "mm.parquet")
    intervals = intervals_frame(table, rows, imputations)
    if intervals is not None:
        _write(intervals, folder / "intervals.parquet")
    return None if table.source is None else Path(table.source.write(final, folder))


def split_rows(table: Table) -> dict[str, np.ndarray]:
    """The row numbers of each split."""
    train = np.ones(len(table.values), bool) if table.train_rows is None else table.train_rows
    return {"train": np.flatnonzero(train), "test": np.flatnonzero(~train)}


def imputed_frame(columns: tuple[Column, ...], final: np.ndarray) -> pd.DataFrame:
    """Final states (n, d) as labels, integers and floats; NA where a cell is to be kept as NA."""
    import pandas as pd

    return pd.DataFrame({c.name: _labelled(c, cells) for c, cells in zip(columns, final.T, strict=True)})


def _labelled(column: Column, cells: np.ndarray) -> pd.Series:
    import pandas as pd

    if column.kind == "continuous":
        return pd.Series(cells)
    if column.kind == "integer":
        return pd.Series(cells).astype("Int64")
    labels = pd.Series(list(column.levels)).convert_dtypes()
    if labels.dtype == object:  # levels of several types have no type of their own in a file
        labels = labels.map(str).convert_dtypes()
    return labels.reindex(np.where(np.isnan(cells), -1, cells).astype(np.intp)).reset_index(drop=True)


def flags_frame(
    table: Table, rows: Mapping[str, np.ndarray], imputations: Mapping[str, Imputation]
) -> pd.DataFrame | None:
    """One bool column for each candidate column, and its probability where the method gives one."""
    import pandas as pd

    candidates = [j for j, column in enumerate(table.columns) if column.mm_candidate]
    flags = {split: done.meaningful for split, done in imputations.items()}
    if not candidates or any(f is None for f in flags.values()):
        return None
    shape = table.values.shape
    meaningful = _joined(rows, flags, shape).astype(bool)
    frame = {table.columns[j].name: meaningful[:, j] for j in candidates}
    chances = {split: done.meaningful_probability for split, done in imputations.items()}
    if all(p is not None for p in chances.values()):
        probability = _joined(rows, chances, shape)
        frame |= {f"{table.columns[j].name}:probability": probability[:, j] for j in candidates}
    return pd.DataFrame(frame)


def intervals_frame(
    table: Table, rows: Mapping[str, np.ndarray], imputations: Mapping[str, Imputation]
) -> pd.DataFrame | None:
    """One row for each hidden cell: row and column, posterior mean, sd and interval at level 1 - alpha."""
    import pandas as pd

    parts = []
    for split, done in imputations.items():
        if (draws := done.draws) is not None:
            row, column = rows[split][draws.cells[:, 0]], [table.columns[j].name for j in draws.cells[:, 1]]
            numbers = {"mean": draws.mean, "sd": draws.sd, "lower": draws.lower, "upper": draws.upper}
            parts.append(pd.DataFrame({"row": row, "column": column, **numbers, "alpha": draws.alpha}))
    return pd.concat(parts, ignore_index=True) if parts else None


def _joined(
    rows: Mapping[str, np.ndarray], parts: Mapping[str, np.ndarray | None], shape: tuple[int, ...]
) -> np.ndarray:
    whole_table = np.full(shape, np.nan)
    for split, part in parts.items():
        whole_table[rows[split]] = part
    return whole_table


def _write(frame: pd.DataFrame, path: Path) -> None:
    with whole(path) as temporary:
        frame.to_parquet(temporary, index=False)
