"""One-pass summaries against numpy on all draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.methods.missbgm.streaming import RunningSummary, summarise


def summarised(draws: np.ndarray, alpha: float) -> RunningSummary:
    summary = RunningSummary(draws.shape[1], len(draws), alpha, torch.device("cpu"))
    for draw in torch.from_numpy(draws):
        summary.add(draw)
    return summary


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 120), st.floats(0.01, 0.9), st.integers(0, 2**32 - 1))
def test_summary_is_that_of_all_draws(n_draws: int, alpha: float, seed: int) -> None:
    draws = np.random.default_rng(seed).normal(3, 2, (n_draws, 7)).astype(np.float32)
    summary = summarised(draws, alpha)
    lower, upper = np.quantile(draws.astype(np.float64), [alpha / 2, 1 - alpha / 2], axis=0)
    np.testing.assert_allclose(summary.mean, draws.astype(np.float64).mean(0), rtol=1e-6)
    np.testing.assert_allclose(summary.sd, draws.astype(np.float64).std(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(summary.lower, lower, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(summary.upper, upper, rtol=1e-5, atol=1e-5)
    at_once = summarise(torch.from_numpy(draws), alpha)
    for once, way in zip(at_once, (summary.mean, summary.sd, summary.lower, summary.upper), strict=True):
        np.testing.assert_allclose(once, way, rtol=1e-5, atol=1e-6)


def test_memory_is_that_of_the_tails() -> None:
    summary = RunningSummary(3, 1000, 0.05, torch.device("cpu"))
    assert summary.low.shape == summary.high.shape == (3, 26)


def test_it_wants_exactly_the_promised_draws() -> None:
    summary = RunningSummary(2, 2, 0.5, torch.device("cpu"))
    summary.add(torch.zeros(2))
    with pytest.raises(ValueError, match="2 draws were promised, 1 given"):
        _ = summary.lower
    summary.add(torch.zeros(2))
    with pytest.raises(ValueError, match="all 2 draws have been given"):
        summary.add(torch.zeros(2))
