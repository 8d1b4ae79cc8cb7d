"""Frailty: some rows lose more cells than others, all columns alike, as where careless respondents skip questions."""

from __future__ import annotations

import numpy as np

from lacuna.masks.base import Mask
from lacuna.types import OrdinaryMask, Table


class Frailty(Mask):
    """Each row has a rate of its own from a beta distribution with mean ``ratio``, and loses each cell at that rate.

    Every column is lost at ``ratio``, whatever the values. The row's rate makes its blanks depend on each other, so
    that the process has no ``hide_probability``.

    Args:
        concentration: the sum of the beta distribution's parameters; the correlation of two blanks of one row is
            1 / (1 + concentration).
    """

    def __init__(self, concentration: float = 5.0) -> None:
        if not concentration > 0:
            raise ValueError(f"concentration must be positive, got {concentration}")
        self.concentration = concentration

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        rates = rng.beta(ratio * self.concentration, (1 - ratio) * self.concentration, len(table.values))
        return OrdinaryMask(rng.random(table.values.shape) < rates[:, None])
