"""Do blanks depend on values? A test whose p-value is uniform where they do not, at a bounded cost."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from lacuna.methods.selective.drivers import blank_coefficients

RESAMPLES = 399
MAX_ROWS = 5_000
GROUPS = 10  # of rows that are blank about as often, within which blanks are permuted


def dependence_p_value(
    features: np.ndarray,
    hidden: np.ndarray,
    by_value: np.ndarray,
    by_blanks: np.ndarray,
    rng: np.random.Generator,
) -> float | None:
    """P-value of no dependence of blanks on features, beyond what is known; None where no row is free to be blank.

    The sum of squared scores of the features is compared with that of other blanks: permuted among rows that are
    alike in what ``by_blanks`` says, or, where values are known to matter, drawn anew from the logistic model.

    Args:
        features: (n, f), 0 where a value is hidden: a value in its place would show that it is.
        hidden: (n,) bool.
        by_value: (n, k) scores of values that are known to matter; k may be 0.
        by_blanks: (n, b) scores of other columns' blanks; b may be 0.
    """
    if len(hidden) > MAX_ROWS:
        rows = rng.choice(len(hidden), MAX_ROWS, replace=False)
        features, hidden, by_value, by_blanks = features[rows], hidden[rows], by_value[rows], by_blanks[rows]
    features = features[:, features.any(0)]
    if not features.shape[1]:
        return None
    known = np.column_stack([by_value, by_blanks])
    design = np.column_stack([np.ones(len(hidden)), known])
    p = expit(design @ blank_coefficients(known, hidden))
    if by_value.shape[1]:
        drawn = np.vstack([hidden, rng.random((RESAMPLES, len(hidden))) < p]) - p  # (1 + r, n)
        # the fit takes off the projection on what is known, and would of each sample
        information = (p * (1 - p))[:, None] * design
        drawn -= (drawn @ design) @ np.linalg.pinv(information.T @ design) @ information.T
    else:
        group = np.searchsorted(np.unique(np.quantile(p, np.arange(1, GROUPS) / GROUPS)), p.round(12), side="right")
        mean = (np.bincount(group, hidden) / np.maximum(np.bincount(group), 1))[group]
        if not ((mean > 0) & (mean < 1)).any():
            return None
        order = np.argsort(group, kind="stable")
        drawn = np.empty((1 + RESAMPLES, len(hidden)))
        drawn[0] = hidden
        for i in range(1, 1 + RESAMPLES):
            drawn[i, order] = hidden[np.lexsort((rng.random(len(hidden)), group))]
        drawn -= mean
    scores = drawn @ features
    spread = scores[1:].std(0)
    statistics = ((scores[:, spread > 0] / spread[spread > 0]) ** 2).sum(1)
    return float((statistics >= statistics[0] * (1 - 1e-12)).mean())
