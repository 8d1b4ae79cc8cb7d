"""Imputation by chained equations with Bayesian ridge regressions, by scikit-learn.

van Buuren, Groothuis-Oudshoorn, "mice: Multivariate Imputation by Chained Equations in R", 2011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lacuna.methods.external.packages import untouched
from lacuna.methods.external.tables import Dummies
from lacuna.methods.external.transductive import Transductive
from lacuna.rng import torch_seed
from lacuna.types import Incomplete

if TYPE_CHECKING:
    from sklearn.impute import IterativeImputer


def chain_seed(seed: int, chain: int) -> int:
    """Below 2^32; neighbouring root seeds share no chain."""
    return torch_seed(seed, "ice", chain) % 2**32


class ICE(Transductive):
    """Chains of ``IterativeImputer`` that draw from the posterior predictive distribution, each from a seed of its own.

    Categories enter as 0/1 coordinates; draws are clipped to the observed range.

    Args:
        rounds: in which every incomplete column is regressed on all others.
        samples: chains behind a point imputation.
    """

    label = "ICE"

    def __init__(self, rounds: int = 10, samples: int = 5) -> None:
        super().__init__(samples)
        if rounds < 1:
            raise ValueError(f"rounds must be at least 1, got {rounds}")
        self.rounds = rounds

    def _complete(self, table: Incomplete, n: int) -> np.ndarray:
        dummies = Dummies.fit(table)
        encoded, samples = dummies.encode(table.values), np.empty((n, table.hidden.sum()))
        for k in range(n):
            self.monitor.progress("chains", k, n)
            seed = chain_seed(self.seed_, k)
            with untouched(seed):
                samples[k] = dummies.decode(self._chain(encoded, seed))[table.hidden]
        return samples

    def _chain(self, encoded: np.ndarray, seed: int) -> np.ndarray:
        return self._imputer(seed).fit_transform(encoded)

    def _imputer(self, seed: int) -> IterativeImputer:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer
        from sklearn.linear_model import BayesianRidge

        return IterativeImputer(BayesianRidge(), sample_posterior=True, max_iter=self.rounds, random_state=seed)
