"""What an analyst would estimate from a table: quantities that draws of its blanks should leave right.

A row counts for an estimand where all its columns have a value; so the mean of a column whose blanks can be meant is
that of the rows that have one.

>>> import numpy as np
>>> columns = (Column("age"), Column("income", mm_candidate=True))
>>> rows = np.array([[20.0, 1.0], [30.0, np.nan], [40.0, 3.0]])
>>> Mean("income").estimate(rows, columns)
Estimate(value=2.0, variance=1.0, n=2)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from lacuna.types import Column


class Estimate(NamedTuple):
    """Of one completed table; NaN where its rows do not tell."""

    value: float
    variance: float  # squared standard error
    n: int  # rows that count


class Estimand(Protocol):
    """A quantity that is estimated from a completed table."""

    @property
    def name(self) -> str: ...

    @property
    def truth(self) -> float | None:
        """By the law of the data; None: what the table without blanks says."""
        ...

    def estimate(self, rows: np.ndarray, columns: Sequence[Column]) -> Estimate:
        """From completed rows (n, d), NaN where a blank is meant, on the scale that ``truth`` has."""
        ...


UNKNOWN = Estimate(np.nan, np.nan, 0)


@dataclass(frozen=True)
class Mean:
    """Mean of a numeric column."""

    column: str
    truth: float | None = None

    @property
    def name(self) -> str:
        return f"mean {self.column}"

    def estimate(self, rows: np.ndarray, columns: Sequence[Column]) -> Estimate:
        x = _complete(rows, columns, [self.column])[:, 0]
        return Estimate(float(x.mean()), float(x.var(ddof=1)) / len(x), len(x)) if len(x) > 1 else UNKNOWN


@dataclass(frozen=True)
class Slope:
    """Coefficient of a numeric column in the least-squares regression of ``outcome`` on it and other columns.

    Args:
        outcome: a numeric column.
        column: the column whose coefficient it is.
        given: the other columns; categorical ones enter as indicators of their levels.
    """

    outcome: str
    column: str
    given: tuple[str, ...] = ()
    truth: float | None = None

    @property
    def name(self) -> str:
        return f"slope {self.outcome} {self.column}"

    def estimate(self, rows: np.ndarray, columns: Sequence[Column]) -> Estimate:
        named = {column.name: column for column in columns}
        y, x, *others = _complete(rows, columns, [self.outcome, self.column, *self.given]).T
        terms = [np.ones(len(y))]
        for name, other in zip(self.given, others, strict=True):
            terms += [other == level for level in np.unique(other)[1:]] if named[name].discrete else [other]
        rank, (x_left, y_left) = _left_over(np.column_stack(terms).astype(float), x, y)
        df, square = len(y) - rank - 1, float(x_left @ x_left)
        if df < 1 or square <= 1e-12 * len(x) * float(x.var()):
            return UNKNOWN
        slope = float(x_left @ y_left) / square
        return Estimate(slope, float(np.sum((y_left - slope * x_left) ** 2)) / df / square, len(y))


@dataclass(frozen=True)
class Correlation:
    """Correlation of two numeric columns, on Fisher's scale: arctanh(r), whose standard error is (n - 3)^-1/2."""

    a: str
    b: str
    truth: float | None = None

    @property
    def name(self) -> str:
        return f"correlation {self.a} {self.b}"

    def estimate(self, rows: np.ndarray, columns: Sequence[Column]) -> Estimate:
        both = _complete(rows, columns, [self.a, self.b])
        if len(both) < 4 or not (np.ptp(both, axis=0) > 0).all():
            return UNKNOWN
        r = np.clip(np.corrcoef(both.T)[0, 1], -1, 1)
        return Estimate(float(np.arctanh(r)), 1 / (len(both) - 3), len(both)) if abs(r) < 1 else UNKNOWN


def _complete(rows: np.ndarray, columns: Sequence[Column], names: Sequence[str]) -> np.ndarray:
    """(r, names) of the rows that have a value in all of these columns."""
    at = [column.name for column in columns]
    part = rows[:, [at.index(name) for name in names]]
    return part[~np.isnan(part).any(1)]


def _left_over(design: np.ndarray, *targets: np.ndarray) -> tuple[int, list[np.ndarray]]:
    """Rank of a design (n, k), whose columns are brought to one scale, and what it leaves of each target (n,)."""
    scaled = design.copy()
    scaled[:, 1:] -= scaled[:, 1:].mean(0)
    norm = np.linalg.norm(scaled, axis=0)
    basis, singular, _ = np.linalg.svd(scaled[:, norm > 0] / norm[norm > 0], full_matrices=False)
    basis = basis[:, singular > 1e-10]
    left = [target - target.mean() for target in targets]
    return basis.shape[1], [target - basis @ (basis.T @ target) for target in left]
