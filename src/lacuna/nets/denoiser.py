"""The denoising network shared by Diff-Joint and DiffPuter: a multilayer perceptron as in TabDDPM."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        if hidden % 2:
            raise ValueError(f"hidden must be even (half sines, half cosines), got {hidden}")
        self.width, self.padded = width, math.ceil(width / ALIGNMENT) * ALIGNMENT
        self.embed = nn.Sequential(_linear(hidden, hidden), nn.SiLU(), _linear(hidden, hidden))
        self.project = _linear(self.padded, hidden)
        self.body = nn.Sequential(
            _linear(hidden, 2 * hidden),
            nn.SiLU(),
            _linear(2 * hidden, 2 * hidden),
            nn.SiLU(),
            _linear(2 * hidden, hidden),
            nn.SiLU(),
            _linear(hidden, self.padded),
        )
        frequencies = torch.exp(-math.log(10_000) * torch.arange(hidden // 2) / (hidden // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights in place."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                initialise(module, self.width if module is self.project else module.in_features, generator)

    def forward(self, state: Tensor, c_noise: Tensor) -> Tensor:
        angles = c_noise.reshape(-1, 1).float() * self.frequencies
        waves = torch.cat([angles.cos(), angles.sin()], dim=1).to(self.project.weight.dtype)
        padded = F.pad(state, (0, self.padded - self.width)).to(self.project.weight.dtype)
        embedding = self.embed(waves)
        if len(embedding) == 1:  # one noise level for all rows: add it with the bias, inside the matrix product
            return self.body(F.linear(padded, self.project.weight, self.project.bias + embedding[0]))[:, : self.width]
        return self.body(self.project(padded) + embedding)[:, : self.width]


def _linear(n_in: int, n_out: int) -> nn.Linear:
    """A linear layer whose weights wait for ``reset``: construction draws from no global generator."""
    return nn.utils.skip_init(nn.Linear, n_in, n_out)
