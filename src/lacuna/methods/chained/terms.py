"""What a linear model is given: coordinates of other columns, and squares and products of them that it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

MOST_TERMS = 10
CLEAR = 3.0  # standard errors from 0 of a term's correlation with what is left
PAIRED = 10  # coordinates whose products are looked at; all squares are


@dataclass(frozen=True)
class Inputs:
    """f coordinates as they are, and t standardised products of two."""

    predictors: np.ndarray  # (f,) indices
    pairs: np.ndarray  # (t, 2) indices
    center: np.ndarray  # (t,)
    scale: np.ndarray  # (t,)

    @classmethod
    def plain(cls, predictors: np.ndarray) -> Self:
        """Without products."""
        return cls(predictors, np.empty((0, 2), np.intp), np.empty(0), np.empty(0))

    @classmethod
    def with_pairs(cls, predictors: np.ndarray, pairs: np.ndarray, features: np.ndarray) -> Self:
        """Products of pairs (t, 2), standardised on features (n, width)."""
        products = features[:, pairs[:, 0]] * features[:, pairs[:, 1]]
        return cls(predictors, pairs, products.mean(0), np.maximum(products.std(0), 1e-9))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(n, f + t) for features (n, width)."""
        x = features[:, self.predictors]
        if not len(self.pairs):
            return x
        products = features[:, self.pairs[:, 0]] * features[:, self.pairs[:, 1]]
        return np.concatenate([x, (products - self.center) / self.scale], axis=1)


def correlation(x: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """(f,) absolute, of x (n, f) with the outcome (n, k) that it tells most of; 0 where either is constant."""
    x, y = x - x.mean(0), outcomes - outcomes.mean(0)
    norms = np.sqrt((x**2).sum(0))[:, None] * np.sqrt((y**2).sum(0))
    return (np.abs(x.T @ y) / np.where(norms > 0, norms, np.inf)).max(1)


def missing_pairs(predictors: np.ndarray, features: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Pairs (t, 2) of coordinates whose products go with what a linear model leaves, the clearest first.

    Args:
        predictors: (f,) indices.
        features: (n, width).
        left: (n, k).

    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> missing_pairs(np.arange(3), x, (x[:, 0] * x[:, 2])[:, None])
    array([[0, 2]])
    """
    n, x = len(left), features[:, predictors]
    near = predictors[np.sort(np.argsort(-correlation(x, left), kind="stable")[:PAIRED])]
    squares = [(a, a) for a in predictors]
    pairs = np.array([*squares, *((a, b) for i, a in enumerate(near) for b in near[i + 1 :])])
    products = features[:, pairs[:, 0]] * features[:, pairs[:, 1]]
    design = np.column_stack([np.ones(n), x])
    new = products - design @ np.linalg.lstsq(design, products, rcond=None)[0]  # what the model does not hold yet
    new[:, new.std(0) < 1e-6 * np.maximum(products.std(0), 1e-300)] = 0.0  # squares of indicators are linear
    strength = correlation(new, left) * np.sqrt(n)
    order = np.argsort(-strength, kind="stable")[:MOST_TERMS]
    return pairs[order[strength[order] > CLEAR]]
