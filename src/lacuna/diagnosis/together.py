"""Blanks that come together: how often each pair does, which columns form a block, whether rows stop."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import connected_components

SAME = 0.9  # share of the rows blank in either of two columns that are blank in both


def correlations(blank: np.ndarray) -> np.ndarray:
    """(d, d) correlations of the blanks (n, d); 0 for columns without, and for wholly blank ones."""
    centred = blank - blank.mean(0)
    spread = np.sqrt((centred**2).sum(0))
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    return np.clip(scaled.T @ scaled, -1.0, 1.0)


def blocks(blank: np.ndarray) -> list[list[int]]:
    """Groups of columns that are nearly always blank in the same rows, by columns of blank (n, d).

    >>> blocks(np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], bool))
    [[0, 2]]
    """
    weights = blank.astype(np.float64)
    both = weights.T @ weights
    either = np.diag(both)[:, None] + np.diag(both) - both
    partly = np.asarray(~blank.all(0))
    same = (both >= SAME * either) & (both > 0) & partly & partly[:, None]
    n_groups, group = connected_components(same, directed=False)
    members = [np.flatnonzero(group == g).tolist() for g in range(n_groups)]
    return [columns for columns in members if len(columns) > 1]


def dropout_share(blank: np.ndarray) -> float:
    """Share of the incomplete rows whose blanks are the last columns of the table, and more than one; 0 where none.

    Args:
        blank: (n, d) bool, columns in their order.
    """
    incomplete = blank[blank.any(1) & ~blank.all(1)]
    if not len(incomplete):
        return 0.0
    monotone = (np.diff(incomplete.astype(np.int8), axis=1) >= 0).all(1) & (incomplete.sum(1) > 1)
    return float(monotone.mean())
