"""Flipout against the Gaussian weights that it stands for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from lacuna.nets.flipout import PRIOR_SD, GaussianWeights, divergence, flipout
from lacuna.nets.perceptron import Perceptron, size, views

SHAPES = Perceptron.shapes([3, 4])


def posterior() -> GaussianWeights:
    generator = torch.Generator().manual_seed(0)
    found = GaussianWeights(torch.randn(size(SHAPES), generator=generator), SHAPES)
    found.raw_sd.copy_(torch.randn(found.raw_sd.shape, generator=generator))
    return found


def test_a_layer_has_the_moments_of_its_weights() -> None:
    """y = x W + b with independent weights: mean x M + b, variance x^2 S^2."""
    q, generator = posterior(), torch.Generator().manual_seed(1)
    x = torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.0, 4.0]])
    weight, bias = views(q.mean, SHAPES)
    sd = views(q.sd, SHAPES)[0]
    draws = []
    for _ in range(20_000):
        change = q.sd * torch.randn(q.mean.shape, generator=generator)
        draws.append(flipout(x, views(q.mean, SHAPES), views(change, SHAPES), generator))
    outputs = torch.stack(draws)
    spread = (x.square() @ sd.square()).sqrt()
    assert ((outputs.mean(0) - (x @ weight + bias)).abs() < 5 * spread / 20_000**0.5).all()
    torch.testing.assert_close(outputs.std(0), spread, rtol=0.03, atol=0)


def test_examples_get_perturbations_of_their_own() -> None:
    """With one shared perturbation, equal rows would move together; flips make their changes uncorrelated."""
    q, generator = posterior(), torch.Generator().manual_seed(1)
    x = torch.ones(2, 3)
    mean = flipout(x, views(q.mean, SHAPES), views(torch.zeros_like(q.mean), SHAPES), generator)
    changes = []
    for _ in range(4000):
        change = q.sd * torch.randn(q.mean.shape, generator=generator)
        changes.append(flipout(x, views(q.mean, SHAPES), views(change, SHAPES), generator) - mean)
    first, second = torch.stack(changes).unbind(1)
    correlation = (first * second).mean(0) / (first.square().mean(0) * second.square().mean(0)).sqrt()
    assert correlation.abs().max() < 0.08


def test_divergence_is_that_of_torch() -> None:
    q = posterior()
    weights = q.is_weight.bool()
    each = kl_divergence(Normal(q.mean, F.softplus(q.raw_sd)), Normal(torch.zeros_like(q.mean), PRIOR_SD))
    torch.testing.assert_close(divergence(q.mean, q.raw_sd, q.is_weight), each[weights].sum())


def test_draws_have_the_posteriors_moments_and_leave_biases_alone() -> None:
    q, generator = posterior(), torch.Generator().manual_seed(2)

    def draw() -> Tensor:
        out = torch.empty_like(q.mean)
        q.draw(generator, out)
        return out

    draws = torch.stack([draw() for _ in range(5000)])
    bias = q.is_weight == 0
    assert bias.sum() == 4
    assert (draws[:, bias] == q.mean[bias]).all()
    torch.testing.assert_close(draws.std(0), q.sd, rtol=0.05, atol=1e-6)
