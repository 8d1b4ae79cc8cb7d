"""Missing completely at random (Diff-Joint C.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.masks.base import Mask
from lacuna.types import OrdinaryMask, Table


@dataclass(frozen=True)
class ConstantHiding:
    """Every cell is hidden with one probability."""

    ratio: float

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) probability that the process hides each cell, given the true values (n, d)."""
        return np.full(values.shape, self.ratio)


class MCAR(Mask):
    """Every cell is hidden with probability ``ratio``."""

    label = "MCAR"

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        return OrdinaryMask(rng.random(table.values.shape) < ratio, ConstantHiding(ratio))
