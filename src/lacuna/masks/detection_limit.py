"""Detection limits: what a device cannot measure, because it is too small, is blank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.logistic import n_driving
from lacuna.types import OrdinaryMask, Table, where


@dataclass(frozen=True)
class LimitHiding:
    """A cell is hidden where its value lies below the limit of its column."""

    limits: np.ndarray  # (d,) in data units; -inf in columns without a limit

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) 0 or 1, given true values (n, d); 0 where a value is NaN."""
        return (values < self.limits).astype(np.float64)


class DetectionLimit(Mask):
    """A random share of the numeric columns has a limit, the ``ratio`` quantile; values below it are hidden.

    Of the values of such a column a share ``ratio`` is hidden; where values are tied, the share nearest to it that a
    limit can give. A cell that is meaningfully missing has no value and is not hidden. Nothing is random but which
    columns have a limit.

    Args:
        limited_share: share of the numeric columns that have a limit (rounded down, at least one column).
    """

    equal_rates = False  # of the cells; of the values they are

    def __init__(self, limited_share: float = 0.5) -> None:
        if not 0 < limited_share <= 1:
            raise ValueError(f"limited_share must lie in (0, 1], got {limited_share}")
        self.limited_share = limited_share

    def unsupported(self, table: Table) -> str | None:
        return why_no_limit(table)

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        if reason := self.unsupported(table):
            raise UserError(reason)
        numeric = np.flatnonzero(where(table.columns, discrete=False))
        limits = np.full(len(table.columns), -np.inf)
        for j in rng.permutation(numeric)[: n_driving(len(numeric), self.limited_share)]:
            limits[j] = limit(table.values[~np.isnan(table.values[:, j]), j], ratio)
        law = LimitHiding(limits)
        return OrdinaryMask(law.hide_probability(table.values).astype(bool), law)


def why_no_limit(table: Table) -> str | None:
    """A limit needs a number."""
    if where(table.columns, discrete=True).all():
        return f"table {table.name!r} has no numeric column, and categories have no limit: use mask=mcar"
    return None


def limit(values: np.ndarray, ratio: float) -> float:
    """The value below which a share of ``values`` (n,) lies that is nearest to ``ratio``; -inf where there is none.

    >>> limit(np.array([1.0, 2.0, 2.0, 3.0]), 0.3)
    2.0
    """
    if not len(values):
        return -np.inf
    distinct, counts = np.unique(values, return_counts=True)
    below = (counts.cumsum() - counts) / len(values)
    return float(distinct[np.abs(below - ratio).argmin()])
