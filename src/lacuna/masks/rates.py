"""Column rates: every column is lost completely at random, at a rate of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from lacuna.masks.base import Mask
from lacuna.masks.logistic import intercept
from lacuna.types import OrdinaryMask, Table


@dataclass(frozen=True)
class ColumnHiding:
    """Every cell is hidden at the rate of its column."""

    rates: np.ndarray  # (d,)

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) probability that each cell is hidden, given true values (n, d)."""
        return np.broadcast_to(self.rates, values.shape).copy()


class Rates(Mask):
    """The columns' log-odds of being lost are normal around a common level; ``ratio`` is the mean of their rates.

    Args:
        spread: sd of the log-odds between columns; 0 is mask=mcar.
    """

    equal_rates = False

    def __init__(self, spread: float = 1.0) -> None:
        if spread < 0:
            raise ValueError(f"spread must not be negative, got {spread}")
        self.spread = spread

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        log_odds = self.spread * rng.standard_normal(len(table.columns))
        law = ColumnHiding(expit(log_odds + intercept(log_odds[:, None], ratio)))
        return OrdinaryMask(rng.random(table.values.shape) < law.rates, law)
