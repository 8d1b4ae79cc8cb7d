"""The probability that a cell is meaningfully missing, given the values and the blanks of the rest of its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lacuna.crossfit import Boosting, CrossFitted, categorical_columns, cross_fit
from lacuna.numerics.calibration import Isotonic
from lacuna.types import Incomplete


@dataclass(frozen=True)
class RowFolds:
    """Recognises training rows by their content, so that a row is never judged by a model that has seen it.

    It makes a prediction a function of the row alone: the same row gets the same answer in any company.
    """

    keys: np.ndarray  # (u,) uint64 of the distinct training rows, sorted
    shares: np.ndarray  # (u, folds): how the training rows of that content are spread over the folds

    @classmethod
    def of(cls, values: np.ndarray, fold: np.ndarray, n_folds: int) -> Self:
        keys, row = np.unique(row_keys(values), return_inverse=True)
        counts = np.bincount(row * n_folds + fold, minlength=len(keys) * n_folds).reshape(-1, n_folds)
        return cls(keys, counts / counts.sum(1, keepdims=True))

    def weights(self, values: np.ndarray) -> np.ndarray:
        """(n, folds) of each fold's model: those that left the row out; equal for a row not seen in training."""
        wanted = row_keys(values)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        known = (self.keys[at] == wanted)[:, None]
        return np.where(known, self.shares[at], 1 / self.shares.shape[1])


def row_keys(values: np.ndarray) -> np.ndarray:
    """A 64-bit hash (n,) of each row of values (n, d); NaNs are alike, and so are both zeros."""
    bits = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
    keys = np.zeros(len(values), np.uint64)
    for column in bits.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


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
    folds: RowFolds
    out_of_fold: np.ndarray  # (n,) of the training rows

    @classmethod
    def fit(
        cls, train: Incomplete, column: int, ordinary: np.ndarray, boosting: Boosting, rng: np.random.Generator
    ) -> Self:
        """``ordinary`` (n,) is the probability of an ordinary blank, below 1."""
        hidden = train.hidden[:, column]
        target = (hidden - ordinary) / (1 - ordinary)
        blank = 1 - (1 - ordinary) * (1 - np.clip(target.mean(), 0.01, 0.99))
        weights = (1 - ordinary) ** 2 / (blank * (1 - blank))
        categorical = np.delete(categorical_columns(train.columns), column)
        features = np.delete(train.values, column, axis=1)
        trees = cross_fit(features, target, 0, categorical, boosting, rng, weights)
        raw = trees.out_of_fold[:, 0]
        calibration = Isotonic.fit(raw, target, weights)
        folds = RowFolds.of(train.values, trees.fold, len(trees.models))
        return cls(column, trees, calibration, folds, calibration(raw))

    def predict(self, values: np.ndarray) -> np.ndarray:
        """(n,) for values (n, d), NaN where hidden."""
        features = np.delete(values, self.column, axis=1)
        return self.calibration(self.trees.predict(features, self.folds.weights(values))[:, 0])
