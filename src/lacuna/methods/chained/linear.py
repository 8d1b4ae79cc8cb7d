"""Weighted ridge and multinomial ridge regressions, small and fast: a chain fits hundreds of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax


@dataclass(frozen=True)
class WeightedRidge:
    """y = intercept + X weights, by least squares over weighted rows and a penalty."""

    weights: np.ndarray  # (f,)
    intercept: float
    left_out: np.ndarray  # (n,) error of each row's prediction by the fit to all others
    freedom: float  # degrees of freedom that the fit uses, with the intercept

    @classmethod
    def fit(cls, features: np.ndarray, target: np.ndarray, row_weights: np.ndarray, penalty: float) -> Self:
        """Features (n, f), target (n,), row_weights (n,) that sum to n.

        Args:
            penalty: on the squares of the weights, in sums over rows; above 0.
        """
        n, f = features.shape
        center, mean = row_weights @ features / n, float(row_weights @ target / n)
        root = np.sqrt(row_weights)
        x, y = (features - center) * root[:, None], (target - mean) * root
        if f <= n:
            factor = cho_factor(x.T @ x + penalty * np.eye(f))
            weights = cho_solve(factor, x.T @ y)
            leverage = np.einsum("nf,fn->n", x, cho_solve(factor, x.T))
        else:  # the smaller square
            square = x @ x.T
            solved = cho_solve(cho_factor(square + penalty * np.eye(n)), np.column_stack([y, square]))
            weights, leverage = x.T @ solved[:, 0], np.diag(solved[:, 1:])
        leverage = leverage + row_weights / n
        intercept = mean - float(center @ weights)
        errors = (target - intercept - features @ weights) / np.maximum(1 - leverage, 1e-3)
        return cls(weights, intercept, errors, float(leverage.sum()))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n,) for features (n, f)."""
        return self.intercept + features @ self.weights


PENALTIES = np.geomspace(1e-4, 1e2, 13)  # per row, on standardised features
WITHIN = 0.5  # standard errors of the difference to the least left-out error
ENOUGH_ROWS = 5_000  # to choose a penalty


def least_penalty(features: np.ndarray, target: np.ndarray) -> float:
    """The smallest penalty per row whose left-out error cannot be told from the least one.

    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> least_penalty(x, 2 * x[:, 0])
    0.0001
    """
    few = slice(None, None, max(1, len(target) // ENOUGH_ROWS))
    features, target = features[few], target[few]
    n, even = len(target), np.ones(len(target))
    squares = [WeightedRidge.fit(features, target, even, n * p).left_out ** 2 for p in PENALTIES]
    return float(PENALTIES[first_as_good(np.array(squares))])


def first_as_good(losses: np.ndarray) -> int:
    """Of losses (choices, n) the first choice that cannot be told from the best.

    Among penalties in ascending order: the best shrinks slopes by more than an analysis of the completed table can
    bear.
    """
    worse = losses - losses[losses.sum(1).argmin()]
    return int((worse.sum(1) <= WITHIN * np.sqrt(losses.shape[1]) * worse.std(1)).argmax())


@dataclass(frozen=True)
class MultinomialRidge:
    """log P(level) = intercepts + X weights, up to a constant of the row."""

    weights: np.ndarray  # (f, k)
    intercepts: np.ndarray  # (k,)

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        target: np.ndarray,
        n_levels: int,
        row_weights: np.ndarray,
        penalty: float,
        start: MultinomialRidge | None = None,
    ) -> Self:
        """Features (n, f), target (n,) codes, row_weights (n,).

        Args:
            penalty: half of it on the squares of the weights, in sums over rows; above 0. Intercepts have a slight
                one, so that a level that no row has stays possible.
            start: an earlier fit, from which fewer steps are needed.
        """
        n, f = features.shape
        truth = np.eye(n_levels)[target.astype(np.intp)]
        shrink = np.full((f + 1, 1), penalty)
        shrink[f] = 1e-3
        x = np.column_stack([features, np.ones(n)])

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            theta = flat.reshape(f + 1, n_levels)
            log_p = log_softmax(x @ theta, axis=1)
            loss = -row_weights @ (truth * log_p).sum(1) + (shrink * theta**2).sum() / 2
            slope = x.T @ (row_weights[:, None] * (np.exp(log_p) - truth)) + shrink * theta
            return float(loss) / n, slope.ravel() / n

        if start is None:
            shares = row_weights @ truth + 0.5
            first = np.zeros((f + 1, n_levels))
            first[f] = np.log(shares / shares.sum())
        else:
            first = np.vstack([start.weights, start.intercepts])
        found = minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100, "gtol": 1e-4})
        theta = found.x.reshape(f + 1, n_levels)
        return cls(theta[:f], theta[f])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n, k) probabilities for features (n, f)."""
        return softmax(features @ self.weights + self.intercepts, axis=1)
