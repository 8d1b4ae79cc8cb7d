"""Do blanks depend on values? A test whose p-value is uniform where they do not, at a bounded cost."""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from sklearn.ensemble import RandomTreesEmbedding

from lacuna.methods.selective.drivers import blank_coefficients

RESAMPLES = 399
MAX_ROWS = 5_000
TREES, LEAVES = 20, 8  # of partitions of the rows that have not seen the blanks


def dependence_p_value(
    features: np.ndarray, hidden: np.ndarray, known: np.ndarray, rng: np.random.Generator
) -> float:
    """P-value of no dependence of blanks on features, beyond what is known.

    Two statistics, the sums of squared scores of the features and of the leaves of random trees, are compared with
    those of blanks that are permuted, or drawn anew from a logistic model of what is known; the smaller of both ranks counts, and
    is ranked itself.

    Args:
        features: (n, f) without NaN.
        hidden: (n,) bool.
        known: (n, k) scores of the logistic model.
    """
    if len(hidden) > MAX_ROWS:
        rows = rng.choice(len(hidden), MAX_ROWS, replace=False)
        features, hidden, known = features[rows], hidden[rows], known[rows]
    n = len(hidden)
    sd = features.std(0)
    features = (features - features.mean(0))[:, sd > 0] / sd[sd > 0]
    if not features.shape[1] or hidden.all() or not hidden.any():
        return 1.0
    if known.shape[1]:
        design = np.column_stack([np.ones(n), known])
        p = expit(design @ blank_coefficients(known, hidden))
        drawn = np.vstack([hidden, rng.random((RESAMPLES, n)) < p]) - p  # (1 + b, n)
        # the fit takes off the projection on what is known, and would of each sample
        information = (p * (1 - p))[:, None] * design
        drawn = drawn - (drawn @ design) @ np.linalg.pinv(information.T @ design) @ information.T
    else:
        drawn = np.vstack([hidden, *(rng.permutation(hidden) for _ in range(RESAMPLES))]) - hidden.mean()
    embedding = RandomTreesEmbedding(
        TREES, max_leaf_nodes=LEAVES, max_depth=None, random_state=int(rng.integers(2**31)), sparse_output=False
    )
    leaves = embedding.fit_transform(features)
    statistics = np.stack([_sum_of_squares(drawn, x) for x in (features, leaves)])  # (2, 1 + b)
    ranks = _ranks(statistics)
    smallest = ranks.min(0)
    return float((smallest <= smallest[0]).mean())


def _sum_of_squares(drawn: np.ndarray, features: np.ndarray) -> np.ndarray:
    """(1 + b,) of standardised scores of features (n, f)."""
    scores = drawn @ features
    return (scores**2 / np.maximum(scores.var(0), 1e-12)).sum(1)


def _ranks(statistics: np.ndarray) -> np.ndarray:
    """(s, b) share of the b that are as large, itself included."""
    ordered = np.sort(statistics, axis=1)
    b = statistics.shape[1]
    return np.stack([(b - np.searchsorted(o, s, side="left")) / b for o, s in zip(ordered, statistics, strict=True)])
