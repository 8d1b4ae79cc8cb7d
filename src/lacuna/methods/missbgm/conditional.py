"""p(x | z) by its parts, for densities and derivatives of many rows on a CPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.methods.missbgm.model import VARIANCE_FLOOR, Heads


@dataclass
class Conditional:
    """Parameters of p(x | z) at z, in float32, each in memory of its own.

    A CPU takes five times as long for 50 of 100 columns as for numbers that follow each other in memory.
    """

    mean: Tensor  # (n, N)
    variance: Tensor  # (n, N)
    slope: Tensor  # (n, N) derivative of the variance by its raw value
    levels: Tensor  # (n, CL) log probabilities

    @classmethod
    def of(cls, raw: Tensor, heads: Heads) -> Conditional:
        """From the output of g (n, 2N + CL), in any precision."""
        n = heads.n
        mean, spread = (raw[:, a : a + n].contiguous().float() for a in (0, n))
        levels = heads.log_levels(raw.float()).flatten(1) if heads.blocks[0] else mean[:, :0]
        return cls(mean, F.softplus(spread).add_(VARIANCE_FLOOR), torch.sigmoid(spread), levels)

    def tensors(self) -> list[Tensor]:
        return [self.mean, self.variance, self.slope, self.levels]

    def log_density(self, numeric: Tensor, levels: Tensor) -> Tensor:
        """log p(x | z) (n,) up to a constant, for numbers (n, N) and level probabilities (n, CL)."""
        density = -0.5 * ((numeric - self.mean).square_().div_(self.variance) + self.variance.log()).sum(1)
        return density + (self.levels * levels).sum(1) if levels.shape[1] else density

    def by_raw(self, numeric: Tensor, levels: Tensor, dtype: torch.dtype) -> Tensor:
        """Derivative of -log p(x | z) by g's output (n, 2N + CL)."""
        n = self.mean.shape[1]
        pull = (self.mean - numeric).div_(self.variance)
        spread = torch.addcmul(self.variance.reciprocal(), pull, pull, value=-1).mul_(self.slope).mul_(0.5)
        out = pull.new_empty((len(pull), 2 * n + levels.shape[1]), dtype=dtype)
        out[:, :n], out[:, n : 2 * n] = pull, spread
        if levels.shape[1]:
            out[:, 2 * n :] = self.levels.exp() - levels
        return out
