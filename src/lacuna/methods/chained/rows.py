"""Rows of a chain, and what the law of a column has to answer of them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np


class Rows(NamedTuple):
    """Rows as a chain completes them."""

    features: np.ndarray  # (n, width) of the state
    state: np.ndarray  # (n, d)
    observed: np.ndarray  # (n, d) bool


class ColumnLaw(Protocol):
    """A column given all others."""

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, 1) of a number's state, or (h, k) probabilities of levels, as far as they are known without a draw."""

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The state (h,) of rows of this ``mean``, and its mean given all of the row, shaped like ``mean``."""
