"""Donors near in predicted mean."""

from __future__ import annotations

import numpy as np


def nearest_donors(
    wanted: np.ndarray, offered: np.ndarray, weights: np.ndarray, n_near: int, rng: np.random.Generator
) -> np.ndarray:
    """For each row the index of a donor, drawn by weight among the ``n_near`` nearest by rank, ties included.

    Args:
        wanted: (h,) predicted means of the rows.
        offered: (n,) predicted means of the donors.
        weights: (n,) of the donors, above 0.

    >>> offered = np.array([0.0, 1.0, 2.0, 3.0])
    >>> nearest_donors(np.array([2.9, -5.0]), offered, np.ones(4), 1, np.random.default_rng(0))
    array([3, 0])
    """
    order = np.argsort(offered, kind="stable")
    ranked, n_near = offered[order], min(n_near, len(offered))
    first = (np.searchsorted(ranked, wanted) - n_near // 2).clip(0, len(offered) - n_near)
    low = np.searchsorted(ranked, ranked[first])
    high = np.searchsorted(ranked, ranked[first + n_near - 1], side="right")
    edges = np.concatenate([[0.0], np.cumsum(weights[order])])
    drawn = edges[low] + rng.random(len(wanted)) * (edges[high] - edges[low])
    return order[(np.searchsorted(edges, drawn, side="right") - 1).clip(low, high - 1)]
