"""Mean of numeric columns, most frequent level of categorical ones: the baseline of both papers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lacuna.methods.base import Method
from lacuna.types import Column, Imputation, Incomplete


def column_center(column: Column, cells: np.ndarray) -> float:
    """The mean of observed cells (k,), rounded for an integer column, or their mode for a categorical one.

    >>> column_center(Column("a", "categorical", ("x", "y", "z")), np.array([2.0, 1.0, 2.0]))
    2.0
    >>> column_center(Column("n", "integer"), np.array([1.0, 2.0, 2.0]))
    2.0
    """
    if column.kind == "categorical":
        return float(np.bincount(cells.astype(np.intp), minlength=column.n_levels).argmax())
    mean = float(cells.mean())
    return float(np.round(mean)) if column.kind == "integer" else mean


class MeanMode(Method):
    """Fill every hidden cell with its column's mean or mode over the observed training cells."""

    label = "Mean/Mode"
    seeded: ClassVar[bool] = False

    def _fit(self, train: Incomplete, seed: int) -> None:
        cells = (train.values[seen, j] for j, seen in enumerate(train.observed.T))
        self.centers_ = np.array([column_center(c, x) for c, x in zip(train.columns, cells, strict=True)])

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        return Imputation(np.where(rows.observed, rows.values, self.centers_))
