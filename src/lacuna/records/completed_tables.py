"""The tables a run leaves: final states, flags and intervals, in the form the data came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from lacuna.files import whole
from lacuna.types import Column, Imputation, Table

if TYPE_CHECKING:
    import pandas as pd

    from lacuna.frames.sources import Source


@dataclass(frozen=True)
class Completion:
    """A whole table after imputation, its splits put together again; rows in the table's order."""

    table: Table
    imputations: Mapping[str, Imputation]  # by split
    final: np.ndarray  # (n, d) NaN where a cell is to be kept as NA
    meaningful: np.ndarray | None  # (n, d) bool; None where the method gives no flags
    probability: np.ndarray | None  # (n, d) of meaningful missingness; None where the method gives none
    alpha: float = 0.05  # intervals are at level 1 - alpha

    @classmethod
    def of(cls, table: Table, imputations: Mapping[str, Imputation], alpha: float) -> Self:
        final = _joined(table, {split: done.final for split, done in imputations.items()})
        meaningful = _joined_if_all(table, {split: done.meaningful for split, done in imputations.items()})
        probability = _joined_if_all(table, {split: i.meaningful_probability for split, i in imputations.items()})
        flags = None if meaningful is None else meaningful.astype(bool)
        return cls(table, imputations, final, flags, probability, alpha)

    @property
    def source(self) -> Source:
        """The file that the table came from; only asked for where there is one."""
        assert self.table.source is not None
        return self.table.source

    @property
    def blank(self) -> np.ndarray:
        """(n, d) bool: the blanks of the source"""
        return np.isnan(self.table.values)

    def counts(self) -> dict[str, dict[str, int]]:
        """By column with blanks: how many, and how many of them are kept."""
        names = [column.name for column in self.table.columns]
        blank, kept = self.blank.sum(0).tolist(), np.isnan(self.final).sum(0).tolist()
        return {name: {"blank": b, "kept": k} for name, b, k in zip(names, blank, kept, strict=True) if b}

    @cached_property
    def intervals(self) -> pd.DataFrame | None:
        """One row for each hidden cell of a numeric column, whether it is filled or kept as NA.

        Columns: row, from 0, and column; value, as in the completed table; mean and sd of the draws of its regular
        value, and their quantiles lower and upper; alpha. Dates count in days since 1970-01-01.
        """
        import pandas as pd

        columns, rows = self.table.columns, split_rows(self.table)
        numeric = np.array([not column.discrete for column in columns])
        parts = []
        for split, done in self.imputations.items():
            if (draws := done.draws) is not None:
                shown = numeric[draws.cells[:, 1]]
                row, j = rows[split][draws.cells[shown, 0]], draws.cells[shown, 1]
                lower, upper = draws.interval(self.alpha)
                names = pd.Categorical.from_codes(j, pd.Index([column.name for column in columns]))
                cells = {"row": row, "column": names, "value": self.final[row, j]}
                numbers = {"mean": draws.mean, "sd": draws.sd, "lower": lower, "upper": upper}
                chosen = {key: number[shown] for key, number in numbers.items()}
                parts.append(pd.DataFrame(cells | chosen | {"alpha": self.alpha}))
        return pd.concat(parts, ignore_index=True) if parts else None


def write_tables(completion: Completion, folder: Path) -> Path | None:
    """Write imputed.parquet, and mm.parquet and intervals.parquet where the method gives flags or draws.

    All rows in the table's order. A table that came from a file is also completed in its own form.

    Returns:
        The path of the completed file, if there is one.
    """
    _write(imputed_frame(completion.table.columns, completion.final), folder / "imputed.parquet")
    flags = flags_frame(completion)
    if flags is not None:
        _write(flags, folder / "mm.parquet")
    if completion.intervals is not None:
        _write(completion.intervals, folder / "intervals.parquet")
    source = completion.table.source
    return None if source is None else Path(source.write(completion.final, folder))


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


def flags_frame(completion: Completion) -> pd.DataFrame | None:
    """One bool column for each candidate column, and its probability where the method gives one."""
    import pandas as pd

    candidates = [(j, c.name) for j, c in enumerate(completion.table.columns) if c.mm_candidate]
    if not candidates or completion.meaningful is None:
        return None
    frame = {name: completion.meaningful[:, j] for j, name in candidates}
    if completion.probability is not None:
        frame |= {f"{name}:probability": completion.probability[:, j] for j, name in candidates}
    return pd.DataFrame(frame)


def _joined(table: Table, parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n, d) of the whole table from its splits."""
    rows, together = split_rows(table), np.full(table.values.shape, np.nan)
    for split, part in parts.items():
        together[rows[split]] = part
    return together


def _joined_if_all(table: Table, parts: Mapping[str, np.ndarray | None]) -> np.ndarray | None:
    """The same, or None where a split has nothing."""
    present = {split: part for split, part in parts.items() if part is not None}
    return _joined(table, present) if len(present) == len(parts) else None


def _write(frame: pd.DataFrame, path: Path) -> None:
    with whole(path) as temporary:
        frame.to_parquet(temporary, index=False)
