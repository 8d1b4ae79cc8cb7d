"""Tables as foreign packages want them, and their answers as values of our columns again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from lacuna.types import Column, Incomplete, where

if TYPE_CHECKING:
    import pandas as pd


def to_frame(table: Incomplete, categories: bool) -> pd.DataFrame:
    """Columns x0, x1, ... of floats, NaN where hidden; categorical columns as codes of pandas' kind if wanted."""
    import pandas as pd

    def series(column: Column, cells: np.ndarray) -> pd.Series:
        if not (categories and column.discrete):
            return pd.Series(cells)
        seen = np.unique(cells[~np.isnan(cells)]).astype(int)
        return pd.Series(pd.Categorical(pd.array(cells, dtype="Int64"), categories=seen))

    return pd.DataFrame({f"x{j}": series(c, table.values[:, j]) for j, c in enumerate(table.columns)})


@dataclass(frozen=True)
class Regular:
    """The regular values of each column, as the observed cells of a table show them."""

    columns: tuple[Column, ...]
    low: np.ndarray  # (d,)
    high: np.ndarray  # (d,)

    @classmethod
    def of(cls, table: Incomplete) -> Self:
        return cls(table.columns, np.nanmin(table.values, axis=0), np.nanmax(table.values, axis=0))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(..., d) within the observed range; integers and codes rounded."""
        inside = np.clip(values, self.low, self.high)
        return np.where(where(self.columns, kind="continuous"), inside, np.round(inside))


@dataclass(frozen=True)
class Dummies:
    """Numbers as they are; a 0/1 coordinate for each level of a category that was seen, but the first.

    The first has none, since in chained equations two coordinates that add up to one would hold each other fast.
    """

    regular: Regular
    levels: tuple[np.ndarray, ...]  # d: the codes seen of a categorical column, in order; empty for numbers

    @classmethod
    def fit(cls, table: Incomplete) -> Self:
        seen = (np.unique(x[~np.isnan(x)]) if c.discrete else np.array([]) for c, x in _by_column(table))
        return cls(Regular.of(table), tuple(seen))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Values (n, d) -> (n, width), NaN where hidden.

        >>> kind = Column("kind", "categorical", ("a", "b", "c"))
        >>> values = np.array([[0.0], [2.0], [1.0], [np.nan]])
        >>> Dummies.fit(Incomplete((kind,), values, ~np.isnan(values))).encode(values)
        array([[ 0.,  0.],
               [ 0.,  1.],
               [ 1.,  0.],
               [nan, nan]])
        """
        parts = []
        for levels, cells in zip(self.levels, values.T, strict=True):
            dummies = cells[:, None] == levels[1:]
            parts.append(np.where(np.isnan(cells)[:, None], np.nan, dummies) if len(levels) else cells[:, None])
        return np.hstack(parts)

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """(..., width) -> values (..., d): the level with the largest coordinate; numbers within their range."""
        values, start = [], 0
        for levels in self.levels:
            block = encoded[..., start : start + max(len(levels) - 1, 1)]
            start += block.shape[-1]
            if len(levels):
                scores = np.concatenate([1 - block.sum(-1, keepdims=True), block], axis=-1)
                values.append(levels[scores.argmax(-1)])
            else:
                values.append(block[..., 0])
        return self.regular(np.stack(values, axis=-1))


def point(table: Incomplete, samples: np.ndarray) -> np.ndarray:
    """One completed table (n, d) from completions (m, k) of the hidden cells, in ``np.argwhere`` order.

    The mean, rounded for integers; the most frequent level, the first of several.
    """
    values, column_of = table.values.copy(), np.argwhere(table.hidden)[:, 1]
    for j, column in enumerate(table.columns):
        drawn, hidden = samples[:, column_of == j], table.hidden[:, j]
        if column.discrete:
            values[hidden, j] = np.stack([(drawn == code).sum(0) for code in range(column.n_levels)]).argmax(0)
        else:
            mean = drawn.mean(0)
            values[hidden, j] = np.round(mean) if column.kind == "integer" else mean
    return values


def _by_column(table: Incomplete) -> list[tuple[Column, np.ndarray]]:
    return list(zip(table.columns, table.values.T, strict=True))
