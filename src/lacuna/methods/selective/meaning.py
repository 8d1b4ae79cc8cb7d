"""The probability that a cell is meaningfully missing, given the values and the blanks of the rest of its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lacuna.crossfit import Boosting, CrossFitted, categorical_columns, cross_fit
from lacuna.numerics.calibration import Isotonic
from lacuna.types import Incomplete


def fold_shares(first: np.ndarray, fold: np.ndarray, n_folds: int) -> np.ndarray:
    """How the training rows that are equal to each one, itself included, are spread over the folds: (n, folds).

    Args:
        first: (n,) int, the first training row that each is equal to.
        fold: (n,) int, of each.

    >>> fold_shares(np.array([0, 1, 0]), np.array([0, 1, 2]), 3).tolist()
    [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]
    """
    counts = np.bincount(first * n_folds + fold, minlength=len(first) * n_folds).reshape(-1, n_folds)[first]
    return counts / counts.sum(1, keepdims=True)


@dataclass(frozen=True)
class MeaningRate:
    """P(meaningful | rest of the row) of one column, hidden or not.

    With p the probability of an ordinary blank, (hidden - p) / (1 - p) has that mean, whatever the row; boosted
    trees regress it on the rest of the row, with weights that undo its uneven variance. A model of P(hidden)
    would not do: shrunk towards its mean, it no longer rises and falls with p, and their difference is noise.
    """

    column: int
    trees: CrossFitted
    calibration: Isotonic
    shares: np.ndarray  # (n, folds) of the training rows, see ``fold_shares``
    out_of_fold: np.ndarray  # (n,) of the training rows

    @classmethod
    def fit(
        cls,
        train: Incomplete,
        first: np.ndarray,
        column: int,
        ordinary: np.ndarray,
        boosting: Boosting,
        rng: np.random.Generator,
    ) -> Self:
        """Learn from n training rows.

        Args:
            first: (n,) int, the first row that each is equal to.
            ordinary: (n,) probability of an ordinary blank, below 1.
        """
        hidden = train.hidden[:, column]
        target = (hidden - ordinary) / (1 - ordinary)
        blank = 1 - (1 - ordinary) * (1 - np.clip(target.mean(), 0.01, 0.99))
        weights = (1 - ordinary) ** 2 / (blank * (1 - blank))
        categorical = np.delete(categorical_columns(train.columns), column)
        features = np.delete(train.values, column, axis=1)
        trees = cross_fit(features, target, 0, categorical, boosting, rng, weights)
        raw = trees.out_of_fold[:, 0]
        calibration = Isotonic.fit(raw, target, weights)
        shares = fold_shares(first, trees.fold, len(trees.models))
        return cls(column, trees, calibration, shares, calibration(raw))

    def predict(self, values: np.ndarray, first: np.ndarray) -> np.ndarray:
        """(m,) for values (m, d), NaN where hidden.

        A row is judged by the models that have not seen it, which makes the prediction a function of the row alone.

        Args:
            first: (m,) int, the first training row that each is equal to, -1 where there is none.
        """
        features = np.delete(values, self.column, axis=1)
        weights = np.where(first[:, None] >= 0, self.shares[first], 1 / self.shares.shape[1])
        return self.calibration(self.trees.predict(features, weights)[:, 0])
