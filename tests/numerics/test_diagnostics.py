"""R-hat and effective sample size on chains whose autocorrelation is known."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.numerics.diagnostics import effective_sample_size, split_rhat


def autoregressive(rho: float, n_chains: int, n: int, k: int) -> np.ndarray:
    """(c, n, k) stationary chains with unit variance and correlation rho between neighbours."""
    rng = np.random.default_rng(0)
    chains = np.empty((n_chains, n, k))
    chains[:, 0] = rng.normal(size=(n_chains, k))
    for i in range(1, n):
        chains[:, i] = rho * chains[:, i - 1] + np.sqrt(1 - rho**2) * rng.normal(size=(n_chains, k))
    return chains


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_effective_sample_size_of_an_autoregression(rho: float) -> None:
    chains = autoregressive(rho, 4, 4000, 20)
    wanted = 4 * 4000 * (1 - rho) / (1 + rho)
    assert effective_sample_size(chains).mean() == pytest.approx(wanted, rel=0.1)


def test_antithetic_chains_are_worth_more_than_their_length() -> None:
    assert effective_sample_size(autoregressive(-0.5, 2, 4000, 10)).mean() > 2 * 4000


def test_rhat_is_one_for_chains_that_agree() -> None:
    assert np.abs(split_rhat(autoregressive(0.3, 4, 2000, 20)) - 1).max() < 0.02


def test_rhat_sees_chains_and_halves_that_disagree() -> None:
    chains = autoregressive(0.0, 2, 1000, 2)
    chains[0, :, 0] += 3
    chains[:, 500:, 1] += 3
    # variance between four halves at 0, 0, 3, 3 is 3; within it is 1
    assert split_rhat(chains) == pytest.approx(np.sqrt(1 + 3 * np.ones(2)), rel=0.1)


def test_a_quantity_that_never_moves_has_neither() -> None:
    still = np.ones((1, 100, 1))
    assert np.isnan(split_rhat(still)).all()
    assert np.isnan(effective_sample_size(still)).all()


def test_the_shape_is_checked() -> None:
    with pytest.raises(ValueError, match=r"at least 4 draws, got \(2, 3, 1\)"):
        split_rhat(np.zeros((2, 3, 1)))
