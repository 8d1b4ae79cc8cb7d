"""The denoising network shared by Diff-Joint and DiffPuter: a multilayer perceptron as in TabDDPM."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lacuna.nets.fused import linear_silu

ALIGNMENT = 16  # state rows of a multiple of 16 numbers keep half-precision matrix units at full speed


def initialise(linear: nn.Linear, fan_in: int, generator: torch.Generator | None) -> None:
    """torch's default for linear layers, from a given generator: uniform within 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    with torch.no_grad():
        linear.weight.uniform_(-bound, bound, generator=generator)
        linear.bias.uniform_(-bound, bound, generator=generator)


class MLPDenoiser(nn.Module):
    """F(state (n, width), c_noise scalar or (n, 1)) -> (n, width).

    A linear projection to ``hidden`` plus an embedding of the noise level, then hidden -> 2 hidden -> 2 hidden ->
    hidden -> width with SiLU between.

    >>> network = MLPDenoiser(width=5, hidden=32)
    >>> network.reset(torch.Generator().manual_seed(0))
    >>> network(torch.zeros(7, 5), torch.zeros(7, 1)).shape, network(torch.zeros(7, 5), torch.tensor(0.1)).shape
    (torch.Size([7, 5]), torch.Size([7, 5]))
    """

    frequencies: Tensor

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        if hidden % 2:
            raise ValueError(f"hidden must be even (half sines, half cosines), got {hidden}")
        self.width, self.hidden, self.padded = width, hidden, math.ceil(width / ALIGNMENT) * ALIGNMENT
        self.embed = nn.Sequential(linear(hidden, hidden), nn.SiLU(), linear(hidden, hidden))
        self.project = linear(self.padded, hidden)
        self.body = nn.Sequential(
            linear(hidden, 2 * hidden),
            nn.SiLU(),
            linear(2 * hidden, 2 * hidden),
            nn.SiLU(),
            linear(2 * hidden, hidden),
            nn.SiLU(),
            linear(hidden, self.padded),
        )
        frequencies = torch.exp(-math.log(10_000) * torch.arange(hidden // 2) / (hidden // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights in place."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                initialise(module, self.width if module is self.project else module.in_features, generator)

    def forward(self, state: Tensor, c_noise: Tensor) -> Tensor:
        waves = self.waves(c_noise).to(self.project.weight.dtype)
        padded = F.pad(state, (0, self.padded - self.width)).to(self.project.weight.dtype)
        return self.body(self.project(padded) + self.embed(waves))[:, : self.width]

    def waves(self, c_noise: Tensor) -> Tensor:
        """cosines and sines of the noise level, (n, hidden) float32"""
        angles = c_noise.reshape(-1, 1).float() * self.frequencies
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class FoldedDenoiser:
    """A trained ``MLPDenoiser`` for sampling: all states at one noise level, a quarter fewer operations.

    Everything before the first SiLU of the body is linear in the state and in the hidden layer of the noise
    embedding, so those matrices are multiplied with each other once, in float32, rather than for every state.
    Made with the weights that the network has at the time; no gradients.

    >>> network = MLPDenoiser(width=5, hidden=32)
    >>> network.reset(torch.Generator().manual_seed(0))
    >>> folded, state, c_noise = FoldedDenoiser(network, torch.float32), torch.ones(7, 5), torch.tensor(0.1)
    >>> torch.allclose(folded(state, c_noise), network(state, c_noise), atol=1e-6)
    True
    """

    def __init__(self, network: MLPDenoiser, dtype: torch.dtype) -> None:
        self.network = network
        self.noise_map, self.noise_bias, *weights = self._fold()  # one row's work: not worth a narrower type
        self.weights = [weight.to(dtype) for weight in weights]

    def take_weights(self) -> None:
        """Take over the network's present weights, in place, so that captured graphs see them."""
        for mine, new in zip([self.noise_map, self.noise_bias, *self.weights], self._fold(), strict=True):
            mine.copy_(new)

    @torch.no_grad()
    def _fold(self) -> list[Tensor]:
        """Noise map and bias, state map, then weight and bias of the other layers."""
        of = dict(self.network.named_parameters())
        first = of["body.0.weight"]
        bias = F.linear(of["project.bias"] + of["embed.2.bias"], first, of["body.0.bias"])
        rest = [of[f"body.{i}.{part}"].clone() for i in (2, 4, 6) for part in ("weight", "bias")]
        return [first @ of["embed.2.weight"], bias, first @ of["project.weight"], *rest]

    @torch.no_grad()
    def __call__(self, state: Tensor, c_noise: Tensor) -> Tensor:
        """state (n, width), c_noise scalar -> (n, width)"""
        state_map, *rest, last_weight, last_bias = self.weights
        noise = self.network.embed[:2](self.network.waves(c_noise))
        bias = F.linear(noise, self.noise_map, self.noise_bias)[0].to(state_map.dtype)
        padded = F.pad(state, (0, self.network.padded - self.network.width)).to(state_map.dtype)
        hidden = linear_silu(padded, state_map, bias)
        for weight, bias in zip(rest[::2], rest[1::2], strict=True):
            hidden = linear_silu(hidden, weight, bias)
        return F.linear(hidden, last_weight, last_bias)[:, : self.network.width]


def linear(n_in: int, n_out: int) -> nn.Linear:
    """A linear layer whose weights wait for ``reset``: construction draws from no global generator."""
    return nn.utils.skip_init(nn.Linear, n_in, n_out)
