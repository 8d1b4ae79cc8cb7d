"""A column's conditional model: ridge, and boosted trees on what it leaves as far as they help out of fold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from scipy.special import softmax

from lacuna.crossfit import balanced_folds
from lacuna.methods.boosting import sample_levels
from lacuna.methods.chained.donors import nearest_donors
from lacuna.methods.chained.linear import MultinomialRidge, WeightedRidge, least_penalty
from lacuna.methods.chained.trees import N_BINS, Growth, LeftOverTrees, out_of_fold_stages
from lacuna.numerics.binning import Bins

FOLDS = 3
NEAR = 5  # donors of a value
NEAR_SHARE = 0.2  # of the donors, that may give their error: enough for the tails of a draw
FEWEST_NEAR, MOST_NEAR = 20, 200
LEVEL_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SURE = 1.0  # standard errors by which trees must help out of fold
FEWEST_FOR_TREES = 40  # rows
SMALLEST = 1e-6  # probability
EXTENTS = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Plan:
    """What is decided of a column once, before the chains."""

    n_levels: int  # 0: a number
    predictors: np.ndarray  # (f,) indices of coordinates
    own: bool  # a draw is the value of a donor, not a mean plus its error
    low: float  # bounds of draws, standardised
    high: float
    penalty: float  # of the ridge, per row for a number
    fold: np.ndarray  # (n,) of the rows that show the column
    bins: Bins | None = None  # of the predictors
    extent: float = 0.0  # to which trees count
    growth: Growth = field(default_factory=Growth)
    shift: np.ndarray | None = None  # (k,) of means of blanks, or of log-odds of levels: they are not like the others


@dataclass(frozen=True)
class Conditional:
    """The law of a column given all others, as fitted in one chain to weighted rows."""

    plan: Plan
    linear: WeightedRidge | MultinomialRidge
    trees: LeftOverTrees | None
    target: np.ndarray  # (n,) of the rows that show the column
    row_weights: np.ndarray  # (n,)
    offered: np.ndarray  # (n,) predicted means of the donors; empty for levels
    errors: np.ndarray  # (n,) left-out errors of the donors, as noise; empty for levels

    @classmethod
    def fit(
        cls,
        plan: Plan,
        features: np.ndarray,
        target: np.ndarray,
        row_weights: np.ndarray,
        earlier: Conditional | None = None,
        grow: bool = True,
    ) -> Self:
        """Features (n, width) of rows that show the column, its state (n,), row_weights (n,).

        Args:
            earlier: fit of the same column, whose trees are kept unless others are to ``grow``.
        """
        x = features[:, plan.predictors]
        w = row_weights * (len(row_weights) / row_weights.sum())
        trees = earlier.trees if earlier is not None else None
        grow = grow and plan.extent > 0
        if plan.n_levels:
            start = earlier.linear if earlier is not None else None
            linear = MultinomialRidge.fit(x, target, plan.n_levels, w, plan.penalty, start)
            if grow:
                trees = LeftOverTrees.fit(x, _left(linear.predict(x), target), w, plan.fold, plan.bins, plan.growth)
            return cls(plan, linear, trees, target, w, np.empty(0), np.empty(0))
        linear = WeightedRidge.fit(x, target, w, plan.penalty * len(target))
        if grow:
            trees = LeftOverTrees.fit(x, linear.left_out[:, None], w, plan.fold, plan.bins, plan.growth)
        added = plan.extent * trees.out_of_fold[:, 0] if trees is not None else 0.0
        # the chain draws the parameters: an error must hold noise alone, not their uncertainty once more
        errors = (linear.left_out - added) * np.sqrt(max(1 - linear.freedom / len(target), 0.1))
        # not the left-out means, which tell donors of equal fitted means apart by their errors
        return cls(plan, linear, trees, target, w, linear.predict(x) + added, errors)

    def mean(self, features: np.ndarray) -> np.ndarray:
        """(h, k): the mean of a number, or probabilities of levels, for features (h, width)."""
        x, shift = features[:, self.plan.predictors], self.plan.shift
        predicted = self.linear.predict(x)
        if self.plan.n_levels:
            if self.trees is not None:
                predicted = _added(predicted, self.trees.predict(x), self.plan.extent)
            return predicted if shift is None else softmax(np.log(predicted) + shift, axis=1)
        if self.trees is not None:
            predicted = predicted + self.plan.extent * self.trees.predict(x)[:, 0]
        return predicted[:, None] if shift is None else predicted[:, None] + shift

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(h,) of the state, for means (h, k)."""
        if self.plan.n_levels:
            return sample_levels(mean, 1, rng)[0].astype(float)
        near = NEAR if self.plan.own else int(np.clip(NEAR_SHARE * len(self.target), FEWEST_NEAR, MOST_NEAR))
        donor = nearest_donors(mean[:, 0], self.offered, self.row_weights, near, rng)
        if self.plan.own:
            return self.target[donor]
        return (mean[:, 0] + self.errors[donor]).clip(self.plan.low, self.plan.high)


def first_plan(
    n_levels: int, predictors: np.ndarray, features: np.ndarray, target: np.ndarray, rng: np.random.Generator
) -> Plan:
    """Without trees, and with a penalty that fits what the other columns hold so far."""
    own = not n_levels and holds_its_values(target)
    low, high = target.min(), target.max()
    room = 0.0 if own or n_levels else 0.5 * (high - low)
    fold = balanced_folds(target, min(FOLDS, len(target)), rng)
    plan = Plan(n_levels, predictors, own, low - room, high + room, 3.0, fold)
    return plan if n_levels else with_penalty(plan, features, target)


def with_penalty(plan: Plan, features: np.ndarray, target: np.ndarray) -> Plan:
    """The penalty that predicts rows left out best."""
    x = features[:, plan.predictors]
    if not plan.n_levels:
        return replace(plan, penalty=least_penalty(x, target))
    losses = []
    for penalty in LEVEL_PENALTIES:
        p = _out_of_fold_probabilities(replace(plan, penalty=penalty), x, target)
        losses.append(_log_loss(p, target).sum())
    return replace(plan, penalty=LEVEL_PENALTIES[int(np.argmin(losses))])


def with_trees(plan: Plan, features: np.ndarray, target: np.ndarray) -> Plan:
    """Rounds and extent of trees by what they do out of fold; extent 0 where they do not help."""
    n = len(target)
    if n < FEWEST_FOR_TREES or not len(plan.predictors):
        return plan
    x = features[:, plan.predictors]
    bins = Bins.of(x, N_BINS)
    if plan.n_levels:
        p = _out_of_fold_probabilities(plan, x, target)
        stages = out_of_fold_stages(x, _left(p, target), plan.fold, bins, plan.growth)
        rounds = int(np.argmin([_log_loss(_added(p, trees, 1.0), target).sum() for trees in stages])) + 1
        trees = stages[rounds - 1]
        by_extent = [_log_loss(_added(p, trees, a), target) for a in EXTENTS]
        best = int(np.argmin([loss.sum() for loss in by_extent]))
        extent, gain = float(EXTENTS[best]), by_extent[0] - by_extent[best]
    else:
        left = WeightedRidge.fit(x, target, np.ones(n), n * plan.penalty).left_out
        stages = out_of_fold_stages(x, left[:, None], plan.fold, bins, plan.growth)
        fits = [(float(np.clip(t[:, 0] @ left / max(t[:, 0] @ t[:, 0], 1e-12), 0, 1)), t[:, 0]) for t in stages]
        squares = [((left - a * t) ** 2).sum() for a, t in fits]
        rounds = int(np.argmin(squares)) + 1
        extent, trees = fits[rounds - 1]
        gain = left**2 - (left - extent * trees) ** 2
    if gain.sum() <= SURE * gain.std() * np.sqrt(n):
        return plan
    return replace(plan, bins=bins, extent=extent, growth=replace(plan.growth, rounds=rounds))


def holds_its_values(target: np.ndarray) -> bool:
    """Whether observed values (n,) are counts, rounded, cut off at a bound, or mostly one value."""
    n = len(target)
    distinct, counts = np.unique(target, return_counts=True)
    if counts.max() > max(2, 0.1 * n) or len(distinct) < 0.5 * n:
        return True
    # an edge: many values right beside the least or the largest one
    beside = 0.1 * target.std()
    edges = [(target < distinct[0] + beside).sum(), (target > distinct[-1] - beside).sum()]
    return bool(max(edges) > 4 + 0.02 * n)


def _out_of_fold_probabilities(plan: Plan, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    found = np.empty((len(target), plan.n_levels))
    for k in range(int(plan.fold.max()) + 1):
        rows = plan.fold != k
        fit = MultinomialRidge.fit(x[rows], target[rows], plan.n_levels, np.ones(rows.sum()), plan.penalty)
        found[~rows] = fit.predict(x[~rows])
    return found


def _left(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What probabilities (n, k) leave of levels (n,): (n, 1) for two levels, else (n, k)."""
    left = np.eye(p.shape[1])[target.astype(np.intp)] - p
    return left[:, 1:] if p.shape[1] == 2 else left


def _added(p: np.ndarray, trees: np.ndarray, extent: float) -> np.ndarray:
    """Probabilities (n, k) moved by what trees say of the rest."""
    moved = np.column_stack([-trees, trees]) if p.shape[1] == 2 else trees
    found = np.maximum(p + extent * moved, SMALLEST)
    return found / found.sum(1, keepdims=True)


def _log_loss(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(p[np.arange(len(target)), target.astype(np.intp)], SMALLEST))
