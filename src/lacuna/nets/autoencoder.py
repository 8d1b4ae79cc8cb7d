"""The networks of MIWAE and not-MIWAE: a variational autoencoder of rows with mixed columns."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lacuna.nets.attention import xavier_
from lacuna.nets.denoiser import linear

Family = Literal["student", "gaussian"]
SMALLEST_SCALE, LEAST_FREEDOM = 1e-3, 3.0  # of an observation model; the authors' values
LARGEST_LOG_VARIANCE = 10.0


class Decoded(NamedTuple):
    """p(x | z) for z of shape (..., latent); coordinates of categories use ``location`` as log probabilities."""

    location: Tensor  # (..., w)
    scale: Tensor  # (..., w)
    freedom: Tensor | None  # (..., w); None: Gaussian

    def at(self, chosen: Tensor) -> Decoded:
        """For z of shape (b, k, latent): at some of the k, given as (b, m, w)."""
        location, scale, freedom = (None if part is None else part.gather(1, chosen) for part in self)
        assert location is not None
        assert scale is not None
        return Decoded(location, scale, freedom)


class VariationalAutoencoder(nn.Module):
    """q(z | x) and p(x | z) by perceptrons with tanh between their layers.

    A coordinate of a number is Student t or Gaussian given z; those of a category are one categorical variable.

    Args:
        block_of: for each of w coordinates the category that it belongs to, from 0, -1 for numbers; those of one
            category follow each other.
        latent: dimensions of z.
        hidden, layers: of both perceptrons.

    >>> network = VariationalAutoencoder([-1, 0, 0], latent=2, hidden=8, layers=2, family="student")
    >>> network.reset(torch.Generator().manual_seed(0))
    >>> mean, log_variance = network.encode(torch.zeros(5, 3))
    >>> network.decode(mean).location.shape, float(network.decode(mean).location[0, 1:].exp().sum().round(decimals=4))
    (torch.Size([5, 3]), 1.0)
    """

    block_of: Tensor
    numeric: Tensor

    def __init__(self, block_of: list[int], latent: int, hidden: int, layers: int, family: Family) -> None:
        super().__init__()
        self.family, self.latent = family, latent
        self.register_buffer("block_of", torch.tensor(block_of), persistent=False)
        self.register_buffer("numeric", self.block_of < 0, persistent=False)
        w, heads = len(block_of), 3 if family == "student" else 2
        self.encoder = _perceptron([w, *[hidden] * layers, 2 * latent])
        self.decoder = _perceptron([latent, *[hidden] * layers, heads * w])
        starts = [block_of.index(k) for k in range(max(block_of) + 1)]
        self.levels = [slice(start, start + block_of.count(block_of[start])) for start in starts]

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights in place."""
        xavier_(self, generator)

    def encode(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q (b, latent) from values (b, w), 0 where hidden."""
        mean, log_variance = self.encoder(values).chunk(2, dim=-1)
        return mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)

    def decode(self, z: Tensor) -> Decoded:
        location, scale, *freedom = self.decoder(z).chunk(3 if self.family == "student" else 2, dim=-1)
        if self.levels:
            location = location.clone()
            for places in self.levels:
                location[..., places] = F.log_softmax(location[..., places], dim=-1)
        scale = F.softplus(scale) + SMALLEST_SCALE
        return Decoded(location, scale, F.softplus(freedom[0]) + LEAST_FREEDOM if freedom else None)

    def log_likelihood(self, decoded: Decoded, values: Tensor, levels: Tensor, seen: Tensor) -> Tensor:
        """(b, k): log p(x_observed | z) for k values of z a row.

        Args:
            decoded: at z (b, k, latent).
            values: (b, w) of numbers.
            levels: (b, w), 1 at the coordinate of a category's level, else 0.
            seen: (b, w) bool.
        """
        of_numbers = _log_density(decoded, values[:, None])
        terms = torch.where(self.numeric, of_numbers, decoded.location * levels[:, None])
        return (terms * seen[:, None]).sum(-1)

    def sample(self, decoded: Decoded, noise: Tensor, uniform: Tensor) -> Tensor:
        """One x (..., w) for each z, categories as 0 and 1.

        Args:
            noise: (..., w) standard normal.
            uniform: (..., w) in (0, 1): Student t needs a second number, categories take theirs from it.
        """
        spread = noise * decoded.scale
        if decoded.freedom is not None:  # chi square by Wilson and Hilferty's cube root
            normal = math.sqrt(2) * torch.erfinv(2 * uniform - 1)
            cube = 2 / (9 * decoded.freedom)
            spread = spread / (1 - cube + normal * cube.sqrt()).clamp(min=0.05) ** 1.5
        found = decoded.location + spread
        gumbel = decoded.location - torch.log(-torch.log(uniform))
        for places in self.levels:
            chosen = gumbel[..., places].argmax(-1)
            found[..., places] = F.one_hot(chosen, places.stop - places.start).to(found.dtype)
        return found

    def mean(self, decoded: Decoded) -> Tensor:
        """E[x | z] (..., w), of categories the probabilities."""
        return torch.where(self.numeric, decoded.location, decoded.location.exp())


class SelfMasking(nn.Module):
    """An autoencoder with p(s | x): a cell is blank with a probability that is logistic in its own value.

    A category has a number for each of its levels, over which a blank is averaged exactly.
    """

    def __init__(self, autoencoder: VariationalAutoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        w = len(autoencoder.block_of)
        self.slope, self.offset = nn.Parameter(torch.empty(w)), nn.Parameter(torch.empty(w))

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights in place; at first no value has a say."""
        self.autoencoder.reset(generator)
        nn.init.zeros_(self.slope)
        nn.init.zeros_(self.offset)

    def log_likelihood(
        self, decoded: Decoded, values: Tensor, levels: Tensor, seen: Tensor, noise: Tensor
    ) -> tuple[Tensor, Decoded]:
        """log p(s | z, x_observed), blanks of numbers drawn by ``noise`` (b, k, w), and the blanks then.

        Returns:
            (b, k), and p(x_blank | z, s): numbers where they were drawn, levels by their probabilities.
        """
        net = self.autoencoder
        drawn = decoded.location + decoded.scale * noise
        logits = self.slope * torch.where(seen[:, None], values[:, None], drawn) + self.offset
        by_value = F.logsigmoid(torch.where(seen[:, None], -logits, logits))
        total = torch.where(net.numeric, by_value, 0.0).sum(-1)
        location = torch.where(net.numeric, drawn, 0.0)
        for places in net.levels:
            told = (levels[:, places] * F.logsigmoid(-self.offset[places])).sum(-1, keepdim=True)
            joint = decoded.location[..., places] + F.logsigmoid(self.offset[places])
            blank = joint.logsumexp(-1)
            total = total + torch.where(seen[:, places.start, None], told, blank)
            location[..., places] = joint - blank[..., None]
        return total, Decoded(location, torch.zeros_like(drawn), None)


def log_ratio(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """(b, k): log p(z) - log q(z | x) at z (b, k, latent)."""
    spread = (z - mean[:, None]).square() * (-log_variance[:, None]).exp()
    return 0.5 * (spread + log_variance[:, None] - z.square()).sum(-1)


def _log_density(decoded: Decoded, values: Tensor) -> Tensor:
    """Of Student t or Gaussian numbers; torch.distributions makes tensors of constants, which no graph can capture."""
    squares, freedom = ((values - decoded.location) / decoded.scale).square(), decoded.freedom
    if freedom is None:
        return -0.5 * squares - decoded.scale.log() - 0.5 * math.log(2 * math.pi)
    constant = torch.lgamma((freedom + 1) / 2) - torch.lgamma(freedom / 2) - 0.5 * (freedom.log() + math.log(math.pi))
    return constant - decoded.scale.log() - (freedom + 1) / 2 * torch.log1p(squares / freedom)


def _perceptron(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1])
