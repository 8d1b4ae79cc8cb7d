"""Boosted trees on what a linear model leaves, cross-fitted over given folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from lacuna.numerics.binning import Bins

N_BINS = 64  # a quarter of the usual: half the time of a fit to a thousand rows


@dataclass(frozen=True)
class Growth:
    """How trees are boosted: rounds, learning rate of each, leaves of each tree, rows in a leaf at least."""

    rounds: int = 30
    learning_rate: float = 0.2
    leaves: int = 8
    min_leaf: int = 10


@dataclass(frozen=True)
class LeftOverTrees:
    """One ensemble a fold and output, grown on the rows of the other folds."""

    ensembles: tuple[tuple[HistGradientBoostingRegressor, ...], ...]  # by fold, by output
    bins: Bins
    out_of_fold: np.ndarray  # (n, k)

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        left: np.ndarray,
        row_weights: np.ndarray,
        fold: np.ndarray,
        bins: Bins,
        growth: Growth,
    ) -> Self:
        """Features (n, f), what is left (n, k), row_weights (n,), fold (n,) of each row."""
        binned = bins(features)
        out_of_fold = np.empty(left.shape)
        ensembles = []
        for k in range(int(fold.max()) + 1):
            rows, held_out = fold != k, fold == k
            grown = tuple(_grown(binned[rows], y[rows], row_weights[rows], growth) for y in left.T)
            out_of_fold[held_out] = np.column_stack([trees.predict(binned[held_out]) for trees in grown])
            ensembles.append(grown)
        return cls(tuple(ensembles), bins, out_of_fold)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n, k), averaged over folds."""
        binned = self.bins(features)
        return np.mean([np.column_stack([trees.predict(binned) for trees in fold]) for fold in self.ensembles], axis=0)


def out_of_fold_stages(
    features: np.ndarray, left: np.ndarray, fold: np.ndarray, bins: Bins, growth: Growth
) -> np.ndarray:
    """Out-of-fold predictions (rounds, n, k) after 1, 2, .. rounds."""
    binned, even = bins(features), np.ones(len(left))
    stages = np.empty((growth.rounds, *left.shape))
    for k in range(int(fold.max()) + 1):
        rows, held_out = fold != k, fold == k
        for i, y in enumerate(left.T):
            trees = _grown(binned[rows], y[rows], even[rows], growth)
            for stage, predicted in enumerate(trees.staged_predict(binned[held_out])):
                stages[stage, held_out, i] = predicted
    return stages


def _grown(
    features: np.ndarray, target: np.ndarray, weights: np.ndarray, growth: Growth
) -> HistGradientBoostingRegressor:
    trees = HistGradientBoostingRegressor(
        max_iter=growth.rounds,
        learning_rate=growth.learning_rate,
        max_leaf_nodes=growth.leaves,
        min_samples_leaf=growth.min_leaf,
        max_bins=N_BINS,
        early_stopping=False,
        random_state=0,  # nothing is drawn, but without one the global generator is asked
    )
    return trees.fit(features, target, sample_weight=weights)
