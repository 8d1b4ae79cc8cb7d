"""Levels of categorical columns by trees that see blanks: where some are meant, they are values like others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lacuna.crossfit import Boosting, CrossFitted, categorical_columns, cross_fit
from lacuna.rng import stream
from lacuna.types import Incomplete

BOOSTING = Boosting(folds=3)
ROWS = 500  # from which trees are trusted as much as chained equations


@dataclass(frozen=True)
class NativeLevels:
    """One model for each categorical column, on the values and the blanks of all others."""

    models: dict[int, CrossFitted]
    shares: dict[int, float]  # of each model beside another that needs fewer rows

    @classmethod
    def fit(cls, train: Incomplete, seed: int) -> Self:
        categorical = categorical_columns(train.columns)
        models, shares = {}, {}
        for j, column in enumerate(train.columns):
            if column.discrete:
                seen = train.observed[:, j]
                rng = stream(seed, "selective", "levels", column.name)
                features, target = np.delete(train.values[seen], j, axis=1), train.values[seen, j]
                models[j] = cross_fit(features, target, column.n_levels, np.delete(categorical, j), BOOSTING, rng)
                shares[j] = len(target) / (len(target) + ROWS)
        return cls(models, shares)

    def predict(self, rows: Incomplete, j: int) -> np.ndarray:
        """(h, levels) for the h rows in which column j is hidden."""
        return self.models[j].predict(np.delete(rows.values[rows.hidden[:, j]], j, axis=1))
