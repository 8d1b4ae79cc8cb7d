"""What a Bayes oracle needs to know: the law of the data under the law of the mask.

A data set whose law is known hands a ``DataLaw`` to ``Table.law``; a mask whose law is known hands a
``HidingLaw`` to ``OrdinaryMask.mechanism``; ``problem.hide`` joins both into the ``HiddenLaw`` of a Problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lacuna.types import Draws, Incomplete


class HidingLaw(Protocol):
    """How the observation process hides cells."""

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) probability that each cell is hidden, given the true values (n, d), NaN where meaningful.

        Cells are hidden independently of each other given the values. Columns come in the table's order.
        """


@dataclass(frozen=True)
class Posterior:
    """Every hidden cell of an Incomplete, given all that was observed and which cells were not."""

    meaningful: np.ndarray  # (k,): P(the blank is meaningful)
    # (k, L), L at least 1: P(level | not meaningful); 0 in numeric columns and past a column's own levels
    levels: np.ndarray
    # The cells, and what is known of each if its blank is not meaningful: mean, sd, quantiles (of the code in
    # a categorical column). Samples are joint within a row, and NaN where a blank is drawn as meaningful.
    regular: Draws


class HiddenLaw(Protocol):
    """The joint law of values, meaningful blanks and mask: what ``Problem.law`` holds."""

    def posterior(
        self, rows: Incomplete, draws: int = 0, rng: np.random.Generator | None = None, alpha: float = 0.05
    ) -> Posterior:
        """The exact posterior of the hidden cells of ``rows``, in ``np.argwhere(rows.hidden)`` order.

        Args:
            rows: columns in the order of the table that the mask was drawn for.
            draws: how many joint samples to add; they need ``rng``.
            alpha: the quantiles are alpha / 2 and 1 - alpha / 2.
        """


class DataLaw(Protocol):
    """The law of a data set: what ``Table.law`` holds."""

    def under(self, mechanism: HidingLaw | None) -> HiddenLaw | None:
        """Join with the law of the mask; None where that is unknown, or not one that this law can serve."""
