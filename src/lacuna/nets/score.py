"""The noise-predicting network of TabCSDI: gated residual layers, each with a transformer layer over the features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lacuna.nets.attention import Attention, xavier_
from lacuna.nets.denoiser import linear

FEATURE = 16  # numbers that tell a feature from the others


class GatedLayer(nn.Module):
    """x (b, w, channels), step (b, noise) and side (b, w, side) -> the next x and a skip, (b, w, channels) each.

    >>> layer = GatedLayer(channels=8, heads=2, noise=4, side=3)
    >>> xavier_(layer, torch.Generator().manual_seed(0))
    >>> [part.shape for part in layer(torch.zeros(5, 6, 8), torch.zeros(5, 4), torch.zeros(5, 6, 3))]
    [torch.Size([5, 6, 8]), torch.Size([5, 6, 8])]
    """

    def __init__(self, channels: int, heads: int, noise: int, side: int) -> None:
        super().__init__()
        self.from_step = linear(noise, channels)
        self.attention = Attention(channels, heads)
        self.after_attention, self.after_body = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.body = nn.Sequential(linear(channels, channels), nn.GELU(), linear(channels, channels))
        self.middle, self.from_side = linear(channels, 2 * channels), linear(side, 2 * channels)
        self.out = linear(channels, 2 * channels)

    def forward(self, x: Tensor, step: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
        y = x + self.from_step(step)[:, None]
        y = self.after_attention(y + self.attention(y))
        y = self.after_body(y + self.body(y))
        gate, signal = (self.middle(y) + self.from_side(side)).chunk(2, dim=-1)
        residual, skip = self.out(gate.sigmoid() * signal.tanh()).chunk(2, dim=-1)
        return (x + residual) / math.sqrt(2), skip


class ScoreNetwork(nn.Module):
    """noisy (b, w), given (b, w), is_given (b, w) bool, step (b,) int -> predicted noise (b, w).

    Args:
        width: w, features of a row.
        steps: noise levels that ``step`` counts from 0.
        channels, layers, heads: of the residual layers.
        noise: numbers that embed a step.

    >>> network = ScoreNetwork(width=3, steps=10, channels=8, layers=2, heads=2, noise=4)
    >>> network.reset(torch.Generator().manual_seed(0))
    >>> rows, given = torch.zeros(5, 3), torch.ones(5, 3, dtype=torch.bool)
    >>> network(rows, rows, given, torch.zeros(5, dtype=torch.long)).shape
    torch.Size([5, 3])
    """

    waves: Tensor

    def __init__(self, width: int, steps: int, channels: int, layers: int, heads: int, noise: int) -> None:
        super().__init__()
        self.feature = nn.Parameter(torch.empty(width, FEATURE))
        self.register_buffer("waves", _waves(steps, noise), persistent=False)
        self.embed = nn.Sequential(linear(noise, noise), nn.SiLU(), linear(noise, noise), nn.SiLU())
        self.start = linear(2, channels)
        self.layers = nn.ModuleList(GatedLayer(channels, heads, noise, FEATURE + 1) for _ in range(layers))
        self.end = nn.Sequential(linear(channels, channels), nn.ReLU(), linear(channels, 1))

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights in place, wider ones where features are projected by themselves; the last layer is 0."""
        xavier_(self, generator)
        for part in self.modules():
            if isinstance(part, GatedLayer):
                for projection in (part.middle, part.from_side, part.out):
                    nn.init.kaiming_normal_(projection.weight, generator=generator)
        nn.init.kaiming_normal_(self.start.weight, generator=generator)
        nn.init.kaiming_normal_(self.end[0].weight, generator=generator)  # type: ignore[arg-type]
        nn.init.normal_(self.feature, generator=generator)
        nn.init.zeros_(self.end[-1].weight)  # type: ignore[arg-type]

    def forward(self, noisy: Tensor, given: Tensor, is_given: Tensor, step: Tensor) -> Tensor:
        known = is_given.to(given.dtype)
        x = F.relu(self.start(torch.stack([known * given, (1 - known) * noisy], dim=-1)))
        side = torch.cat([self.feature.expand(len(x), -1, -1), known[..., None]], dim=-1)
        embedded = self.embed(self.waves[step])
        skips = torch.zeros_like(x)
        for layer in self.layers:
            x, skip = layer(x, embedded, side)
            skips = skips + skip
        return self.end(skips / math.sqrt(len(self.layers)))[..., 0]


def _waves(steps: int, noise: int) -> Tensor:
    """(steps, noise): sines, then cosines, of each step at frequencies from 1 to 10,000"""
    frequencies = 10.0 ** (4 * torch.arange(noise // 2) / max(noise // 2 - 1, 1))
    angles = torch.arange(steps)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
