"""The encoding generative model that MissBGM starts from (appendix E.2): encoder, generator and two critics.

Least-squares adversarial losses with targets 0.9 and 0.1 pull e(x) towards N(0, I) and g(z) towards the data; a
cycle loss makes e and g inverse to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.backend.graphs import graphed
from lacuna.methods.missbgm.model import NORM_EPSILON, Generator
from lacuna.methods.missbgm.settings import WarmStart
from lacuna.nets.perceptron import Perceptron, glorot_, views

REAL, FAKE = 0.9, 0.1
CYCLE_WEIGHT = 10.0
BETAS, EPSILON = (0.5, 0.9), 1e-7


class Critic:
    """(n, w) -> (n, 1): dense layers, each normalised by the batch, tanh between."""

    def __init__(self, width: int, units: Sequence[int], generator: torch.Generator, device: torch.device) -> None:
        self.layers = []
        for inputs, outputs in zip([width, *units], units, strict=False):
            scale, shift = torch.ones(outputs, device=device), torch.zeros(outputs, device=device)
            self.layers.append((*dense(inputs, outputs, generator, device), scale, shift))
        self.last = dense(units[-1] if units else width, 1, generator, device)
        self.parameters = [p.requires_grad_() for layer in (*self.layers, self.last) for p in layer]

    def __call__(self, x: Tensor) -> Tensor:
        for weight, bias, scale, shift in self.layers:
            x = torch.addmm(bias, x, weight)
            x = F.batch_norm(x, None, None, scale, shift, training=True, eps=NORM_EPSILON).tanh()
        weight, bias = self.last
        return torch.addmm(bias, x, weight)


def dense(inputs: int, outputs: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """Glorot-uniform weight (inputs, outputs) and zero bias."""
    weight = torch.empty(inputs, outputs)
    glorot_(weight, generator)
    return weight.to(device), torch.zeros(outputs, device=device)


def new_encoder(
    width: int, units: Sequence[int], n_latent: int, generator: torch.Generator, device: torch.device
) -> Perceptron:
    """e: x (n, width) -> z (n, n_latent)"""
    widths = [width, *units, n_latent]
    layers = (dense(a, b, generator, device) for a, b in pairwise(widths))
    return Perceptron([p for layer in layers for p in layer])


def warm_start(
    g: Generator,
    x: Tensor,
    settings: WarmStart,
    batch: int,
    init: torch.Generator,
    noise: torch.Generator,
    rng: np.random.Generator,
    on_iteration: Callable[[int, float], None],
) -> Perceptron:
    """Train ``g`` in place and an encoder with it.

    Args:
        x: (n, width) completed rows.
        init: CPU generator of starting weights; ``noise``: of samples, on the device; ``rng`` orders the rows.
        on_iteration: told (iteration, loss of generator and encoder) now and then.

    Returns:
        the encoder.
    """
    device, n_latent = x.device, len(g.moving_mean)
    encoder = new_encoder(x.shape[1], settings.e_units, n_latent, init, device)
    dz = Critic(n_latent, settings.dz_units, init, device)
    dx = Critic(x.shape[1], settings.dx_units, init, device)
    layers = zip(encoder.weights, encoder.biases, strict=True)
    encoder_parts = [p.requires_grad_() for layer in layers for p in layer]
    g_parts = [p.detach().requires_grad_() for p in views(g.vector, g.shapes)]  # share memory with the vector
    gamma, shift, *g_layers = g_parts
    g_network = Perceptron(g_layers)

    def normal(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=noise, device=device)

    def sample(z: Tensor) -> Tensor:
        raw = g_network.forward(g.normalised(z) * gamma + shift)[-1]
        mean, variance = g.heads.gaussian(raw)
        drawn = mean + variance.sqrt() * normal(mean.shape)
        return torch.cat([drawn, g.heads.log_levels(raw).exp().flatten(1)], 1) if g.heads.blocks[0] else drawn

    def encode(rows: Tensor) -> Tensor:
        return encoder.forward(rows)[-1]

    def adam(parameters: list[Tensor]) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, settings.lr, BETAS, EPSILON, fused=True, capturable=device.type == "cuda")

    critics, coders = adam([*dz.parameters, *dx.parameters]), adam([*g_parts, *encoder_parts])

    def iteration(first: Tensor, second: Tensor) -> Tensor:
        real_x, real_z = x[first], normal(torch.Size([len(first), n_latent]))
        with torch.no_grad():
            fake_x, fake_z = sample(real_z), encode(real_x)
        loss = 0.5 * (_gap(dx(real_x), REAL) + _gap(dx(fake_x), FAKE))
        loss = loss + 0.5 * (_gap(dz(real_z), REAL) + _gap(dz(fake_z), FAKE))
        _descend(critics, loss)

        real_x, real_z = x[second], normal(torch.Size([len(second), n_latent]))
        fake_x, fake_z = sample(real_z), encode(real_x)
        adversarial = _gap(dx(fake_x), REAL) + _gap(dz(fake_z), REAL)
        cycle = F.mse_loss(sample(fake_z), real_x) + F.mse_loss(encode(fake_x), real_z)
        loss = adversarial + CYCLE_WEIGHT * cycle
        _descend(coders, loss)
        return loss.detach()

    batches = cycled_batches(len(x), batch, 2 * settings.n_iter, rng).to(device)
    trained = [g.moving_mean, g.moving_variance, *g_parts, *encoder_parts, *dz.parameters, *dx.parameters]
    step = graphed(iteration, [batches[0], batches[0]], [noise], [*trained, critics, coders])

    for i in range(settings.n_iter):
        loss = step(batches[2 * i], batches[2 * i + 1])
        if (i + 1) % 50 == 0 or i + 1 == settings.n_iter:
            on_iteration(i + 1, float(loss))
    for part in encoder_parts:
        part.requires_grad_(False)
    return encoder


def cycled_batches(n: int, batch: int, n_batches: int, rng: np.random.Generator) -> Tensor:
    """(n_batches, batch) row numbers: permutation after permutation of all rows, cut into batches."""
    wanted = n_batches * batch
    rows = np.concatenate([rng.permutation(n) for _ in range(-(-wanted // n))])
    return torch.from_numpy(rows[:wanted].reshape(n_batches, batch))


def _gap(verdict: Tensor, wanted: float) -> Tensor:
    return (verdict - wanted).square().mean()


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
