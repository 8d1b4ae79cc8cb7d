"""Ridge regression whose penalty is chosen by leaving each row out, which costs one decomposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

PENALTIES = np.geomspace(1e-2, 1e3, 16)  # times the number of rows; less lets blanks of near-copies feed each other


@dataclass(frozen=True)
class Ridge:
    """y = intercept + X weights; columns of X that are constant get no weight."""

    weights: np.ndarray  # (f,)
    intercept: float
    penalty: float  # on the weights of standardised features, in sums over rows
    scale: np.ndarray  # (f,) of the features, on which the penalty is the same for all
    left_out: np.ndarray  # (n,) prediction of each row by the fit to all others

    @classmethod
    def fit(cls, features: np.ndarray, target: np.ndarray, trust: np.ndarray | float = 1.0) -> Self:
        """Features (n, f) without NaN, target (n,).

        Args:
            trust: (f,) by which standardised features are multiplied: the prior sd of their weights.

        >>> x = np.arange(20.0)[:, None]
        >>> fit = Ridge.fit(x, 3 * x[:, 0] + 1)
        >>> bool(np.abs(fit.predict(x) - 3 * x[:, 0] - 1).max() < 0.5)
        True
        """
        n = len(target)
        center, mean = features.mean(0), float(target.mean())
        sd = features.std(0)
        scale = np.where(sd > 1e-9 * (np.abs(center) + 1e-300), sd, np.inf) / trust
        standard, y = (features - center) / scale, target - mean
        left, singular, right = _decomposed(standard)
        shares = singular**2 / (singular**2 + n * PENALTIES[:, None])  # (penalties, r)
        fitted = (shares * (left.T @ y)) @ left.T
        leverage = shares @ (left**2).T + 1 / n
        errors = (y - fitted) / np.maximum(1 - leverage, 1e-6)
        best = int((errors**2).sum(1).argmin())
        penalty = float(n * PENALTIES[best])
        weights = right.T @ (singular / (singular**2 + penalty) * (left.T @ y)) / scale
        return cls(weights, mean - float(center @ weights), penalty, scale, target - errors[best])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n,) for features (n, f)."""
        return self.intercept + features @ self.weights


def _decomposed(standard: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left vectors (n, r), values (r,) and right vectors (r, f) of a matrix (n, f), by way of its smaller square."""
    n, f = standard.shape
    if not f:
        return np.empty((n, 0)), np.empty(0), np.empty((0, 0))
    square, vectors = np.linalg.eigh(standard.T @ standard if f <= n else standard @ standard.T)
    used = square > 1e-10 * max(float(square[-1]), 1e-300)  # beyond it lies what rounding has left
    singular, vectors = np.sqrt(square[used]), vectors[:, used]
    if f <= n:
        return standard @ vectors / singular, singular, vectors.T
    return vectors, singular, vectors.T @ standard / singular[:, None]
