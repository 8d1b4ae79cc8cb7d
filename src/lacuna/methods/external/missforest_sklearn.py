"""missForest on scikit-learn's forests: Stekhoven, Buehlmann, "MissForest: non-parametric missing value imputation
for mixed-type data", Bioinformatics 2012.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from lacuna.methods.base import Method
from lacuna.methods.mean_mode import column_center
from lacuna.types import Imputation, Incomplete

Forest: TypeAlias = RandomForestClassifier | RandomForestRegressor
FEW_ROWS = 50_000  # up to which starting threads costs more than they save


class ChainedForests(Method):
    """Forests predict each column from all others, completed; round after round, from means and modes on.

    As ``IterativeImputer`` with forests, but with classifiers for categories, and with the forests of the last round
    alone for the rows to complete, which makes it inductive and small. There is no stopping rule.

    Args:
        rounds: over all incomplete columns, those with the fewest blanks first.
        trees: of each forest.
        min_leaf: training rows in a leaf, at least.
        max_rows: drawn for each tree, at most.
    """

    label = "missForest (scikit-learn)"

    def __init__(self, rounds: int = 10, trees: int = 100, min_leaf: int = 1, max_rows: int = 10_000) -> None:
        for name, count in (("rounds", rounds), ("trees", trees), ("min_leaf", min_leaf), ("max_rows", max_rows)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        self.rounds, self.trees, self.min_leaf, self.max_rows = rounds, trees, min_leaf, max_rows

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_ = seed
        cells = [train.values[seen, j] for j, seen in enumerate(train.observed.T)]
        self.centers_ = np.array([column_center(c, x) for c, x in zip(train.columns, cells, strict=True)])
        varied = np.array([np.ptp(x) > 0 for x in cells]) & (len(cells) > 1)
        n_hidden = train.hidden.sum(0)
        self.order_ = [int(j) for j in np.argsort(n_hidden, kind="stable") if varied[j]]
        self.forests_: dict[int, Forest] = {}
        completed = self._start(train)
        for i in range(self.rounds):
            for step, j in enumerate(self.order_):
                self.monitor.progress("forests", i * len(self.order_) + step, self.rounds * len(self.order_))
                if n_hidden[j] or i == self.rounds - 1:  # the last round serves new rows, blank in any column
                    self.forests_[j] = self._forest(train, j, completed)
                    self._fill(completed, train.hidden, j)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        completed = self._start(rows)
        for i in range(self.rounds):
            self.monitor.progress("rounds", i, self.rounds)
            for j in self.order_:
                self._fill(completed, rows.hidden, j)
        return Imputation(completed)

    def _start(self, rows: Incomplete) -> np.ndarray:
        return np.where(rows.observed, rows.values, self.centers_)

    def _forest(self, train: Incomplete, j: int, completed: np.ndarray) -> Forest:
        seen = train.observed[:, j]
        kind = RandomForestClassifier if train.columns[j].discrete else RandomForestRegressor
        forest = kind(
            self.trees,
            min_samples_leaf=self.min_leaf,
            max_samples=self.max_rows if seen.sum() > self.max_rows else None,
            random_state=self.seed_ % 2**32,
            n_jobs=-1 if len(completed) > FEW_ROWS else None,
        )
        forest.fit(np.delete(completed[seen], j, axis=1), train.values[seen, j])
        forest.n_jobs = None  # threads would add up trees as they come, with other last bits in every run
        return forest

    def _fill(self, completed: np.ndarray, hidden: np.ndarray, j: int) -> None:
        rows = np.flatnonzero(hidden[:, j])
        if len(rows):
            predicted = self.forests_[j].predict(np.delete(completed[rows], j, axis=1))
            completed[rows, j] = np.round(predicted) if self.columns_[j].kind == "integer" else predicted
