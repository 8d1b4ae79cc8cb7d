"""What is decided of a column once, before the chains: its penalty, whether trees help, what a draw is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from lacuna.crossfit import balanced_folds
from lacuna.methods.chained.levels import log_loss, what_is_left, with_added
from lacuna.methods.chained.linear import MultinomialRidge, WeightedRidge, first_as_good, least_penalty
from lacuna.methods.chained.terms import Inputs, correlation, missing_pairs
from lacuna.methods.chained.trees import N_BINS, Growth, LeftOverTrees, out_of_fold_stages
from lacuna.numerics.binning import Bins

FOLDS = 3
LEVEL_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
LEARNERS = ("auto", "linear", "cart", "forest")
LEARNERS_OF_LEAVES = LEARNERS[2:]
DONORS = ("auto", "values")
SLIGHT = 1e-5  # penalty per row of a linear learner, that of mice
SURE = 1.0  # standard errors by which trees must help out of fold
FEWEST_ROWS = 40  # that products and trees are learned from
MANY_LEVELS = 10  # beyond which the linear model is alone: each level would need trees of its own
NEAR = 5  # donors of a value
ENOUGH_CELLS = 50_000  # rows times levels, to choose a penalty
MOST_PREDICTORS = 150  # coordinates; of more, those that correlate most
EXTENTS = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Plan:
    """What is decided of a column once, before the chains."""

    n_levels: int  # 0: a number
    inputs: Inputs  # of the linear model and the trees
    own: bool  # a draw is the value of a donor, not a mean plus its error
    n_near: int  # donors near in predicted mean; 0: a share of them
    low: float  # bounds of draws, standardised
    high: float
    penalty: float  # of the ridge, per row for a number
    fold: np.ndarray  # (n,) of the rows that show the column
    bins: Bins = field(default_factory=lambda: Bins(()))  # of the predictors, where there are trees
    learner: str = "auto"
    matched: bool = False  # donors' means are those of equal row weights, as mice has them
    extent: float = 0.0  # to which trees count
    growth: Growth = field(default_factory=Growth)
    shift: np.ndarray | None = None  # (k,) of means of blanks, or of log-odds of levels: they are not like the others


def first_plan(
    n_levels: int,
    predictors: np.ndarray,
    features: np.ndarray,
    target: np.ndarray,
    rng: np.random.Generator,
    learner: str = "auto",
    donors: str = "auto",
) -> Plan:
    """Without products and trees, and with a penalty that fits what the other columns hold so far."""
    if len(predictors) > MOST_PREDICTORS:
        outcomes = np.eye(n_levels)[target.astype(np.intp)] if n_levels else target[:, None]
        order = np.argsort(-correlation(features[:, predictors], outcomes), kind="stable")
        predictors = np.sort(predictors[order[:MOST_PREDICTORS]])
    own = not n_levels and (donors == "values" or holds_its_values(target))
    low, high = target.min(), target.max()
    room = 0.0 if own or n_levels else 0.5 * (high - low)
    fold = balanced_folds(target, min(FOLDS, len(target)), rng)
    plan = Plan(n_levels, Inputs.plain(predictors), own, NEAR if own else 0, low - room, high + room, 3.0, fold)
    if learner != "auto":
        penalty = LEVEL_PENALTIES[0] if n_levels else SLIGHT
        return replace(plan, learner=learner, matched=own and learner == "linear", penalty=penalty)
    return plan if n_levels else with_penalty(plan, features, target)


def finished(plan: Plan, features: np.ndarray, target: np.ndarray) -> Plan:
    """With products and trees as far as they help, where the learner is free to have them."""
    if plan.learner != "auto":
        return plan
    return with_trees(with_penalty(with_products(plan, features, target), features, target), features, target)


def with_penalty(plan: Plan, features: np.ndarray, target: np.ndarray) -> Plan:
    """The smallest penalty that predicts rows left out as well as any."""
    x = plan.inputs(features)
    if not plan.n_levels:
        return replace(plan, penalty=least_penalty(x, target))
    few = slice(None, None, max(1, len(target) * plan.n_levels // ENOUGH_CELLS))
    x, target, part = x[few], target[few], replace(plan, fold=plan.fold[few])
    losses = []
    for penalty in LEVEL_PENALTIES:
        p = _out_of_fold_probabilities(replace(part, penalty=penalty), x, target)
        losses.append(log_loss(p, target))
    return replace(plan, penalty=LEVEL_PENALTIES[first_as_good(np.array(losses))])


def with_products(plan: Plan, features: np.ndarray, target: np.ndarray, sure: float = SURE) -> Plan:
    """Squares and products of inputs where they help rows left out, and none where they do not.

    Args:
        sure: standard errors by which they must help.
    """
    predictors, n = plan.inputs.predictors, len(target)
    plan = replace(plan, inputs=Inputs.plain(predictors))
    if n < FEWEST_ROWS or plan.n_levels > MANY_LEVELS or not len(predictors):
        return plan
    loss, left = _left_out(plan, features, target)
    pairs = missing_pairs(predictors, features, left)
    if not len(pairs):
        return plan
    bent = replace(plan, inputs=Inputs.with_pairs(predictors, pairs, features))
    gain = loss - _left_out(bent, features, target)[0]
    return bent if gain.sum() > sure * gain.std() * np.sqrt(n) else plan


def with_trees(plan: Plan, features: np.ndarray, target: np.ndarray) -> Plan:
    """Rounds and extent of trees by what they do out of fold; extent 0 where they do not help."""
    n = len(target)
    if n < FEWEST_ROWS or plan.n_levels > MANY_LEVELS or not len(plan.inputs.predictors):
        return plan
    x = plan.inputs(features)
    bins = Bins.of(x, N_BINS)
    if plan.n_levels:
        p = _out_of_fold_probabilities(plan, x, target)
        stages = out_of_fold_stages(x, what_is_left(p, target), plan.fold, bins, plan.growth)
        rounds = int(np.argmin([log_loss(with_added(p, trees, 1.0), target).sum() for trees in stages])) + 1
        trees = stages[rounds - 1]
        by_extent = [log_loss(with_added(p, trees, a), target) for a in EXTENTS]
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


def left_out(plan: Plan, features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Squared error, or log loss, (n,) of rows left out, trees included."""
    if plan.n_levels:
        x = plan.inputs(features)
        p = _out_of_fold_probabilities(plan, x, target)
        if plan.extent:
            trees = LeftOverTrees.fit(x, what_is_left(p, target), np.ones(len(x)), plan.fold, plan.bins, plan.growth)
            p = with_added(p, trees.out_of_fold, plan.extent)
        return log_loss(p, target)
    x, n = plan.inputs(features), len(target)
    errors = WeightedRidge.fit(x, target, np.ones(n), n * plan.penalty).left_out
    if plan.extent:
        trees = LeftOverTrees.fit(x, errors[:, None], np.ones(n), plan.fold, plan.bins, plan.growth)
        errors = errors - plan.extent * trees.out_of_fold[:, 0]
    return errors**2


def gain_of_products(plan: Plan, features: np.ndarray, target: np.ndarray) -> float:
    """Log of the ratio by which products lower the squared error of a number in rows left out; 0 without any."""
    if not len(plan.inputs.pairs):
        return 0.0
    plain = with_penalty(replace(plan, inputs=Inputs.plain(plan.inputs.predictors)), features, target)
    before, after = (_left_out(p, features, target)[0].sum() for p in (plain, plan))
    return float(np.log(before / max(after, 1e-300)))


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


def _left_out(plan: Plan, features: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss (n,) of the linear model on rows left out, and what it leaves of them (n, k)."""
    x, n = plan.inputs(features), len(target)
    if plan.n_levels:
        p = _out_of_fold_probabilities(plan, x, target)
        return log_loss(p, target), what_is_left(p, target)
    left = WeightedRidge.fit(x, target, np.ones(n), n * plan.penalty).left_out
    return left**2, left[:, None]


def _out_of_fold_probabilities(plan: Plan, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    found = np.empty((len(target), plan.n_levels))
    for k in range(int(plan.fold.max()) + 1):
        rows = plan.fold != k
        fit = MultinomialRidge.fit(x[rows], target[rows], plan.n_levels, np.ones(rows.sum()), plan.penalty)
        found[~rows] = fit.predict(x[~rows])
    return found
