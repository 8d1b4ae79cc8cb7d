"""Isotonic calibration: predictions keep their order and become averages of what they predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.isotonic import IsotonicRegression


@dataclass(frozen=True)
class Isotonic:
    """A monotone, piecewise linear map into (0, 1), flat beyond its ends."""

    knots: np.ndarray  # (k,) increasing
    levels: np.ndarray  # (k,) non-decreasing

    @classmethod
    def fit(cls, predicted: np.ndarray, outcome: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Regress outcome (n,), whose mean is a probability, on predictions (n,) that had no part in it.

        Levels are kept 1 / (n + 2) from 0 and 1: no sample shows that something never happens.

        >>> Isotonic.fit(np.array([0.1, 0.2, 0.8]), np.array([0, 1, 1])).levels
        array([0.2, 0.8, 0.8])
        """
        edge = 1 / (len(outcome) + 2)
        fit = IsotonicRegression(y_min=edge, y_max=1 - edge).fit(predicted, outcome, weights)
        return cls(fit.X_thresholds_, fit.y_thresholds_)

    def __call__(self, predicted: np.ndarray) -> np.ndarray:
        return np.interp(predicted, self.knots, self.levels)
