"""Densities of MissBGM against torch.distributions, and their derivatives against autograd."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Normal
from torch.nn import functional as F

from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.local import at_rest
from lacuna.methods.missbgm.model import (
    NORM_EPSILON,
    Generator,
    Heads,
    Missingness,
    Model,
    mask_gradient,
)
from lacuna.methods.missbgm.parameters import PointParameters
from lacuna.methods.missbgm.targets import Networks, latent_target, missing_target
from lacuna.nets.perceptron import Perceptron, views

CPU = torch.device("cpu")
LEVELS = np.array([2, 3])
N, D = 4, 6  # numeric columns, all columns


def small(beta: float = 0.5) -> Model:
    generator = torch.Generator().manual_seed(0)
    heads = Heads(N, LEVELS, CPU)
    g = Generator(2, [7, 7], heads, generator, CPU)
    g.moving_mean += torch.tensor([0.3, -0.2])
    g.moving_variance *= 1.7
    g.vector += 0.1 * torch.randn(g.vector.shape, generator=generator)
    return Model(g, Missingness(N + 6, [5], D, generator, CPU), beta)


def rows(n: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    """z (n, 2), states (n, 10), mask (n, 6)."""
    generator = torch.Generator().manual_seed(1)
    z, numeric = torch.randn(n, 2, generator=generator), torch.randn(n, N, generator=generator)
    codes = torch.stack([torch.randint(0, int(k), (n,), generator=generator) for k in LEVELS], 1)
    levels = F.one_hot(codes, 3).float().flatten(1)
    return z, torch.cat([numeric, levels], 1), (torch.rand(n, D, generator=generator) > 0.4).float()


def test_likelihood_of_a_mixed_row() -> None:
    model, (z, x, _) = small(), rows()
    raw = model.g.frozen().forward(z)[-1]
    mean, variance = model.heads.gaussian(raw)
    log_density = Normal(mean, variance.sqrt()).log_prob(x[:, :N]).sum(1) + 0.5 * N * np.log(2 * np.pi)
    first, second = raw[:, 2 * N : 2 * N + 2], raw[:, 2 * N + 3 :]
    codes = x[:, N:].view(-1, 2, 3).argmax(-1)
    log_density += Bernoulli(logits=first[:, 1] - first[:, 0]).log_prob(codes[:, 0].float())
    log_density += Categorical(logits=second).log_prob(codes[:, 1])
    torch.testing.assert_close(model.heads.negative_log_likelihood(raw, x), -log_density)


def test_derivative_by_the_raw_output() -> None:
    model, (z, x, _) = small(), rows()
    raw = model.g.frozen().forward(z)[-1].requires_grad_()
    (wanted,) = torch.autograd.grad(model.heads.negative_log_likelihood(raw, x).sum(), raw)
    torch.testing.assert_close(model.heads.by_raw(raw.detach(), x), wanted)
    torch.testing.assert_close(model.heads.by_raw(raw.detach(), x, 0.25), 0.25 * wanted)


def test_a_frozen_generator_normalises_by_its_moving_moments() -> None:
    g, (z, _, _) = small().g, rows()
    standard = (z - g.moving_mean) / (g.moving_variance + NORM_EPSILON).sqrt()
    wanted = g.network.forward(standard * g.gamma + g.shift)[-1]
    torch.testing.assert_close(g.frozen().forward(z)[-1], wanted)


def test_moving_moments_take_in_a_hundredth_of_a_batch() -> None:
    g, (z, _, _) = small().g, rows()
    before = g.moving_variance.clone()
    g.normalised(z)
    torch.testing.assert_close(g.moving_variance, 0.99 * before + 0.01 * z.var(0, correction=0))


def test_targets_give_the_gradients_of_their_densities() -> None:
    model, (z, x, r) = small(), rows()
    networks = Networks.of(model, torch.float32)
    raw = networks.g.forward(z)[-1]
    targets = {
        "z": (latent_target(networks, model.heads, x), z),
        "x": (missing_target(networks, model, raw, r, x[:, N:]), x[:, :N].clone()),
    }
    for target, position in targets.values():
        moving = position.clone().requires_grad_()
        (wanted,) = torch.autograd.grad(target.look(moving)[0].sum(), moving)
        if position.shape[1] == N:
            wanted = wanted * (1 - r[:, :N])  # what is observed does not move
        torch.testing.assert_close(target.gradient(position), wanted, rtol=1e-4, atol=1e-5)


def test_rough_gradients_are_near() -> None:
    model, (z, x, _) = small(), rows()
    exact, rough = (
        latent_target(Networks.of(model, dtype), model.heads, x).gradient(z)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert (exact - rough).norm() < 0.03 * exact.norm()


def test_beta_tempers_the_mask() -> None:
    """d/d beta of the density of x is the log likelihood of the mask."""
    (z, x, r), densities = rows(), {}
    for beta in (0.0, 0.25, 1.0):
        model = small(beta)
        networks = Networks.of(model, torch.float32)
        target = missing_target(networks, model, networks.g.forward(z)[-1], r, x[:, N:])
        densities[beta] = target.look(x[:, :N])[0]
    log_mask = Bernoulli(logits=small().f.network.forward(x)[-1]).log_prob(r).sum(1)
    torch.testing.assert_close(densities[1.0] - densities[0.0], log_mask)
    torch.testing.assert_close(densities[0.25] - densities[0.0], 0.25 * log_mask)


def test_levels_given_all_else_by_enumeration() -> None:
    model, (z, x, r) = small(), rows()
    raw = model.g.frozen().forward(z)[-1]
    for block, n_levels in enumerate(LEVELS):
        joint = torch.full((len(z), 3), -torch.inf)
        for level in range(n_levels):
            changed = x.clone()
            changed[:, N + 3 * block : N + 3 * block + 3] = F.one_hot(torch.tensor(level), 3).float()
            mask_loss = model.f.negative_log_likelihood(model.f.network.forward(changed)[-1], r)
            joint[:, level] = -model.heads.negative_log_likelihood(raw, changed) - model.beta * mask_loss
        found = model.level_posterior(raw, x, r, block).exp()
        torch.testing.assert_close(found, joint.softmax(1), rtol=1e-4, atol=1e-6)


def test_a_parameter_step_is_torchs_adam_on_the_batch_loss() -> None:
    model, (z, x, r) = small(), rows()
    reference = copy.deepcopy(model)
    vectors = [net.vector.clone().requires_grad_() for net in reference.nets]
    gamma, shift, *layers = views(vectors[0], reference.g.shapes)
    standard = (z - z.mean(0)) / (z.var(0, correction=0) + NORM_EPSILON).sqrt()
    raw = Perceptron(layers).forward(standard * gamma + shift)[-1]
    logits = Perceptron(views(vectors[1], reference.f.shapes)).forward(x)[-1]
    decay = 0.01
    losses = [
        reference.heads.negative_log_likelihood(raw, x).mean() / D + decay * vectors[0].square().sum(),
        F.binary_cross_entropy_with_logits(logits, r) + decay * vectors[1].square().sum(),
    ]
    for vector, loss, lr in zip(vectors, losses, (0.01, 0.02), strict=True):
        (vector.grad,) = torch.autograd.grad(loss, vector)
        torch.optim.Adam([vector], lr=lr, betas=(0.9, 0.99), eps=1e-7).step()

    parameters = PointParameters(model, (Adam(0.01), Adam(0.02)), decay)
    parameters.step(z, x, r, torch.tensor(1.0))
    torch.testing.assert_close(model.g.vector, vectors[0].detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.f.vector, vectors[1].detach(), rtol=1e-4, atol=1e-5)


def test_a_copy_computes_with_its_own_vector() -> None:
    model, (z, x, r) = small(), rows()
    twin = copy.deepcopy(model)
    model.g.vector.zero_()
    model.f.vector.zero_()
    assert twin.g.frozen().forward(z)[-1].abs().max() > 0
    assert mask_gradient(twin.f.network, x, r).abs().max() > 0


def test_rows_know_their_state() -> None:
    _, x, _ = rows()
    torch.testing.assert_close(at_rest(x[:, :2], x, N).x, x)
