"""The densities of MissBGM and their derivatives: x given z (network g) and the mask given x (network f).

States are as in ``layout``: N numeric coordinates, then C blocks of L level probabilities. ``r`` is 1 where a cell
is observed. A numeric column is Gaussian, a categorical one categorical, with two levels a Bernoulli variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.nets.flipout import GaussianWeights
from lacuna.nets.perceptron import Perceptron, glorot_, size, views

VARIANCE_FLOOR = 1e-4
NORM_EPSILON, NORM_MOMENTUM = 1e-3, 0.99
NEVER = -1e9  # logit of a level that a column does not have


class Heads:
    """p(x | z) from the raw output of g: (n, 2N + CL), means, raw variances, logits."""

    def __init__(self, n_numeric: int, levels: np.ndarray, device: torch.device) -> None:
        self.n = n_numeric
        self.blocks = (len(levels), int(levels.max()) if len(levels) else 0)  # C, L
        beyond = np.arange(self.blocks[1]) >= levels[:, None]
        self.beyond = torch.tensor(np.where(beyond, NEVER, 0.0), dtype=torch.float32, device=device)

    @property
    def raw_width(self) -> int:
        return 2 * self.n + self.blocks[0] * self.blocks[1]

    def gaussian(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Means and variances (n, N)."""
        return raw[:, : self.n], F.softplus(self._raw_variance(raw)) + VARIANCE_FLOOR

    def _raw_variance(self, raw: Tensor) -> Tensor:
        """(n, N)"""
        part = raw[:, self.n : 2 * self.n]
        # on a CPU, softplus takes five times as long where rows do not follow each other in memory
        return part if part.is_cuda else part.contiguous()

    def log_levels(self, raw: Tensor) -> Tensor:
        """Log probabilities (n, C, L)."""
        return (raw[:, 2 * self.n :].unflatten(1, self.blocks) + self.beyond).log_softmax(-1)

    def negative_log_likelihood(self, raw: Tensor, x: Tensor) -> Tensor:
        """(n,) up to a constant; the expected one where a block of x holds probabilities."""
        mean, variance = self.gaussian(raw)
        value = 0.5 * ((x[:, : self.n] - mean).square() / variance + variance.log()).sum(1)
        if self.blocks[0]:
            value = value - (self.log_levels(raw) * x[:, self.n :].unflatten(1, self.blocks)).sum((1, 2))
        return value

    def by_raw(self, raw: Tensor, x: Tensor, scale: float = 1.0, known: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Derivative by the raw output of ``scale`` times the negative log likelihood; ``known``: its ``gaussian``."""
        n, out = self.n, torch.empty_like(raw)
        mean, variance = known or self.gaussian(raw)
        pull = (x[:, :n] - mean) / variance
        torch.mul(pull, -scale, out=out[:, :n])
        spread = torch.addcmul(variance.reciprocal(), pull, pull, value=-1).mul_(0.5 * scale)
        torch.mul(spread, torch.sigmoid(self._raw_variance(raw)), out=out[:, n : 2 * n])
        if self.blocks[0]:
            torch.sub(self.log_levels(raw).exp().flatten(1), x[:, n:], out=out[:, 2 * n :]).mul_(scale)
        return out


class Generator:
    """g: z (n, d) -> raw output (n, raw_width), its input batch-normalised.

    >>> heads = Heads(3, np.array([2]), torch.device("cpu"))
    >>> g = Generator(2, [8, 8], heads, torch.Generator().manual_seed(0), torch.device("cpu"))
    >>> g.frozen().forward(torch.zeros(5, 2))[-1].shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        n_latent: int,
        units: Sequence[int],
        heads: Heads,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.heads = heads
        self.shapes = [(n_latent,), (n_latent,), *Perceptron.shapes([n_latent, *units, heads.raw_width])]
        start = torch.zeros(size(self.shapes))
        parts = views(start, self.shapes)
        parts[0].fill_(1.0)
        for weight in parts[2:-2:2]:
            glorot_(weight, generator)
        _, n_levels = heads.blocks
        for head in parts[-2].split([heads.n, heads.n, *[n_levels] * heads.blocks[0]], dim=1):
            head.copy_(glorot_like(head, generator))
        self.vector = start.to(device)
        self.moving_mean = torch.zeros(n_latent, device=device)
        self.moving_variance = torch.ones(n_latent, device=device)
        self._look_at_vector()

    def _look_at_vector(self) -> None:
        self.gamma, self.shift, *layers = views(self.vector, self.shapes)
        self.network = Perceptron(layers)

    def __getstate__(self) -> dict[str, Any]:
        """Without the views of the vector, which a copy could not share."""
        return {k: v for k, v in self.__dict__.items() if k not in ("gamma", "shift", "network")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._look_at_vector()

    def frozen(self) -> Perceptron:
        """The network with its normalisation by the moving statistics folded into the first layer."""
        scale = self.gamma * torch.rsqrt(self.moving_variance + NORM_EPSILON)
        weight, bias = self.network.weights[0], self.network.biases[0]
        first = [scale[:, None] * weight, bias + (self.shift - self.moving_mean * scale) @ weight]
        pairs = zip(self.network.weights[1:], self.network.biases[1:], strict=True)
        return Perceptron(first + [part for pair in pairs for part in pair])

    def normalised(self, z: Tensor) -> Tensor:
        """z by the batch's own moments, which the moving ones take in."""
        mean, variance = z.mean(0), z.var(0, correction=0)
        with torch.no_grad():
            self.moving_mean.lerp_(mean, 1 - NORM_MOMENTUM)
            self.moving_variance.lerp_(variance, 1 - NORM_MOMENTUM)
        return (z - mean) * torch.rsqrt(variance + NORM_EPSILON)


def glorot_like(weight: Tensor, generator: torch.Generator) -> Tensor:
    """A fresh Glorot-uniform weight of this shape."""
    fresh = torch.empty(weight.shape)
    glorot_(fresh, generator)
    return fresh


class Missingness:
    """f: x (n, width) -> logits (n, d) that each column is observed."""

    def __init__(
        self,
        width: int,
        units: Sequence[int],
        n_columns: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.shapes = Perceptron.shapes([width, *units, n_columns])
        start = torch.zeros(size(self.shapes))
        for weight in views(start, self.shapes)[::2]:
            glorot_(weight, generator)
        self.vector = start.to(device)
        self.network = Perceptron(views(self.vector, self.shapes))

    def __getstate__(self) -> dict[str, Any]:
        """Without the views of the vector, which a copy could not share."""
        return {k: v for k, v in self.__dict__.items() if k != "network"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.network = Perceptron(views(self.vector, self.shapes))

    @staticmethod
    def negative_log_likelihood(logits: Tensor, r: Tensor) -> Tensor:
        """(..., ) of the mask: binary cross-entropy summed over the last axis"""
        return (F.softplus(logits) - logits * r).sum(-1)


def mask_gradient(network: Perceptron, x: Tensor, r: Tensor) -> Tensor:
    """Derivative by x (n, width) of the mask's negative log likelihood under f's ``network``, in its precision."""
    activations = network.forward(x.to(network.dtype))
    upstream = torch.sigmoid(activations[-1]) - r.to(network.dtype)
    return network.to_input(activations, upstream).to(x.dtype)


@dataclass
class Model:
    """Both networks, the weight of the mask and, for Bayesian networks, what is known of their parameters."""

    g: Generator
    f: Missingness
    beta: float
    posteriors: tuple[GaussianWeights, ...] = ()  # of the vectors of g and f; empty: they are plain parameters

    @property
    def heads(self) -> Heads:
        return self.g.heads

    @property
    def nets(self) -> tuple[Generator | Missingness, ...]:
        return self.g, self.f

    def draw(self, generator: torch.Generator) -> None:
        """Let both networks compute with parameters drawn from their posteriors."""
        for posterior, net in zip(self.posteriors, self.nets, strict=False):
            posterior.draw(generator, net.vector)

    def settle(self) -> None:
        """Let both networks compute with their posteriors' means."""
        for posterior, net in zip(self.posteriors, self.nets, strict=False):
            net.vector.copy_(posterior.mean)

    def level_posterior(self, raw: Tensor, x: Tensor, r: Tensor, block: int) -> Tensor:
        """Log probabilities (n, L) of the levels of categorical column ``block`` given all else.

        Args:
            raw: g's output at z; x: states, whose own block does not matter; r: the mask.
        """
        n_levels = self.heads.blocks[1]
        log_prior = self.heads.log_levels(raw)[:, block]
        if self.beta == 0:
            return log_prior
        start = self.heads.n + block * n_levels
        each = x[:, None].repeat(1, n_levels, 1)
        each[:, :, start : start + n_levels] = torch.eye(n_levels, device=x.device)
        logits = self.f.network.forward(each.flatten(0, 1))[-1].unflatten(0, (len(x), n_levels))
        return (log_prior - self.beta * self.f.negative_log_likelihood(logits, r[:, None])).log_softmax(-1)
