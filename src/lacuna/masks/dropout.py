"""Dropout: a row is lost from a random column on, as where a person leaves a study or stops answering."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.types import OrdinaryMask, Table


def hazard(n_columns: int, rate: float) -> float:
    """The probability to stop before each of ``n_columns`` at which they are lost at ``rate`` on average.

    Column j = 1, 2, ... is lost with probability 1 - (1 - hazard)^j.

    >>> round(hazard(1, 0.3), 6)
    0.3
    """
    columns = np.arange(1, n_columns + 1)
    # the mean over the columns lies above the hazard, which is the rate of the first
    return float(brentq(lambda h: (1 - (1 - h) ** columns).mean() - rate, 0.0, 1.0, xtol=1e-14))


class Dropout(Mask):
    """Columns in their order: before each the row stops with one probability, and loses everything from there on.

    ``ratio`` is the mean rate of the columns that can be lost; later columns are lost more often. The blanks are
    monotone: whoever misses a column misses all later ones. Values have no part in it. Cells of one row are not lost
    independently, so that the process has no ``hide_probability``.

    Args:
        n_seen: the first columns, at least one, which are never lost.
    """

    equal_rates = False

    def __init__(self, n_seen: int = 1) -> None:
        if n_seen < 1:
            raise ValueError(f"n_seen must be at least 1, got {n_seen}")
        self.n_seen = n_seen

    def unsupported(self, table: Table) -> str | None:
        if len(table.columns) <= self.n_seen:
            return (
                f"table {table.name!r} has {len(table.columns)} columns, and mask=dropout never loses the first "
                f"{self.n_seen}: lower mask.n_seen or use mask=mcar"
            )
        return None

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        if reason := self.unsupported(table):
            raise UserError(reason)
        n, d = table.values.shape
        n_kept = self.n_seen + rng.geometric(hazard(d - self.n_seen, ratio), (n, 1)) - 1
        return OrdinaryMask(np.arange(d) >= n_kept)
