"""The reference against torch.distributions, torch's Adam and a model whose posterior is known in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Normal

from lacuna.methods.missbgm import dense_adam, posterior, reference
from lacuna.methods.missbgm.local import at_rest
from lacuna.methods.missbgm.model import VARIANCE_FLOOR, Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.settings import ChainSettings
from lacuna.nets.perceptron import SLOPE, views

CPU = torch.device("cpu")


def mixed(beta: float) -> tuple[Model, Tensor, Tensor, Tensor, Tensor]:
    """Model, z, x, mask and level codes of 9 rows of four numbers and a category of three levels."""
    generator = torch.Generator().manual_seed(0)
    g = Generator(2, [7], Heads(4, np.array([3]), CPU), generator, CPU)
    g.vector += 0.1 * torch.randn(g.vector.shape, generator=generator)
    z, codes = torch.randn(9, 2, generator=generator), torch.randint(3, (9,), generator=generator)
    x = torch.cat([torch.randn(9, 4, generator=generator), torch.eye(3)[codes]], 1)
    r = (torch.rand(9, 5, generator=generator) > 0.4).float()
    return Model(g, Missingness(7, [5], 5, generator, CPU), beta), z, x, r, codes


def test_objectives_are_minus_the_log_posteriors() -> None:
    """(6) and (8) against densities of torch.distributions; constants that depend on neither z nor x left out."""
    model, z, x, r, codes = mixed(beta=0.25)
    raw = reference.g(model, model.g.vector, z)
    mean, sd = raw[:, :4], (torch.nn.functional.softplus(raw[:, 4:8]) + VARIANCE_FLOOR).sqrt()
    fit = Normal(mean, sd).log_prob(x[:, :4]).sum(1) + Categorical(logits=raw[:, 8:]).log_prob(codes)
    fit += 2 * math.log(2 * math.pi)
    prior = Normal(0, 1).log_prob(z).sum(1) + math.log(2 * math.pi)
    mask = Bernoulli(logits=reference.f(model, model.f.vector, x)).log_prob(r).sum(1)
    torch.testing.assert_close(reference.L_z(model, z, x), -prior - fit)
    torch.testing.assert_close(reference.L_x(model, z, x, r), -fit - 0.25 * mask)


def test_dense_adam_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(6, 2, generator=generator)
    theirs = ours.clone().requires_grad_()
    settings = dense_adam.Adam(0.02)
    adam, optimizer = reference.Adam(ours, settings), torch.optim.Adam([theirs], 0.02, settings.betas, settings.epsilon)
    for _ in range(30):
        rows = torch.randperm(6, generator=generator)[:2]
        gradient = torch.randn(2, 2, generator=generator)
        adam.step(gradient, rows)
        theirs.grad = torch.zeros(6, 2)
        theirs.grad[rows] = gradient
        optimizer.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=1e-5)


def test_a_gradient_is_clipped_by_its_norm() -> None:
    gradient = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    assert float(reference.clipped(gradient, 2.0, together=True).norm()) == pytest.approx(2.0)
    torch.testing.assert_close(reference.clipped(gradient, 2.0, together=False), torch.tensor([[1.2, 1.6], [0.0, 1.0]]))
    torch.testing.assert_close(reference.clipped(gradient, 25.0, together=True), gradient)


# --- a linear model: x = W z + noise, whose posterior is Gaussian --------------------------------------------------

LOADINGS = torch.tensor([[1.0, 0.5], [-0.8, 0.6], [0.3, 1.1], [0.9, -0.4]])
NOISE = 0.3  # variance
ROWS = 400


def linear() -> Model:
    """g(z) = LOADINGS z with a constant variance: LeakyReLU(u) - LeakyReLU(-u) = (1 + slope) u."""
    generator = torch.Generator().manual_seed(0)
    g = Generator(2, [4], Heads(4, np.array([], dtype=np.intp), CPU), generator, CPU)
    _, _, first, _, last, bias = views(g.vector, g.shapes)
    first.copy_(torch.cat([torch.eye(2), -torch.eye(2)], 1) * math.sqrt(1 + 1e-3))  # z is divided by sqrt(1 + epsilon)
    last.zero_()
    last[:, :4] = torch.cat([LOADINGS.T, -LOADINGS.T]) / (1 + SLOPE)
    bias[4:] = math.log(math.expm1(NOISE - VARIANCE_FLOOR))
    return Model(g, Missingness(4, [3], 4, generator, CPU), beta=0.0)


@pytest.mark.parametrize("engine", ["reference", "host"])
@pytest.mark.parametrize("adaptation", ["simple", "per_row"])
def test_the_sampler_finds_the_posterior_of_a_linear_model(engine: str, adaptation: Any) -> None:
    """Two of four columns missing: mean (averaged over rows that show the same) and sd within 0.05."""
    covariance = LOADINGS @ LOADINGS.T + NOISE * torch.eye(4)
    shown = torch.tensor([1.0, -0.5])
    weights = torch.linalg.solve(covariance[:2, :2], covariance[:2, 2:])
    mean, spread = shown @ weights, covariance[2:, 2:] - covariance[2:, :2] @ weights

    x, z = torch.cat([shown, torch.zeros(2)]).expand(ROWS, 4).clone(), torch.zeros(ROWS, 2)
    r = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(ROWS, 4).clone()
    draws: list[Tensor] = []

    def collect(state: Tensor) -> Tensor:
        draws.append(state.clone())
        return state[0, 2:]

    settings = ChainSettings(150, 0.1, 5, adaptation, 0.8, 0.75)
    others = (r, linear(), settings, 60, lambda name: torch.Generator().manual_seed(int(name != "weights")), collect)
    if engine == "reference":
        reference.sample(z, x, *others, lambda sweeps, rate: None)
    else:
        posterior.sample(at_rest(z, x, 4), *others, lambda sweeps, rate: None)
    states = torch.stack(draws)
    assert (states[:, :, :2] == shown).all()
    found = states[:, :, 2:].flatten(0, 1)
    torch.testing.assert_close(found.mean(0), mean, rtol=0, atol=0.05)
    torch.testing.assert_close(torch.cov(found.T), spread, rtol=0, atol=0.05)
