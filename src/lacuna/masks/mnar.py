"""Missing not at random (Diff-Joint C.3): the columns that drive the blanks of the others have blanks too."""

from __future__ import annotations

import numpy as np

from lacuna.masks.base import Mask
from lacuna.masks.logistic import draw_logistic, n_driving, why_not_logistic
from lacuna.types import OrdinaryMask, Table


class MNAR(Mask):
    """A random share of the columns drives a logistic model of the others, then is itself masked MCAR.

    Args:
        driving_share: share of the columns that drive the others (rounded down, at least one column).
    """

    label = "MNAR"

    def __init__(self, driving_share: float = 0.3) -> None:
        if not 0 < driving_share < 1:
            raise ValueError(f"driving_share must lie in (0, 1), got {driving_share}")
        self.driving_share = driving_share

    def unsupported(self, table: Table) -> str | None:
        return why_not_logistic(table)

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        return draw_logistic(table, n_driving(len(table.columns), self.driving_share), ratio, ratio, rng)
