"""The synthetic Bayesian network of Diff-Joint, appendix C.1: C1 -> C2, (C1, C2, D1) -> D2 -> D3."""

from __future__ import annotations

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.types import Column, Table

COLUMNS = (
    Column("C1", "continuous", mm_candidate=True),
    Column("C2", "continuous"),
    Column("D1", "categorical", (0, 1)),
    Column("D2", "categorical", (0, 1, 2), mm_candidate=True),
    Column("D3", "categorical", (0, 1), mm_candidate=True),
)

# N(a, b) takes b as the standard deviation: only so does the published RMSE near 5 of C2 follow.
C1_MEAN, C1_SD, C1_NA_ABOVE = 25.0, 2.0, 27.0
C2_SLOPE, C2_INTERCEPT, C2_SD = 0.1, 50.0, 5.0
C1_CUT, C2_CUT = 26.0, 55.0
P_D1 = 0.3
# P(D2 = 0, 1, 2, na) by situation
D2_GIVEN = {
    "D1=0": (0.05, 0.05, 0.9, 0.0),
    "high C1, high C2": (0.3, 0.6, 0.1, 0.0),
    "high C1, low C2": (0.2, 0.3, 0.5, 0.0),
    "low C1, high C2": (0.7, 0.1, 0.2, 0.0),
    "low C1, low C2": (0.0, 0.0, 0.0, 1.0),
}
# P(D3 = 0, 1, na) by D2 = 0, 1, 2, na
D3_GIVEN = np.array([(0.8, 0.2, 0.0), (0.0, 0.0, 1.0), (0.2, 0.8, 0.0), (0.0, 0.0, 1.0)])


def d2_probabilities(c1: np.ndarray, c2: np.ndarray, d1: np.ndarray) -> np.ndarray:
    """P(D2 = 0, 1, 2, na | C1, C2, D1); the arguments broadcast to a shape s, the result is (*s, 4)."""
    high1, high2 = (c1 > C1_CUT)[..., None], (c2 > C2_CUT)[..., None]
    row = {name: np.array(p) for name, p in D2_GIVEN.items()}
    one = np.where(
        high1,
        np.where(high2, row["high C1, high C2"], row["high C1, low C2"]),
        np.where(high2, row["low C1, high C2"], row["low C1, low C2"]),
    )
    return np.where((d1 == 1)[..., None], one, row["D1=0"])


def _draw(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One category per row of probabilities (n, k)."""
    return (rng.random((len(probabilities), 1)) > probabilities.cumsum(1)[:, :-1]).sum(1)


class BayesNet(Dataset):
    """``n_train + n_test`` independent rows of the network.

    Meaningful missingness: C1 above 27 (15.9%), D2 by situation (14.4%), D3 where D2 is 1 or NA (22.2%).
    """

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
        meaningful = np.stack([c1 > C1_NA_ABOVE, np.zeros(n, bool), np.zeros(n, bool), d2 == 3, d3 == 2], axis=1)
        values = np.where(meaningful, np.nan, np.stack([c1, c2, d1, d2, d3], axis=1))
        train_rows = np.zeros(n, bool)
        train_rows[split_rng.permutation(n)[: self.n_train]] = True
        return Table("bayesnet", COLUMNS, values, meaningful, train_rows if self.n_test else None)
