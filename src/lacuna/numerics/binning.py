"""Numbers as the bins that they fall into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

MAX_BINS = 255  # as many as boosted trees tell apart


@dataclass(frozen=True)
class Bins:
    """Each feature of more distinct values than bins as the number of the quantiles that it exceeds.

    >>> thinned = Bins.of(np.arange(1000.0)[:, None])
    >>> thinned(np.array([[-5.0], [500.0], [5000.0], [np.nan]])).ravel()
    array([  0., 127., 254.,  nan])
    """

    cuts: tuple[np.ndarray, ...]  # by feature, each (c,) ascending; empty: values are kept

    @classmethod
    def of(cls, features: np.ndarray, n_bins: int = MAX_BINS) -> Self:
        """Quantiles of features (n, f), NaN where blank."""
        return cls(tuple(_cuts(cells[~np.isnan(cells)], n_bins) for cells in features.T))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(n, f) of features (n, f); blanks stay."""
        binned = features.copy()
        for j, cuts in enumerate(self.cuts):
            if len(cuts):
                seen = ~np.isnan(features[:, j])
                binned[seen, j] = np.searchsorted(cuts, features[seen, j])
        return binned


def _cuts(cells: np.ndarray, n_bins: int) -> np.ndarray:
    if len(np.unique(cells)) <= n_bins:
        return np.empty(0)
    return np.unique(np.quantile(cells, np.linspace(0, 1, n_bins + 1)[1:-1]))
