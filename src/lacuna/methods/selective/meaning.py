"""The probability that a cell is meaningfully missing, given the values of the rest of its row."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from lacuna.crossfit import PATIENCE, Boosting, balanced_folds, categorical_columns, fitting_threads
from lacuna.numerics.binning import Bins
from lacuna.numerics.calibration import Isotonic
from lacuna.types import Column

MOST_COPIES = 60_000  # rows of all completed tables that a model learns from


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
    """P(meaningful | rest of the row) of one column, hidden or not, from completed tables.

    With p the probability of an ordinary blank, (hidden - p) / (1 - p) has that mean, whatever the row; boosted
    trees regress it on the rest of the row, with weights that undo its uneven variance. A model of P(hidden)
    would not do: shrunk towards its mean, it no longer rises and falls with p, and their difference is noise.

    Neither the trees, nor how many of them are used, nor their calibration have seen the rows that they judge.
    """

    column: int
    bins: Bins
    models: tuple[HistGradientBoostingRegressor | None, ...]  # by fold
    start: np.ndarray  # (folds,)
    rounds: np.ndarray  # (folds,) int
    calibrations: tuple[Isotonic, ...]  # by fold
    shares: np.ndarray  # (n, folds) of the training rows, see ``fold_shares``
    out_of_fold: np.ndarray  # (m, n) of the training rows

    @classmethod
    def fit(
        cls,
        columns: tuple[Column, ...],
        shown: np.ndarray,
        hidden: np.ndarray,
        first: np.ndarray,
        column: int,
        ordinary: np.ndarray,
        copy_weights: np.ndarray,
        boosting: Boosting,
        rng: np.random.Generator,
    ) -> Self:
        """Learn from m completed tables of n training rows.

        Args:
            shown: (m, n, d), NaN where meaningful.
            hidden: (n,) the column's blanks.
            first: (n,) int, the first row that each is equal to.
            ordinary: (1 or m, n) probability of an ordinary blank, below 1.
            copy_weights: (m, n) sum 1 by row.
        """
        m, n, _ = shown.shape
        ordinary = np.broadcast_to(ordinary, (m, n))
        target = (hidden - ordinary) / (1 - ordinary)
        share = np.clip(np.average(target, weights=(1 - ordinary) ** 2), 0.01, 0.99)
        blank = 1 - (1 - ordinary) * (1 - share)
        weights = copy_weights * (1 - ordinary) ** 2 / (blank * (1 - blank))
        weights = weights / weights.sum() * n
        features = np.delete(shown, column, axis=2).reshape(m * n, -1)
        bins = Bins.of(features)
        features = bins(features)
        fold = balanced_folds(hidden.astype(float), boosting.folds, rng)
        categorical = np.delete(categorical_columns(columns), column)
        flat_target, flat_weights, flat_fold = target.ravel(), weights.ravel(), np.tile(fold, m)
        some = np.arange(m * n)
        models: list[HistGradientBoostingRegressor | None] = []
        starts, losses, stages = [], [], []
        with fitting_threads(min(m * n, MOST_COPIES)):
            for k in range(boosting.folds):
                rows, held = some[flat_fold != k], some[flat_fold == k]
                if len(rows) > MOST_COPIES:
                    rows = rng.choice(rows, MOST_COPIES, replace=False)
                starts.append(np.average(flat_target[rows], weights=flat_weights[rows]))
                model = None
                if features.shape[1] and len(rows) / m >= 2 * boosting.min_leaf and np.ptp(flat_target[rows]) > 0:
                    model = HistGradientBoostingRegressor(
                        max_iter=boosting.rounds,
                        learning_rate=boosting.learning_rate,
                        max_leaf_nodes=boosting.leaves,
                        min_samples_leaf=boosting.min_leaf * (m if m * n <= MOST_COPIES else 1),
                        categorical_features=categorical if categorical.any() else None,
                        early_stopping=True,
                        n_iter_no_change=PATIENCE,
                        random_state=int(rng.integers(2**31)),
                    ).fit(
                        _with_values(features[rows]),
                        flat_target[rows],
                        flat_weights[rows],
                        X_val=features[held],
                        y_val=flat_target[held],
                        sample_weight_val=flat_weights[held],
                    )
                models.append(model)
                staged = [np.full(len(held), starts[-1])]
                if model is not None:
                    staged += list(model.staged_predict(features[held]))
                stages.append(staged)
                losses.append([float(flat_weights[held] @ (flat_target[held] - x) ** 2) for x in staged])
        most = max(map(len, losses))
        loss = np.array([x + x[-1:] * (most - len(x)) for x in losses])
        rounds = np.array([int(np.delete(loss, k, 0).sum(0).argmin()) for k in range(boosting.folds)])
        raw = np.empty(m * n)
        for k in range(boosting.folds):
            raw[flat_fold == k] = stages[k][min(rounds[k], len(stages[k]) - 1)]
        calibrations = tuple(
            Isotonic.fit(raw[flat_fold != k], flat_target[flat_fold != k], flat_weights[flat_fold != k])
            for k in range(boosting.folds)
        )
        out = np.empty(m * n)
        for k in range(boosting.folds):
            out[flat_fold == k] = calibrations[k](raw[flat_fold == k])
        shares = fold_shares(first, fold, boosting.folds)
        return cls(column, bins, tuple(models), np.array(starts), rounds, calibrations, shares, out.reshape(m, n))

    def predict(self, shown: np.ndarray, first: np.ndarray) -> np.ndarray:
        """(m, r) for completed tables (m, r, d) of r rows, NaN where meaningful.

        A row of the training table is judged by the models that have not seen it.

        Args:
            first: (r,) int, the first training row that each is equal to, -1 where there is none.
        """
        m, n, _ = shown.shape
        features = self.bins(np.delete(shown, self.column, axis=2).reshape(m * n, -1))
        n_folds = len(self.models)
        weights = np.where(first[:, None] >= 0, self.shares[first], 1 / n_folds)
        total = np.zeros((m, n))
        with fitting_threads(m * n):
            for k, model in enumerate(self.models):
                raw = np.full(m * n, self.start[k])
                if model is not None and self.rounds[k]:
                    raw = _at_round(model, features, int(self.rounds[k]))
                total += weights[:, k] * self.calibrations[k](raw).reshape(m, n)
        return total


def _at_round(model: HistGradientBoostingRegressor, features: np.ndarray, n: int) -> np.ndarray:
    """After n rounds, at least one, or the last one."""
    if n >= model.n_iter_:  # the same as the last stage, but faster
        return model.predict(features)
    return next(islice(model.staged_predict(features), n - 1, None))


def _with_values(features: np.ndarray) -> np.ndarray:
    """A column of nothing but NaN as 0: scikit-learn cannot bin it, and neither can be split."""
    return np.where(np.isnan(features).all(0), 0.0, features)
