"""A column's conditional law: ridge, and boosted trees on what it leaves as far as they help out of fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from scipy.special import softmax

from lacuna.methods.boosting import sample_levels
from lacuna.methods.chained.donors import nearest_donors
from lacuna.methods.chained.leaves import LeafLaw
from lacuna.methods.chained.levels import what_is_left, with_added
from lacuna.methods.chained.linear import MultinomialRidge, WeightedRidge
from lacuna.methods.chained.plan import LEARNERS_OF_LEAVES, Plan
from lacuna.methods.chained.rows import ColumnLaw, Rows
from lacuna.methods.chained.trees import LeftOverTrees

NEAR_SHARE = 0.2  # of the donors, that may give their error: enough for the tails of a draw
FEWEST_NEAR, MOST_NEAR = 20, 200
TRIES = 5  # errors for a draw that would lie out of bounds


@dataclass(frozen=True)
class NumberLaw:
    """A number given all other columns, as fitted in one chain to weighted rows."""

    plan: Plan
    linear: WeightedRidge
    trees: LeftOverTrees | None
    target: np.ndarray  # (n,) of the donors, the rows that show the column
    row_weights: np.ndarray  # (n,)
    offered: np.ndarray  # (n,) predicted means of the donors
    errors: np.ndarray  # (n,) left-out errors of the donors, as noise

    @classmethod
    def fit(
        cls, plan: Plan, x: np.ndarray, target: np.ndarray, row_weights: np.ndarray, earlier: Self | None, grow: bool
    ) -> Self:
        """Inputs x (n, f), target (n,), row_weights (n,) that sum to n; see ``fit_law``."""
        linear = WeightedRidge.fit(x, target, row_weights, plan.penalty * len(target))
        trees = earlier.trees if earlier is not None else None
        if grow:
            trees = LeftOverTrees.fit(x, linear.left_out[:, None], row_weights, plan.fold, plan.bins, plan.growth)
        added = plan.extent * trees.out_of_fold[:, 0] if trees is not None else np.zeros(len(target))
        # the chain draws the parameters: an error must hold noise alone, not their uncertainty once more
        errors = (linear.left_out - added) * np.sqrt(max(1 - linear.freedom / len(target), 0.1))
        # not the left-out means, which tell donors of equal fitted means apart by their errors
        matched = WeightedRidge.fit(x, target, np.ones(len(x)), plan.penalty * len(target)) if plan.matched else linear
        return cls(plan, linear, trees, target, row_weights, matched.predict(x) + added, errors)

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, 1)"""
        x = self.plan.inputs(rows.features)
        predicted = self.linear.predict(x)[:, None]
        if self.trees is not None:
            predicted = predicted + self.plan.extent * self.trees.predict(x)
        return predicted if self.plan.shift is None else predicted + self.plan.shift

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See ``ColumnLaw``."""
        plan = self.plan
        near = plan.n_near or int(np.clip(NEAR_SHARE * len(self.target), FEWEST_NEAR, MOST_NEAR))
        donor = nearest_donors(mean[:, 0], self.offered, self.row_weights, near, rng)
        if plan.own:
            return self.target[donor], mean
        drawn = mean[:, 0] + self.errors[donor]
        for _ in range(TRIES):
            outside = np.flatnonzero((drawn < plan.low) | (drawn > plan.high))
            if not len(outside):
                break
            donor = nearest_donors(mean[outside, 0], self.offered, self.row_weights, near, rng)
            drawn[outside] = mean[outside, 0] + self.errors[donor]
        return drawn.clip(plan.low, plan.high), mean


@dataclass(frozen=True)
class LevelLaw:
    """A level given all other columns, as fitted in one chain to weighted rows."""

    plan: Plan
    linear: MultinomialRidge
    trees: LeftOverTrees | None

    @classmethod
    def fit(
        cls, plan: Plan, x: np.ndarray, target: np.ndarray, row_weights: np.ndarray, earlier: Self | None, grow: bool
    ) -> Self:
        """Inputs x (n, f), target (n,) codes, row_weights (n,) that sum to n; see ``fit_law``."""
        same = earlier is not None and earlier.linear.weights.shape == (x.shape[1], plan.n_levels)
        start = earlier.linear if earlier is not None and same else None  # products may have come in since
        linear = MultinomialRidge.fit(x, target, plan.n_levels, row_weights, plan.penalty, start)
        trees = earlier.trees if earlier is not None else None
        if grow:
            left = what_is_left(linear.predict(x), target)
            trees = LeftOverTrees.fit(x, left, row_weights, plan.fold, plan.bins, plan.growth)
        return cls(plan, linear, trees)

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, k) probabilities."""
        x = self.plan.inputs(rows.features)
        predicted = self.linear.predict(x)
        if self.trees is not None:
            predicted = with_added(predicted, self.trees.predict(x), self.plan.extent)
        return predicted if self.plan.shift is None else softmax(np.log(predicted) + self.plan.shift, axis=1)

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See ``ColumnLaw``."""
        return sample_levels(mean, 1, rng)[0].astype(float), mean


Law: TypeAlias = NumberLaw | LevelLaw | LeafLaw


def fit_law(
    plan: Plan,
    features: np.ndarray,
    target: np.ndarray,
    row_weights: np.ndarray,
    rng: np.random.Generator,
    earlier: ColumnLaw | None = None,
    grow: bool = True,
) -> Law:
    """The law of a column, learned from the rows that show it.

    Args:
        features: (n, width).
        target: (n,) state of the column.
        row_weights: (n,) of any sum.
        earlier: law of the same column, whose trees are kept unless others are to ``grow``.
    """
    x, weights = plan.inputs(features), row_weights * (len(row_weights) / row_weights.sum())
    if plan.learner in LEARNERS_OF_LEAVES:
        return LeafLaw.fit(plan, x, target, rng)
    grow = grow and plan.extent > 0
    if plan.n_levels:
        return LevelLaw.fit(plan, x, target, weights, earlier if isinstance(earlier, LevelLaw) else None, grow)
    return NumberLaw.fit(plan, x, target, weights, earlier if isinstance(earlier, NumberLaw) else None, grow)
