"""HMC against oscillators and Gaussians, whose motion and moments are known."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from lacuna.numerics import hmc

FLOAT = torch.float64


def gaussian(precision: Tensor, wrong: float = 1.0) -> hmc.Target:
    """N(0, precision^-1); its gradient times ``wrong``."""

    def look(x: Tensor) -> tuple[Tensor, Tensor]:
        return -0.5 * (x @ precision * x).sum(1), x[:, :0]

    return hmc.Target(look, lambda x: -wrong * x @ precision)


def run(
    target: hmc.Landscape, start: Tensor, step_size: float, n_leapfrog: int, n: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Positions (n, chains, k) and acceptance probabilities (n, chains)."""
    generator = torch.Generator().manual_seed(seed)
    state, size = hmc.start(start, target), torch.tensor(step_size, dtype=FLOAT)
    positions, acceptance = [], []
    for _ in range(n):
        momentum = torch.randn(start.shape, generator=generator, dtype=FLOAT)
        uniform = torch.rand(len(start), generator=generator, dtype=FLOAT)
        state, info = hmc.step(state, target, size, n_leapfrog, momentum, uniform)
        positions.append(state.position)
        acceptance.append(info.acceptance)
    return torch.stack(positions), torch.stack(acceptance)


def travel(target: hmc.Target, position: Tensor, momentum: Tensor, step: float, n: int) -> tuple[Tensor, Tensor]:
    """A whole leapfrog trajectory with its last half kick."""
    size = torch.tensor(step, dtype=FLOAT)
    end, half_kicked = hmc.leapfrog(position, momentum, target.gradient(position), size, n, target.gradient)
    return end, half_kicked + 0.5 * size * target.gradient(end)


def energy_error(target: hmc.Target, step: float, n_chains: int = 2000) -> float:
    """Mean |change of the total energy| over trajectories of length 1."""
    generator = torch.Generator().manual_seed(1)
    position, momentum = (torch.randn(n_chains, 2, generator=generator, dtype=FLOAT) for _ in range(2))
    end, arrived = travel(target, position, momentum, step, round(1 / step))

    def energy(x: Tensor, p: Tensor) -> Tensor:
        return hmc.kinetic(p) - target.look(x)[0]

    return float((energy(end, arrived) - energy(position, momentum)).abs().mean())


PRECISION = torch.tensor([[2.0, 0.6], [0.6, 1.0]], dtype=FLOAT)


def test_leapfrog_is_reversible() -> None:
    generator = torch.Generator().manual_seed(0)
    position, momentum = (torch.randn(5, 2, generator=generator, dtype=FLOAT) for _ in range(2))
    target = gaussian(PRECISION)
    there = travel(target, position, momentum, 0.1, 20)
    back = travel(target, there[0], -there[1], 0.1, 20)
    torch.testing.assert_close(back[0], position, rtol=0, atol=1e-13)
    torch.testing.assert_close(back[1], -momentum, rtol=0, atol=1e-13)


def test_leapfrog_follows_an_oscillator() -> None:
    """x'' = -x from (1, 0) is cos t, up to the method's O(step^2)."""
    one = torch.ones(1, 1, dtype=FLOAT)
    target = gaussian(one)
    errors = []
    for step in (0.1, 0.05):
        end, _ = travel(target, one, 0 * one, step, round(2 / step))
        errors.append(abs(float(end) - math.cos(2)))
    assert errors[0] < 2e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)


def test_moments_of_a_correlated_gaussian() -> None:
    positions, acceptance = run(gaussian(PRECISION), torch.zeros(400, 2, dtype=FLOAT), 0.5, 5, 200)
    draws = positions[20:].reshape(-1, 2)
    covariance = torch.linalg.inv(PRECISION)
    torch.testing.assert_close(torch.cov(draws.T), covariance, rtol=0, atol=0.02)
    torch.testing.assert_close(draws.mean(0), torch.zeros(2, dtype=FLOAT), rtol=0, atol=0.02)
    assert acceptance.mean() > 0.9


def test_acceptance_falls_with_the_step_size() -> None:
    """Whole trajectories of one length: acceptance goes to 1 with the step, and down to 0 past stability at 2 / sd."""
    start = torch.zeros(500, 2, dtype=FLOAT)
    rates = [
        float(run(gaussian(PRECISION), start, step, round(2 / step), 40)[1][5:].mean()) for step in (0.05, 0.5, 1.0)
    ]
    assert rates[0] > 0.998
    assert rates[0] > rates[1] > rates[2]
    unstable = run(gaussian(PRECISION), start, 2.5, 20, 20)[1][5:].mean()
    assert unstable < 0.01


def is_gradient_of_its_density(target: hmc.Target) -> bool:
    """Halving the step of a trajectory divides the energy error by four, if the force belongs to the energy."""
    ratio = energy_error(target, 0.1) / energy_error(target, 0.05)
    return 3.7 < ratio < 4.3


@pytest.mark.parametrize(("wrong", "right"), [(1.0, True), (0.9, False), (-1.0, False), (1.01, False)])
def test_a_wrong_gradient_is_found_out(wrong: float, right: bool) -> None:
    assert is_gradient_of_its_density(gaussian(PRECISION, wrong)) is right


def test_a_rough_gradient_costs_acceptance_but_not_truth() -> None:
    start = torch.zeros(400, 2, dtype=FLOAT)
    positions, acceptance = run(gaussian(PRECISION, wrong=0.6), start, 0.3, 5, 300)
    torch.testing.assert_close(
        torch.cov(positions[50:].reshape(-1, 2).T), torch.linalg.inv(PRECISION), rtol=0, atol=0.03
    )
    assert acceptance.mean() < run(gaussian(PRECISION), start, 0.3, 5, 50)[1].mean() - 0.02


class RougherWithin(NamedTuple):
    """A Gaussian whose gradient is right at the ends of a trajectory and rough within."""

    exact: hmc.Target
    rough: hmc.Target

    def gradient(self, position: Tensor, /) -> Tensor:
        return self.rough.gradient(position)

    def arrive(self, position: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        return self.exact.arrive(position)


def test_gradients_may_be_rougher_within_than_at_the_ends() -> None:
    start, target = torch.zeros(400, 2, dtype=FLOAT), RougherWithin(gaussian(PRECISION), gaussian(PRECISION, wrong=0.7))
    positions, acceptance = run(target, start, 0.3, 5, 300)
    draws = positions[50:].reshape(-1, 2)
    torch.testing.assert_close(torch.cov(draws.T), torch.linalg.inv(PRECISION), rtol=0, atol=0.03)
    assert acceptance.mean() < 0.995


def test_gibbs_of_two_hmc_blocks_has_the_joint_moments() -> None:
    """x | y ~ N(rho y, 1 - rho^2) and back: the joint is a standard Gaussian with correlation rho."""
    rho, n_chains = 0.7, 500
    generator = torch.Generator().manual_seed(2)
    x = y = torch.zeros(n_chains, 1, dtype=FLOAT)
    size, seen = torch.tensor(0.4, dtype=FLOAT), []

    def given(other: Tensor) -> hmc.Target:
        variance = 1 - rho**2

        def look(position: Tensor) -> tuple[Tensor, Tensor]:
            return -0.5 * ((position - rho * other) ** 2 / variance).sum(1), position[:, :0]

        return hmc.Target(look, lambda position: -(position - rho * other) / variance)

    def block(position: Tensor, target: hmc.Target) -> Tensor:
        momentum = torch.randn(position.shape, generator=generator, dtype=FLOAT)
        uniform = torch.rand(n_chains, generator=generator, dtype=FLOAT)
        state, _ = hmc.step(hmc.start(position, target), target, size, 4, momentum, uniform)
        return state.position

    for i in range(400):
        x = block(x, given(y))
        y = block(y, given(x))
        if i >= 50:
            seen.append(torch.cat([x, y], 1))
    covariance = torch.cov(torch.cat(seen).T)
    wanted = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=FLOAT)
    torch.testing.assert_close(covariance, wanted, rtol=0, atol=0.03)


def test_a_diverged_trajectory_is_refused() -> None:
    def look(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(x[:, 0] > 0, torch.nan, -0.5 * x.square().sum(1)), x[:, :0]

    target = hmc.Target(look, lambda x: -x)
    positions, _ = run(target, torch.full((200, 1), -1.0, dtype=FLOAT), 0.5, 5, 50)
    assert (positions <= 0).all()


def test_coordinates_without_momentum_and_gradient_stay() -> None:
    target = hmc.Target(lambda x: (-0.5 * x[:, :1].square().sum(1), x[:, :0]), lambda x: -x * torch.tensor([1.0, 0.0]))
    state = hmc.start(torch.ones(50, 2, dtype=FLOAT), target)
    momentum = torch.randn(50, 2, dtype=FLOAT, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.0])
    after, info = hmc.step(state, target, torch.tensor(0.3), 5, momentum, torch.zeros(50, dtype=FLOAT))
    assert info.accepted.all()
    assert (after.position[:, 1] == 1).all()
    assert (after.position[:, 0] != 1).all()
