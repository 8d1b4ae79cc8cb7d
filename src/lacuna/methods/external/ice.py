"""Imputation by chained equations with Bayesian ridge regressions, by scikit-learn.

van Buuren, Groothuis-Oudshoorn, "mice: Multivariate Imputation by Chained Equations in R", 2011.
"""

from __future__ import annotations

import numpy as np

from lacuna.methods.external.packages import untouched
from lacuna.methods.external.tables import Dummies
from lacuna.methods.external.transductive import Transductive
from lacuna.types import Incomplete


class ICE(Transductive):
    """Chains of ``IterativeImputer`` that draw from the posterior predictive distribution, one seed after the other.

    Categories enter as 0/1 coordinates; draws are clipped to the observed range.

    Args:
        rounds: in which every incomplete column is regressed on all others.
        samples: chains behind a point imputation.
    """

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
            with untouched(self.seed_ + k):
                samples[k] = dummies.decode(self._chain(encoded, self.seed_ + k))[table.hidden]
        return samples

    def _chain(self, encoded: np.ndarray, seed: int) -> np.ndarray:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer
        from sklearn.linear_model import BayesianRidge

        imputer = IterativeImputer(
            BayesianRidge(), sample_posterior=True, max_iter=self.rounds, random_state=seed % 2**32
        )
        return imputer.fit_transform(encoded)
