"""The synthetic Bayesian network of Diff-Joint, appendix C.1: C1 -> C2, (C1, C2, D1) -> D2 -> D3."""

from __future__ import annotations

import math

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.bayesnet_law import (
    C1_MEAN,
    C1_NA_ABOVE,
    C1_SD,
    C2_INTERCEPT,
    C2_SD,
    C2_SLOPE,
    COLUMNS,
    D2_NA,
    D3_GIVEN,
    D3_NA,
    P_D1,
    BayesNetLaw,
    d2_probabilities,
)
from lacuna.estimands import Mean, Slope
from lacuna.types import Table

TARGETS = ("D2", "D3")
_CUT = (C1_NA_ABOVE - C1_MEAN) / C1_SD
_BELOW = (1 + math.erf(_CUT / math.sqrt(2))) / 2
ESTIMANDS = (
    Mean("C1", truth=C1_MEAN - C1_SD * math.exp(-(_CUT**2) / 2) / math.sqrt(2 * math.pi) / _BELOW),  # of who have one
    Mean("C2", truth=C2_SLOPE * C1_MEAN + C2_INTERCEPT),
    Slope("C2", "C1", truth=C2_SLOPE),
)


def _draw(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One category per row of probabilities (n, k)."""
    return (rng.random((len(probabilities), 1)) > probabilities.cumsum(1)[:, :-1]).sum(1)


class BayesNet(Dataset):
    """``n_train + n_test`` independent rows of the network.

    Meaningful missingness: C1 above 27 (15.9%), D2 by situation (14.4%), D3 where D2 is 1 or NA (22.2%).
    """

    description = "the synthetic Bayesian network (Diff-Joint, C.1)"

    def __init__(self, n_train: int = 14_000, n_test: int = 6_000) -> None:
        if n_train < 1 or n_test < 0:
            raise ValueError(f"n_train must be at least 1 and n_test at least 0, got {n_train} and {n_test}")
        self.n_train, self.n_test = n_train, n_test

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        n = self.n_train + self.n_test
        c1 = rng.normal(C1_MEAN, C1_SD, n)
        c2 = rng.normal(C2_SLOPE * c1 + C2_INTERCEPT, C2_SD)
        d1 = (rng.random(n) < P_D1).astype(np.float64)
        d2 = _draw(d2_probabilities(c1, c2, d1), rng)
        d3 = _draw(D3_GIVEN[d2], rng)
        meaningful = np.stack(
            [c1 > C1_NA_ABOVE, np.zeros(n, bool), np.zeros(n, bool), d2 == D2_NA, d3 == D3_NA], axis=1
        )
        values = np.where(meaningful, np.nan, np.stack([c1, c2, d1, d2, d3], axis=1))
        train_rows = np.zeros(n, bool)
        train_rows[split_rng.permutation(n)[: self.n_train]] = True
        split = train_rows if self.n_test else None
        law = BayesNetLaw()
        return Table("bayesnet", COLUMNS, values, meaningful, split, law, targets=TARGETS, estimands=ESTIMANDS)
