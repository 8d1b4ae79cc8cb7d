"""Missing at random (Diff-Joint C.3): columns that are always seen drive the blanks of the others."""

from __future__ import annotations

import numpy as np

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.logistic import draw_logistic, n_driving, why_not_logistic
from lacuna.types import OrdinaryMask, Table


class MAR(Mask):
    """A random share of the columns is never masked and drives a logistic model of the others.

    Args:
        observed_share: share of the columns that are never masked (rounded down, at least one column).
        overall: False: ``ratio`` is the rate in the masked columns; True: in the whole table.
    """

    label = "MAR"

    def __init__(self, observed_share: float = 0.3, overall: bool = False) -> None:
        if not 0 < observed_share < 1:
            raise ValueError(f"observed_share must lie in (0, 1), got {observed_share}")
        self.observed_share, self.overall = observed_share, overall

    def unsupported(self, table: Table) -> str | None:
        return why_not_logistic(table)

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        n_columns = len(table.columns)
        n_drivers = n_driving(n_columns, self.observed_share)
        if self.overall and n_drivers < n_columns:
            masked_share = 1 - n_drivers / n_columns
            if ratio >= masked_share:
                raise UserError(
                    f"ratio {ratio} of the whole table cannot be reached: only {masked_share:.2f} of it may "
                    "be masked; lower ratio or mask.observed_share, or set mask.overall=false"
                )
            ratio /= masked_share
        return draw_logistic(table, n_drivers, ratio, 0.0, rng)
