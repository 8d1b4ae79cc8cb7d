"""The diffusion numerics against closed forms for Gaussian data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lacuna.numerics import edm

SD = 0.5


def zero_network(state: torch.Tensor, c_noise: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(state)


def gaussian_denoiser(state: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    return edm.denoise(zero_network, state, sigma, SD)


@pytest.mark.parametrize("sigma", [0.002, 0.5, 80.0])
def test_a_zero_network_is_the_posterior_mean_of_gaussian_data(sigma):
    state = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * sigma
    denoised = gaussian_denoiser(state, torch.tensor(sigma, dtype=torch.float64))
    torch.testing.assert_close(denoised, state * SD**2 / (SD**2 + sigma**2))


def test_coefficients_are_those_of_table_one():
    """With F = 1, D = c_skip x + c_out; at sigma = sigma_data both have simple values."""
    state, sigma = torch.full((1, 1), 3.0, dtype=torch.float64), torch.tensor(SD, dtype=torch.float64)
    seen = []

    def one(scaled, c_noise):
        seen.append((scaled, c_noise))
        return torch.ones_like(scaled)

    denoised = edm.denoise(one, state, sigma, SD)
    root_two = np.sqrt(2)
    assert denoised.item() == pytest.approx(3.0 / 2 + SD / root_two)
    assert seen[0][0].item() == pytest.approx(3.0 / (SD * root_two))
    assert seen[0][1].item() == pytest.approx(np.log(SD) / 4)


def test_regression_is_weighted_denoising():
    """Squared error of F against its target = lambda(sigma) |D - x|^2, cell by cell."""
    generator = torch.Generator().manual_seed(1)
    clean, noise, answer = torch.randn(3, 50, 2, generator=generator, dtype=torch.float64)
    sigma = edm.training_sigma(torch.randn(50, 1, generator=generator, dtype=torch.float64))
    state, c_noise, target = edm.regression(clean, noise, sigma, SD)
    seen = []

    def network(scaled, level):
        seen.extend([scaled, level])
        return answer

    error = edm.denoise(network, clean + sigma * noise, sigma, SD) - clean
    torch.testing.assert_close((answer - target) ** 2, (sigma**2 + SD**2) / (sigma * SD) ** 2 * error**2)
    torch.testing.assert_close([state, c_noise], seen)


def test_targets_have_unit_variance():
    """For Gaussian data the optimal F is 0, and its error 1 at every noise level."""
    generator = torch.Generator().manual_seed(1)
    clean = SD * torch.randn(200_000, 1, generator=generator)
    for sigma in (0.01, 0.5, 20.0):
        noise = torch.randn(200_000, 1, generator=generator)
        _, _, target = edm.regression(clean, noise, torch.tensor(sigma), SD)
        assert target.square().mean().item() == pytest.approx(1.0, abs=0.02)


def test_training_noise_is_log_normal():
    log_sigma = edm.training_sigma(torch.randn(100_000, generator=torch.Generator().manual_seed(2))).log()
    assert log_sigma.mean().item() == pytest.approx(-1.2, abs=0.02)
    assert log_sigma.std().item() == pytest.approx(1.2, abs=0.02)


def test_noise_levels_fall_from_sigma_max_to_sigma_min_to_zero():
    levels = edm.noise_levels(50, 0.002, 80.0, 7.0)
    assert len(levels) == 51
    assert levels[0].item() == pytest.approx(80.0)
    assert levels[-2].item() == pytest.approx(0.002)
    assert levels[-1] == 0
    assert (levels.diff() < 0).all()
    middle = (80 ** (1 / 7) + 10 / 49 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert levels[10].item() == pytest.approx(middle, rel=1e-5)


def probability_flow(n_steps: int) -> float:
    """Error of Heun's method from sigma 3 to 0.1 against the exact solution for Gaussian data."""
    levels = torch.linspace(3.0, 0.1, n_steps + 1, dtype=torch.float64)
    state = torch.ones(1, 1, dtype=torch.float64)
    for here, there in itertools.pairwise(levels):
        state = edm.heun_step(gaussian_denoiser, state, here, there, torch.zeros(1, 1), churn=0.0, correct=True)
    exact = np.sqrt((0.1**2 + SD**2) / (3.0**2 + SD**2))
    return abs(state.item() - exact)


def test_heun_is_of_second_order():
    assert probability_flow(40) / probability_flow(80) == pytest.approx(4.0, rel=0.1)


def test_churn_adds_the_noise_that_it_says():
    """With no move (sigma_next = sigma_hat) a step returns the churned state."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(100_000, 1, generator=generator)
    sigma = torch.tensor(1.0)
    moved = edm.heun_step(gaussian_denoiser, torch.zeros(100_000, 1), sigma, 1.2 * sigma, noise, 0.2, correct=False)
    assert moved.std().item() == pytest.approx(np.sqrt(1.2**2 - 1), rel=0.01)


def test_inpainting_holds_known_coordinates_at_their_noise_level():
    generator = torch.Generator().manual_seed(4)
    n = 50_000
    known, is_known = torch.full((n, 2), 0.7), torch.tensor([[True, False]]).expand(n, 2)
    noise = torch.randn(3, n, 2, generator=generator)
    levels = torch.tensor(2.0), torch.tensor(1.0)
    once = edm.inpainting_step(
        gaussian_denoiser, known, known, is_known, noise, *levels, torch.tensor(0.0), churn=0.02, correct=True
    )
    assert once[:, 0].mean().item() == pytest.approx(0.7, abs=0.02)
    assert once[:, 0].std().item() == pytest.approx(1.0, rel=0.02)
    again = edm.inpainting_step(
        gaussian_denoiser, known, known, is_known, noise, *levels, torch.tensor(1.0), churn=0.02, correct=True
    )
    assert again[:, 0].std().item() == pytest.approx(2.0, rel=0.02), "renoised to the level it came from"


def algorithm_3(s_obs, omega, sigma, M, repeats, churn, noise):
    """Diff-Joint's Algorithm 3 for one state at a time, counted as in the paper; Heun's step as in Karras et al."""

    def slope(s, level):
        return (s - gaussian_denoiser(s, level)) / level

    collection = []
    for k in range(len(s_obs)):
        s = sigma[M] * noise["start"][k : k + 1]
        for i in range(M, 0, -1):
            for repeat in range(repeats):
                churned, forward, back = (e[k : k + 1] for e in noise[i, repeat])
                high = (1 + churn) * sigma[i]
                s_hat = s + (high**2 - sigma[i] ** 2) ** 0.5 * churned
                reverse = s_hat + (sigma[i - 1] - high) * slope(s_hat, high)
                if sigma[i - 1] > 0:
                    average = (slope(s_hat, high) + slope(reverse, sigma[i - 1])) / 2
                    reverse = s_hat + (sigma[i - 1] - high) * average
                s = omega[k] * (s_obs[k] + sigma[i - 1] * forward) + ~omega[k] * reverse
                if repeat < repeats - 1:
                    s = s + (sigma[i] ** 2 - sigma[i - 1] ** 2) ** 0.5 * back
        collection.append(s)
    return torch.cat(collection)


@pytest.mark.parametrize("repeats", [1, 3])
def test_conditional_sampling_is_algorithm_3(repeats):
    n, width, M, churn = 5, 3, 6, 0.1
    generator = torch.Generator().manual_seed(5)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    known, is_known = normal(n, width), torch.rand(n, width, generator=generator) < 0.5
    levels = edm.noise_levels(M, 0.002, 80.0, 7.0).double()
    noise = {(i, repeat): normal(3, n, width) for i in range(M, 0, -1) for repeat in range(repeats)}
    supply = iter(list(noise.values()))
    noise["start"] = normal(n, width)

    def step(correct):
        def take(state, held, is_held, sigma, sigma_next, renoise):
            return edm.inpainting_step(
                gaussian_denoiser, state, held, is_held, next(supply), sigma, sigma_next, renoise, churn, correct
            )

        return take

    sampled = edm.conditional_sample(step(True), step(False), noise["start"], known, is_known, levels, repeats)
    assert torch.equal(sampled[is_known], known[is_known])
    sigma = levels.flip(0)
    torch.testing.assert_close(sampled, algorithm_3(known, is_known, sigma, M, repeats, churn, noise))
