"""Classification and regression trees, or a small forest, whose leaves give donors: what mice calls cart and rf.

Burgette, Reiter, "Multiple imputation for missing data via sequential regression trees", 2010; Doove, van Buuren,
Dusseldorp, "Recursive partitioning for missing data imputation in the presence of interaction effects", 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import softmax
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lacuna.methods.boosting import sample_levels
from lacuna.methods.chained.plan import Plan
from lacuna.methods.chained.rows import Rows

LEAST_IN_LEAF, LEAST_TO_SPLIT = 5, 15
LEAST_GAIN = 1e-4  # of a split, as a share of the spread of all rows
SMALLEST = 1e-6  # share of a level that is shifted
TREES = 10  # of a forest
FOREST_SPLITS = 6  # rows of a leaf of numbers that a forest splits


@dataclass(frozen=True)
class LeafLaw:
    """A column given all others: a draw is the value of a row that shows it and shares a leaf."""

    plan: Plan
    trees: tuple[DecisionTreeRegressor | DecisionTreeClassifier, ...]
    target: np.ndarray  # (n,) of the donors
    by_leaf: np.ndarray  # (trees, n) donors, those of a leaf side by side
    first: tuple[np.ndarray, ...]  # by tree: where the donors of each node begin, (nodes + 1,)

    @classmethod
    def fit(cls, plan: Plan, x: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> Self:
        """Inputs x (n, f), target (n,)."""
        seed = int(rng.integers(2**31))
        if plan.learner == "forest":
            kind = RandomForestClassifier if plan.n_levels else RandomForestRegressor
            splits = 2 if plan.n_levels else FOREST_SPLITS
            forest = kind(TREES, max_features="sqrt", min_samples_split=splits, random_state=seed).fit(x, target)
            trees = tuple(forest.estimators_)
        else:
            shares = np.bincount(target.astype(np.intp)) / len(x) if plan.n_levels else np.zeros(1)
            spread = 1 - (shares**2).sum() if plan.n_levels else target.var()
            one = DecisionTreeClassifier if plan.n_levels else DecisionTreeRegressor
            size = {"min_samples_leaf": LEAST_IN_LEAF, "min_samples_split": LEAST_TO_SPLIT}
            trees = (one(**size, min_impurity_decrease=LEAST_GAIN * spread, random_state=seed).fit(x, target),)
        leaves = [tree.apply(x) for tree in trees]
        by_leaf = np.array([np.argsort(leaf, kind="stable") for leaf in leaves])
        first = tuple(
            np.concatenate([[0], np.bincount(leaf, minlength=tree.tree_.node_count).cumsum()])
            for leaf, tree in zip(leaves, trees, strict=True)
        )
        return cls(plan, trees, target, by_leaf, first)

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, 1) of a number's donors, or (h, k) shares of levels among them."""
        values = np.eye(self.plan.n_levels)[self.target.astype(np.intp)] if self.plan.n_levels else self.target[:, None]
        first, count = self._donors(rows)
        totals = np.zeros((len(rows.features), values.shape[1]))
        for t in range(len(self.trees)):
            sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values[self.by_leaf[t]], axis=0)])
            totals += sums[first[t] + count[t]] - sums[first[t]]
        found = totals / count.sum(0)[:, None]
        if self.plan.shift is None:
            return found
        if not self.plan.n_levels:
            return found + self.plan.shift
        return softmax(np.log(np.maximum(found, SMALLEST)) + self.plan.shift, axis=1)

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See ``ColumnLaw``: any of the donors of all trees."""
        if self.plan.n_levels:
            return sample_levels(mean, 1, rng)[0].astype(float), mean
        first, count = self._donors(rows)
        chosen = (rng.random(len(mean)) * count.sum(0)).astype(np.intp)
        found = np.empty(len(mean), np.intp)
        for t in range(len(self.trees)):
            here = (chosen >= 0) & (chosen < count[t])
            found[here] = self.by_leaf[t, first[t, here] + chosen[here]]
            chosen = chosen - count[t]
        return self.target[found] + (0.0 if self.plan.shift is None else self.plan.shift[0]), mean

    def _donors(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Where in ``by_leaf`` the donors of each row begin, (trees, h), and how many there are, (trees, h)."""
        x = self.plan.inputs(rows.features)
        leaves = [tree.apply(x) for tree in self.trees]
        first = np.array([f[leaf] for f, leaf in zip(self.first, leaves, strict=True)])
        after = np.array([f[leaf + 1] for f, leaf in zip(self.first, leaves, strict=True)])
        return first, after - first
