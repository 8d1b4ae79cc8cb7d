"""Exact 2-means in one dimension."""

from __future__ import annotations

import numpy as np


def two_means_threshold(values: np.ndarray) -> float:
    """The smallest value of the upper cluster of the best split of values (k,) into two.

    Sorted values split at the cut with the least within-cluster sum of squares, which is the global optimum of
    2-means on a line. Without two distinct values there is no upper cluster: the result is infinity.

    >>> two_means_threshold(np.array([0.1, 5.0, 0.2, 5.5]))
    5.0
    """
    if len(values) == 0:
        return np.inf
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 2:
        return np.inf
    # between-cluster sum of squares at every cut, from centred values: prefix sums stay small
    centred = distinct - np.average(distinct, weights=counts)
    n_low = counts.cumsum()[:-1]
    sum_low = (centred * counts).cumsum()[:-1]
    between = sum_low**2 / n_low + sum_low**2 / (counts.sum() - n_low)
    return float(distinct[between.argmax() + 1])
