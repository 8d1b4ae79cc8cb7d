"""Ridge regression whose penalty is chosen by leaving each row out, which costs one decomposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

PENALTIES = np.geomspace(1e-4, 1e3, 22)  # times the number of rows


@dataclass(frozen=True)
class Ridge:
    """y = intercept + X weights; columns of X that are constant get no weight."""

    weights: np.ndarray  # (f,)
    intercept: float
    penalty: float  # on the weights of standardised features, in sums over rows
    left_out: np.ndarray  # (n,) prediction of each row by the fit to all others

    @classmethod
    def fit(cls, features: np.ndarray, target: np.ndarray) -> Self:
        """Features (n, f) without NaN, target (n,).

        >>> x = np.arange(20.0)[:, None]
        >>> fit = Ridge.fit(x, 3 * x[:, 0] + 1)
        >>> bool(np.abs(fit.predict(x) - 3 * x[:, 0] - 1).max() < 0.02)
        True
        """
        n = len(target)
        center, mean = features.mean(0), float(target.mean())
        sd = features.std(0)
        sd = np.where(sd > 1e-9 * (np.abs(center) + 1e-300), sd, np.inf)
        standard, y = (features - center) / sd, target - mean
        left, singular, right = np.linalg.svd(standard, full_matrices=False)
        shares = singular**2 / (singular**2 + n * PENALTIES[:, None])  # (penalties, r)
        fitted = (shares * (left.T @ y)) @ left.T
        leverage = shares @ (left**2).T + 1 / n
        errors = (y - fitted) / np.maximum(1 - leverage, 1e-6)
        best = int((errors**2).sum(1).argmin())
        penalty = float(n * PENALTIES[best])
        weights = right.T @ (singular / (singular**2 + penalty) * (left.T @ y)) / sd
        return cls(weights, mean - float(center @ weights), penalty, target - errors[best])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n,) for features (n, f)."""
        return self.intercept + features @ self.weights
