"""Columns lost together: a page that was not scanned, a panel that was not ordered, a file that was not joined."""

from __future__ import annotations

import numpy as np

from lacuna.masks.base import Mask
from lacuna.types import OrdinaryMask, Table


class Block(Mask):
    """The columns are divided into groups at random; each row loses each group whole with probability ``ratio``.

    Every column is lost at ``ratio``, whatever the values. Cells of one group are not lost independently, so that
    the process has no ``hide_probability``.

    Args:
        size: columns in a group; what is left over makes some groups larger. A table of fewer than 2 * ``size``
            columns is one group.
    """

    def __init__(self, size: int = 2) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.size = size

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        n, d = table.values.shape
        ordinary = np.zeros((n, d), bool)
        for group in np.array_split(rng.permutation(d), max(1, d // self.size)):
            ordinary[:, group] = rng.random((n, 1)) < ratio
        return OrdinaryMask(ordinary)
