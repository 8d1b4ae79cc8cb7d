"""Has a chain converged, and how many independent draws is it worth (Vehtari et al. 2021, arXiv:1903.08008)."""

from __future__ import annotations

import numpy as np

LEAST_DRAWS = 4  # a chain of fewer has no halves to compare


def split_rhat(chains: np.ndarray) -> np.ndarray:
    """Split R-hat of each quantity; near 1 where the two halves of every chain agree.

    Args:
        chains: (c, m, k): c chains of m draws of k quantities, m at least 4.

    Returns:
        (k,); NaN for a quantity that never moves.
    """
    halves = _halves(chains)
    m = halves.shape[1]
    within = halves.var(1, ddof=1).mean(0)
    between = m * halves.mean(1).var(0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((m - 1) / m + between / (m * within))


def effective_sample_size(chains: np.ndarray) -> np.ndarray:
    """How many independent draws the mean of each quantity is worth, from Geyer's initial monotone sequence.

    Args:
        chains: (c, m, k), m at least 4.

    Returns:
        (k,), at most c m log10(c m); NaN for a quantity that never moves.
    """
    halves = _halves(chains)
    c, m, _ = halves.shape
    centred = halves - halves.mean(1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred, n=2 * m, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, :m].mean(0) / m  # (m, k) by lag, over all half chains
    within = covariance[0] * m / (m - 1)
    between = halves.mean(1).var(0, ddof=1)
    pooled = covariance[0] + between
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = 1 - (within - covariance * m / (m - 1)) / pooled
    correlation[0] = 1
    pairs = correlation[: m // 2 * 2].reshape(m // 2, 2, -1).sum(1)
    positive = np.cumprod(pairs > 0, axis=0).astype(bool)
    monotone = np.minimum.accumulate(np.where(positive, pairs, 0), axis=0)
    time = -1 + 2 * monotone.sum(0)
    total = c * m
    size = np.minimum(total / np.maximum(time, 1 / np.log10(total)), total * np.log10(total))
    return np.where(pooled > 0, size, np.nan)


def _halves(chains: np.ndarray) -> np.ndarray:
    """(c, m, k) -> (2c, m // 2, k)"""
    if chains.ndim != 3 or chains.shape[1] < LEAST_DRAWS:
        raise ValueError(
            f"chains must be (chains, draws, quantities) with at least {LEAST_DRAWS} draws, got {chains.shape}"
        )
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, -half:]]).astype(np.float64)
