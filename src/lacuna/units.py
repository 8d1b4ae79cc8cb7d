"""Columns of numbers that are too large, too small or too far from zero for a method, brought to a standard scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lacuna.types import Column, Draws, Imputation, Incomplete, narrowed, where

# The range in which methods are used as they are. Outside it, priors, tolerances and float32 begin to show: chained
# equations find nothing in a column with an sd of 1e-3 or 1e3, and float32 keeps 1.7e9 to the nearest 128.
SMALLEST_SD, LARGEST_SD = 1e-2, 1e2
FARTHEST = 1e3  # sds between the mean and zero


@dataclass(frozen=True)
class Units:
    """Two scales of each of d columns: as given, and as a method sees it; ``seen = (given - shift) / scale``.

    A column of numbers is divided by its sd where that is below ``SMALLEST_SD`` or above ``LARGEST_SD``, and its mean
    is taken off where it is more than ``FARTHEST`` sds from zero; all others stay bit for bit what they are. Whole
    numbers stay whole where only their mean, rounded, is taken off. Divided, they are continuous to the method, and
    are rounded when they come back. A constant is taken off where float32 cannot hold it.
    """

    columns: tuple[Column, ...]  # as given
    shift: np.ndarray  # (d,) float64, 0 where nothing is taken off
    scale: np.ndarray  # (d,) float64, 1 where nothing is divided
    low: np.ndarray  # (d,) smallest observed value
    high: np.ndarray  # (d,) largest observed value

    @classmethod
    def fit(cls, train: Incomplete) -> Self | None:
        """From observed training cells; None where all columns stay as they are."""
        shift, scale = np.zeros(len(train.columns)), np.ones(len(train.columns))
        low, high = np.zeros(len(train.columns)), np.zeros(len(train.columns))
        for j, column in enumerate(train.columns):
            cells = train.values[train.observed[:, j], j]
            low[j], high[j] = cells.min(), cells.max()
            if not column.discrete:
                shift[j], scale[j] = shift_and_scale(cells, column.kind == "integer")
        changed = shift.any() or (scale != 1).any()
        return cls(train.columns, shift, scale, low, high) if changed else None

    @property
    def rounded(self) -> np.ndarray:
        """(d,) bool: columns of whole numbers that are continuous to the method"""
        return where(self.columns, kind="integer") & (self.scale != 1)

    def encode(self, rows: Incomplete) -> Incomplete:
        """Rows as the method sees them."""
        return Incomplete(self._seen_columns, (rows.values - self.shift) / self.scale, rows.observed)

    @property
    def _seen_columns(self) -> tuple[Column, ...]:
        """As the method sees them: kinds and bounds too."""
        changed = zip(self.columns, self.rounded, self.shift, self.scale, strict=True)
        return tuple(
            replace(
                column,
                kind="continuous" if rounded else column.kind,
                low=None if column.low is None else (column.low - shift) / scale,
                high=None if column.high is None else (column.high - shift) / scale,
            )
            for column, rounded, shift, scale in changed
        )

    def decode(self, done: Imputation, open_ends: np.ndarray) -> Imputation:
        """An imputation in the units that were given.

        Args:
            open_ends: (2, d) bool, see ``Method.open_ends``.
        """
        ends = np.where(open_ends | ~self.rounded, [[-np.inf], [np.inf]], [self.low, self.high])

        def given(cells: np.ndarray, columns: np.ndarray, whole: np.ndarray | bool = False) -> np.ndarray:
            found = (self.shift[columns] + self.scale[columns] * cells).clip(*ends[:, columns])
            return np.where(whole, np.round(found), found)

        values = given(done.values, np.arange(len(self.columns)), self.rounded)
        draws = done.draws
        if draws is not None:
            column = draws.cells[:, 1]
            mean, lower, upper = (given(x, column) for x in (draws.mean, draws.lower, draws.upper))
            sd, samples, whole = self.scale[column] * draws.sd, draws.samples, self.rounded[column]
            if samples is not None:
                inside = samples
                samples = narrowed(lambda i: given(inside[i], column, whole), len(inside), column, sd)
            draws = Draws(draws.cells, mean, sd, lower, upper, draws.alpha, samples)
        return replace(done, values=values, draws=draws)


def shift_and_scale(cells: np.ndarray, whole: bool) -> tuple[float, float]:
    """What is taken off observed cells (k,), and what they are then divided by.

    >>> shift_and_scale(np.array([0.0, 20.0]), whole=False)
    (0.0, 1.0)
    >>> shift_and_scale(np.array([0.0, 2e6]), whole=True)
    (0.0, 1000000.0)
    >>> shift_and_scale(np.array([1_000_000.0, 1_000_003.0]), whole=True)
    (1000002.0, 1.0)
    """
    low, peak = float(cells.min()), float(np.abs(cells).max())
    if low == cells.max():
        with np.errstate(over="ignore"):
            return (0.0 if float(np.float32(low)) == low else low), 1.0
    relative = cells / peak  # squares stay finite
    mean, sd = peak * float(relative.mean()), peak * float(relative.std())
    divided = sd > LARGEST_SD or (sd < SMALLEST_SD and not whole)
    if abs(mean) <= FARTHEST * sd:
        mean = 0.0
    return (float(np.round(mean)) if whole and not divided else mean), (sd if divided else 1.0)
