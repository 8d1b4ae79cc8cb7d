"""What the logistic masks share: standard scores, intercepts for a given rate, and the hiding law itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from lacuna.errors import UserError
from lacuna.numerics.moments import column_moments
from lacuna.types import OrdinaryMask, Table


def standardised(values: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Standard scores (n, d) of values (n, d); NaN becomes 0, the column's mean."""
    return np.nan_to_num((values - mean) / sd, nan=0.0)


def intercept(scores: np.ndarray, rate: float) -> np.ndarray:
    """The b at which sigmoid(score + b) is ``rate`` on average over the rows, by bisection that interpolates.

    Args:
        scores: (n, t), one column a target.
        rate: in (0, 1).

    Returns:
        (t,), to the last bit or nearly so.
    """
    if not 0 < rate < 1:
        raise ValueError(f"the missing rate must lie in (0, 1), got {rate}")

    def of_target(score: np.ndarray) -> float:
        # Beyond these ends every row's probability is below, or above, the rate.
        low, high = logit(rate) - score.max() - 1, logit(rate) - score.min() + 1
        return brentq(lambda b: expit(score + b).mean() - rate, low, high, xtol=1e-14)

    return np.array([of_target(np.ascontiguousarray(score)) for score in scores.T])


@dataclass(frozen=True)
class LogisticHiding:
    """Target columns are hidden by a logistic model of the driving columns, these at one constant rate."""

    mean: np.ndarray  # (q,) of the driving columns
    sd: np.ndarray  # (q,)
    drivers: np.ndarray  # (q,) int: column indices
    targets: np.ndarray  # (t,) int: all the other columns
    weights: np.ndarray  # (q, t): on standard scores
    intercepts: np.ndarray  # (t,)
    driver_rate: float  # at which the driving columns are hidden themselves

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) probability that each cell is hidden, given true values (n, d), NaN where none."""
        scores = standardised(values[:, self.drivers], self.mean, self.sd) @ self.weights
        probability = np.full(values.shape, self.driver_rate)
        probability[:, self.targets] = expit(scores + self.intercepts)
        return probability


def n_driving(n_columns: int, share: float) -> int:
    """How many of the columns drive the others: ``share`` of them rounded down, at least one.

    >>> [n_driving(d, 0.3) for d in (2, 5, 9, 10, 30)]
    [1, 1, 2, 3, 9]
    """
    return max(1, int(share * n_columns + 1e-9))


def why_not_logistic(table: Table) -> str | None:
    """A logistic mask needs a column that drives and one that is hidden."""
    if len(table.columns) < 2:
        return f"table {table.name!r} has a single column: no other column can drive its mask; use mask=mcar"
    return None


def draw_logistic(
    table: Table, n_drivers: int, ratio: float, driver_rate: float, rng: np.random.Generator
) -> OrdinaryMask:
    """Choose driving columns and weights, then hide cells of the others at ``ratio`` on average.

    A target's score is a sum of the driving columns' standard scores with independent normal weights, divided
    so that its sd over the rows of the table is one. Categorical columns enter by their codes.
    """
    if reason := why_not_logistic(table):
        raise UserError(reason)
    shuffled = rng.permutation(len(table.columns))
    drivers, targets = np.sort(shuffled[:n_drivers]), np.sort(shuffled[n_drivers:])
    mean, sd = column_moments(table.values[:, drivers])
    standard = standardised(table.values[:, drivers], mean, sd)
    weights = rng.standard_normal((len(drivers), len(targets)))
    spread = (standard @ weights).std(0)
    weights /= np.where(spread > 0, spread, 1.0)
    law = LogisticHiding(mean, sd, drivers, targets, weights, intercept(standard @ weights, ratio), driver_rate)
    return OrdinaryMask(rng.random(table.values.shape) < law.hide_probability(table.values), law)
