"""Gradient boosting with native blanks: each column from the values and the blanks of all others, in one pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lacuna.crossfit import Boosting, CrossFitted, categorical_columns, cross_fit
from lacuna.methods.base import Method
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete

MANY_LEVELS, PENALTY = 10, 10.0  # columns with more levels than that, and what holds their trees back
DONORS = 200  # training rows with the nearest predictions, whose errors a draw may take over


class BoostedTrees(Method):
    """Impute each column by boosted trees on the other columns, blanks included as they are.

    A hidden cell gets its mean, or its most probable level. Draws add an error made out of fold on a training row
    with nearly the same prediction (integers are rounded), or sample a level; all within the observed range. They say
    how far off a cell may be, and are not for multiple imputation: blanks of a row are drawn apart from each other, by
    one model, whose trees flatten slopes. `chained` is for that.

    The trees of a column with many levels have a penalty on their leaves. Each level is rare there, and a Newton step
    divides by its p (1 - p): without one the first rounds overshoot, and boosting stops with little learned.

    Args:
        rounds: of boosting, at most; the out-of-fold error decides for each column.
        learning_rate: of each round.
        leaves: of each tree, at most.
        folds: of the cross-fitting.
    """

    label = "boosted trees"

    def __init__(self, rounds: int = 100, learning_rate: float = 0.2, leaves: int = 15, folds: int = 3) -> None:
        self.boosting = Boosting(rounds, learning_rate, leaves, folds=folds)

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_ = seed
        categorical = categorical_columns(train.columns)
        self.models_: list[CrossFitted] = []
        self.targets_: list[np.ndarray] = []
        for j, column in enumerate(train.columns):
            self.monitor.progress("columns", j, len(train.columns))
            seen = train.observed[:, j]
            target = train.values[seen, j]
            features = np.delete(train.values[seen], j, axis=1)
            rng = stream(seed, "boosting", column.name)
            boosting = replace(self.boosting, penalty=PENALTY) if column.n_levels > MANY_LEVELS else self.boosting
            model = cross_fit(features, target, column.n_levels, np.delete(categorical, j), boosting, rng)
            self.models_.append(model)
            self.targets_.append(target)

    def _predict(self, rows: Incomplete, j: int) -> np.ndarray:
        """(h, k) for the h rows in which column j is hidden."""
        return self.models_[j].predict(np.delete(rows.values[rows.hidden[:, j]], j, axis=1))

    def level_probabilities(self, rows: Incomplete) -> dict[int, np.ndarray]:
        """P(level | rest of the row), (h, levels), of the h hidden cells of each categorical column."""
        rows = self._seen(rows)
        return {
            j: self._predict(rows, j)
            for j, column in enumerate(rows.columns)
            if column.discrete and rows.hidden[:, j].any()
        }

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values = rows.values.copy()
        cells = np.argwhere(rows.hidden)
        samples = np.empty((draws, len(cells)), np.float32)
        rng = stream(self.seed_, "boosting", "draws")
        for j, column in enumerate(rows.columns):
            hidden = rows.hidden[:, j]
            if not hidden.any():
                continue
            predicted = self._predict(rows, j)
            if column.discrete:
                values[hidden, j] = predicted.argmax(1)
                samples[:, cells[:, 1] == j] = sample_levels(predicted, draws, rng)
                continue
            low, high = self.targets_[j].min(), self.targets_[j].max()
            rounded = np.round if column.kind == "integer" else np.asarray
            values[hidden, j] = rounded(predicted[:, 0]).clip(low, high)
            drawn = predicted[:, 0] + self._errors(j, predicted[:, 0], draws, rng)
            samples[:, cells[:, 1] == j] = rounded(drawn).clip(low, high)
        return Imputation(values, draws=Draws.from_samples(cells, samples) if draws else None)

    def _errors(self, j: int, predicted: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        """(draws, h) errors of training rows whose predictions lie nearest."""
        made = self.models_[j].out_of_fold[:, 0]
        order = np.argsort(made)
        errors = (self.targets_[j] - made)[order]
        n_donors = min(DONORS, len(made))
        first = np.searchsorted(made[order], predicted) - n_donors // 2
        first = first.clip(0, len(made) - n_donors)
        return errors[first + rng.integers(n_donors, size=(draws, len(predicted)))]


def sample_levels(probabilities: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Levels (draws, h) from probabilities (h, k)."""
    edges = probabilities.cumsum(1)[:, :-1]
    return (rng.random((draws, len(probabilities), 1)) > edges).sum(2)
