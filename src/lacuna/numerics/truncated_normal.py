"""Standard normals between two limits: moments and draws that hold far out in the tails."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)


def moments(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of a standard normal between ``low`` and ``high``, of one shape, infinite or not.

    >>> mean, variance = moments(np.array([0.0, -np.inf]), np.array([np.inf, np.inf]))
    >>> mean.round(4).tolist(), variance.round(4).tolist()
    ([0.7979, 0.0], [0.3634, 1.0])
    """
    flipped, low, high = _in_lower_tail(low, high)
    log_mass = _log_mass(low, high)
    at_low, at_high = (np.exp(-(end**2) / 2 - LOG_ROOT_TWO_PI - log_mass) for end in (low, high))
    mean = np.clip(at_low - at_high, low, high)
    weighted = (np.where(np.isfinite(low), low, 0) * at_low) - (np.where(np.isfinite(high), high, 0) * at_high)
    variance = np.clip(1 + weighted - mean**2, 0, 1)
    return np.where(flipped, -mean, mean), variance


def draw(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One draw between each ``low`` and ``high``, by the inverse of the distribution function."""
    flipped, low, high = _in_lower_tail(low, high)
    log_low, log_mass = log_ndtr(low), _log_mass(low, high)
    found = np.clip(ndtri_exp(np.logaddexp(log_low, np.log(rng.random(low.shape)) + log_mass)), low, high)
    return np.where(flipped, -found, found)


def _in_lower_tail(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where limits change sides, so that probabilities are small rather than near 1; the limits then."""
    flipped = low > 0
    return flipped, np.where(flipped, -high, low), np.where(flipped, -low, high)


def _log_mass(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    log_low, log_high = log_ndtr(low), log_ndtr(high)
    return log_high + np.log1p(-np.exp(np.minimum(log_low - log_high, -1e-15)))
