"""Self-masking logistic blanks (MissBGM C.2): its own value and a mix of the row decide on a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from lacuna.masks.base import Mask
from lacuna.masks.logistic import intercept, standardised
from lacuna.numerics.moments import column_moments
from lacuna.types import OrdinaryMask, Table

OWN, MIXED = 0.6, 0.4  # weights of the cell's own value and of the row's mix in the score
MIX_SD = 0.3  # sd of the mixing weights, before division by sqrt(d)
PUBLISHED_SEED = 123


def scores(standard: np.ndarray, mixing: np.ndarray) -> np.ndarray:
    """Equation 67: the score (n, d) of standard scores (n, d) with mixing weights (d, d)."""
    return OWN * standard + MIXED * np.tanh(standard @ mixing)


@dataclass(frozen=True)
class SelfLogisticHiding:
    """A cell is seen with probability sigmoid(score + intercept)."""

    mean: np.ndarray  # (d,)
    sd: np.ndarray  # (d,)
    mixing: np.ndarray  # (d, d)
    intercept: float

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) probability that each cell is hidden, given true values (n, d), NaN where none."""
        return expit(-scores(standardised(values, self.mean, self.sd), self.mixing) - self.intercept)


class SelfLogistic(Mask):
    """Larger values are seen more often; one intercept makes the rate over all cells ``ratio``.

    The mixing weights are independent normals with mean 0 and sd 0.3 / sqrt(d). A row, or a column within the
    training rows, that would be left with nothing gets back its likeliest seen cell; the mechanism does not
    account for that repair.

    Args:
        published: False: fresh weights and blanks from the mask's own random stream. True: those of the
            paper's UCI benchmarks, whatever the seed: ``default_rng(123)``, standard scores in float32.
    """

    label = "self-logistic"

    def __init__(self, published: bool = False) -> None:
        self.published = published
        self.seeded = not published

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        mean, sd = column_moments(table.values)
        standard = standardised(table.values, mean, sd)
        if self.published:
            rng, standard = np.random.default_rng(PUBLISHED_SEED), standard.astype(np.float32)
        d = len(table.columns)
        mixing = rng.normal(0.0, MIX_SD, (d, d)) / np.sqrt(d)
        score = scores(standard, mixing)
        law = SelfLogisticHiding(mean, sd, mixing, float(intercept(score.reshape(-1, 1), 1 - ratio)[0]))
        seen_probability = expit(score + law.intercept)
        # binomial, not random() < p: its stream is the one behind the published masks
        seen = rng.binomial(1, seen_probability).astype(bool)
        keep_something(seen, np.where(np.isnan(table.values), -1.0, seen_probability), table.train_rows)
        return OrdinaryMask(~seen, law)


def keep_something(seen: np.ndarray, preference: np.ndarray, train_rows: np.ndarray | None) -> None:
    """Where a row, or a column within the training rows, shows nothing, show its most preferred cell.

    Changes ``seen`` in place.

    Args:
        seen: (n, d) bool.
        preference: (n, d); below 0 where the cell has no value, so that seeing it shows nothing.
        train_rows: (n,) bool, or None for all.
    """
    exists = preference >= 0
    empty_rows = np.flatnonzero(~(seen & exists).any(1) & exists.any(1))
    seen[empty_rows, preference[empty_rows].argmax(1)] = True
    if train_rows is not None:
        exists, preference = exists & train_rows[:, None], np.where(train_rows[:, None], preference, -1.0)
    empty_columns = np.flatnonzero(~(seen & exists).any(0) & exists.any(0))
    seen[preference[:, empty_columns].argmax(0), empty_columns] = True
