"""Gradient boosting with native blanks, cross-fitted: every training row gets a prediction it had no part in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from lacuna.numerics.binning import Bins
from lacuna.types import Column

Boosted: TypeAlias = HistGradientBoostingClassifier | HistGradientBoostingRegressor
SMALLEST = 1e-6  # probabilities are kept this far from 0 and 1 in a log loss
PATIENCE = 10  # rounds after which boosting ends if none of them has brought down the held-out loss
FEW_ROWS = 50_000  # up to which threads wait for each other more than they work, above all on a busy machine
MAX_CATEGORIES = 255  # the limit of the histograms


@dataclass(frozen=True)
class Boosting:
    """How trees are boosted.

    Args:
        rounds: at most; how many are used is decided by the out-of-fold loss.
        learning_rate: of each round.
        leaves: of each tree, at most.
        min_leaf: training rows in a leaf, at least.
        folds: of the cross-fitting.
        max_rows: a model is fitted on a random subset of its rows where there are more, and its rounds are
            judged on such a subset of the held-out ones; out-of-fold predictions are made for all.
        penalty: on the squares of a tree's leaf values.
    """

    rounds: int = 100
    learning_rate: float = 0.2
    leaves: int = 15
    min_leaf: int = 20
    folds: int = 5
    max_rows: int = 50_000
    penalty: float = 0.0

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.min_leaf < 1 or self.max_rows < 1:
            raise ValueError("rounds, min_leaf and max_rows must be at least 1")
        if self.leaves < 2 or self.folds < 2:
            raise ValueError(f"need leaves >= 2 and folds >= 2, got {self.leaves} and {self.folds}")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate must lie in (0, 1], got {self.learning_rate}")
        if self.penalty < 0:
            raise ValueError(f"penalty must not be negative, got {self.penalty}")


@dataclass(frozen=True)
class CrossFitted:
    """One model a fold, fitted on the rows of the others; ``k`` outputs: levels, or 1 for a number."""

    models: tuple[Boosted | None, ...]  # by fold; None where there was too little to boost
    start: np.ndarray  # (folds, k) prediction before the first round
    rounds: int  # rounds in use, the same in all folds but those that have boosted fewer
    fold: np.ndarray  # (n,) int: the fold of each training row
    out_of_fold: np.ndarray  # (n, k)
    bins: Bins | None = None  # of the features; None: as they are

    def predict(self, features: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Predictions (n, k) for features (n, f), averaged over folds.

        Args:
            weights: (n, folds) share of each fold's model in a row's prediction; None: equal shares.
        """
        n_folds = len(self.models)
        features = features if self.bins is None else self.bins(features)
        shares = np.full((1, n_folds), 1 / n_folds) if weights is None else weights
        with fitting_threads(len(features)):
            return sum(
                shares[:, i, None] * _at_round(model, self.start[i], features, self.rounds)
                for i, model in enumerate(self.models)
            )


def fitting_threads(n_rows: int) -> AbstractContextManager:
    """One thread within a block that boosts or predicts few rows; all of them for many."""
    return threadpool_limits(1, "openmp") if n_rows <= FEW_ROWS else nullcontext()


def cross_fit(
    features: np.ndarray,
    target: np.ndarray,
    n_levels: int,
    categorical: np.ndarray,
    boosting: Boosting,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
) -> CrossFitted:
    """Boost trees on all folds but one, for each fold; the out-of-fold loss decides how many rounds are used.

    The loss is the log loss of levels, the squared error of a number.

    Args:
        features: (n, f), NaN where blank.
        target: (n,) numbers, or codes 0 .. n_levels - 1.
        n_levels: of a categorical target; 0: the target is a number.
        categorical: (f,) bool, features to be split by sets of codes.
        weights: (n,) of the rows; None: equal.
    """
    even = weights is None or np.ptp(weights) == 0
    weights = np.ones(len(target)) if weights is None else weights
    # scikit-learn bins by weighted quantiles where it is given weights, which takes longer than all the rest
    bins = None if even else Bins.of(features)
    features = features if bins is None else bins(features)
    with fitting_threads(len(target)):
        fold = balanced_folds(target, boosting.folds, rng)
        truth = np.eye(n_levels)[target.astype(np.intp)] if n_levels else target[:, None]
        models, starts, losses = [], [], []
        for k in range(boosting.folds):
            held_out, rows = (_some(np.flatnonzero(side), boosting.max_rows, rng) for side in (fold == k, fold != k))
            trees = _ensemble(boosting, n_levels, categorical, int(rng.integers(2**31)))
            models.append(_boost(trees, features, target, None if even else weights, rows, held_out))
            starts.append(np.average(truth[rows], axis=0, weights=weights[rows]) if len(rows) else truth[0])
            stages = _stages(models[-1], starts[-1], features[held_out])
            losses.append([_loss(truth[held_out], x, weights[held_out], n_levels) for x in stages])
        most = max(map(len, losses))
        rounds = int(np.sum([loss + loss[-1:] * (most - len(loss)) for loss in losses], axis=0).argmin())
        out_of_fold = np.empty(truth.shape)
        for k, (model, start) in enumerate(zip(models, starts, strict=True)):
            out_of_fold[fold == k] = _at_round(model, start, features[fold == k], rounds)
        return CrossFitted(tuple(models), np.array(starts), rounds, fold, out_of_fold, bins)


def _boost(
    trees: Boosted,
    features: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray | None,
    rows: np.ndarray,
    held_out: np.ndarray,
) -> Boosted | None:
    """Fit on some rows for as long as the loss of held-out ones falls; None where there is too little to learn from."""
    judged = held_out
    if isinstance(trees, HistGradientBoostingClassifier):
        judged = held_out[np.isin(target[held_out], target[rows])]  # a level that is new cannot be judged
    if not features.shape[1] or len(rows) < 2 * trees.min_samples_leaf or np.ptp(target[rows]) == 0 or not len(judged):
        return None
    shares = (None, None) if weights is None else (weights[rows], weights[judged])
    return trees.fit(
        _without_empty(features[rows]),
        target[rows],
        shares[0],
        X_val=features[judged],
        y_val=target[judged],
        sample_weight_val=shares[1],
    )


def _without_empty(features: np.ndarray) -> np.ndarray:
    """Features (n, f) in which one without any value is constant, since scikit-learn cannot bin it."""
    return np.where(np.isnan(features).all(0), 0.0, features)


def _some(rows: np.ndarray, at_most: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of rows (n,) where there are more than ``at_most``."""
    return rows if len(rows) <= at_most else rng.choice(rows, at_most, replace=False)


def balanced_folds(target: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """A fold for each of target (n,), such that every fold holds its share of small and large values.

    >>> folds = balanced_folds(np.array([0, 0, 0, 1, 1, 1]), 3, np.random.default_rng(0))
    >>> [int(np.array([0, 0, 0, 1, 1, 1])[folds == k].sum()) for k in range(3)]
    [1, 1, 1]
    """
    order = np.lexsort((rng.random(len(target)), target))
    fold = np.empty(len(target), np.intp)
    # each run of n_folds neighbours is spread over the folds in an order of its own
    ranks = rng.permuted(np.tile(np.arange(n_folds), (-(-len(target) // n_folds), 1)), axis=1).ravel()
    fold[order] = ranks[: len(target)]
    return fold


def categorical_columns(columns: tuple[Column, ...]) -> np.ndarray:
    """(d,) bool: columns whose order of codes means nothing to a tree."""
    return np.array([2 < c.n_levels <= MAX_CATEGORIES for c in columns], dtype=bool)


def _ensemble(boosting: Boosting, n_levels: int, categorical: np.ndarray, seed: int) -> Boosted:
    kind = HistGradientBoostingClassifier if n_levels else HistGradientBoostingRegressor
    return kind(
        max_iter=boosting.rounds,
        learning_rate=boosting.learning_rate,
        max_leaf_nodes=boosting.leaves,
        min_samples_leaf=boosting.min_leaf,
        l2_regularization=boosting.penalty,
        categorical_features=categorical if categorical.any() else None,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    )


def _stages(model: Boosted | None, start: np.ndarray, features: np.ndarray) -> Iterator[np.ndarray]:
    """Predictions (rows, k) after 0, 1, .. rounds, as many as the model has."""
    yield np.tile(start, (len(features), 1))
    if model is None or not len(features):
        return
    if isinstance(model, HistGradientBoostingRegressor):
        yield from (predicted[:, None] for predicted in model.staged_predict(features))
    else:
        for probabilities in model.staged_predict_proba(features):
            yield _spread(probabilities, model.classes_, len(start))


def _at_round(model: Boosted | None, start: np.ndarray, features: np.ndarray, n: int) -> np.ndarray:
    """After n rounds, or the last one."""
    if model is None or not len(features):
        n = 0
    elif n >= model.n_iter_:  # the same as the last stage, but faster
        if isinstance(model, HistGradientBoostingRegressor):
            return model.predict(features)[:, None]
        return _spread(model.predict_proba(features), model.classes_, len(start))
    return next(islice(_stages(model, start, features), n, None))


def _spread(probabilities: np.ndarray, classes: np.ndarray, n_levels: int) -> np.ndarray:
    """Put probabilities of the levels that a fold has seen where they belong among all levels."""
    if len(classes) == n_levels:
        return probabilities
    all_levels = np.zeros((len(probabilities), n_levels))
    all_levels[:, classes.astype(np.intp)] = probabilities
    return all_levels


def _loss(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray, n_levels: int) -> float:
    if n_levels:
        return float(-weights @ np.log(np.maximum((truth * predicted).sum(1), SMALLEST)))
    return float(weights @ (truth - predicted)[:, 0] ** 2)
