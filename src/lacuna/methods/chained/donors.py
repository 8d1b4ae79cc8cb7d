"""Donors near in predicted mean."""

from __future__ import annotations

import numpy as np


def nearest_donors(
    wanted: np.ndarray, offered: np.ndarray, weights: np.ndarray, n_near: int, rng: np.random.Generator
) -> np.ndarray:
    """For each row the index of a donor, drawn by weight among those nearest in predicted mean.

    Args:
        wanted: (h,) predicted means of the rows.
        offered: (n,) predicted means of the donors.
        weights: (n,) of the donors.
        n_near: how many are near.

    >>> offered = np.array([0.0, 1.0, 2.0, 3.0])
    >>> nearest_donors(np.array([2.9, -5.0]), offered, np.ones(4), 1, np.random.default_rng(0))
    array([3, 0])
    """
    order = np.argsort(offered, kind="stable")
    ranked, n_near = offered[order], min(n_near, len(offered))
    # of a window of neighbours by rank, the nearest by distance
    window = min(2 * n_near, len(offered))
    first = (np.searchsorted(ranked, wanted) - window // 2).clip(0, len(offered) - window)
    near = first[:, None] + np.arange(window)
    if window > n_near:
        distance = np.abs(ranked[near] - wanted[:, None])
        closest = np.argpartition(distance, n_near - 1, axis=1)[:, :n_near]
        near = np.take_along_axis(near, closest, axis=1)
    # the least of exponential times is a draw by weight
    times = rng.exponential(size=near.shape) / weights[order][near]
    return order[np.take_along_axis(near, times.argmin(1)[:, None], axis=1)[:, 0]]
