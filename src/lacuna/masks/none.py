"""No extra mask: the blanks are those of the data itself."""

from __future__ import annotations

import numpy as np

from lacuna.masks.base import Mask
from lacuna.types import OrdinaryMask, Table


class NoMask(Mask):
    """Hide nothing beyond what is blank already; ``ratio`` is ignored."""

    seeded = False

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        return OrdinaryMask(np.zeros(table.values.shape, bool))
