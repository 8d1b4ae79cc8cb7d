"""Posterior summaries of cells whose draws are too many to keep: mean, sd and exact tail quantiles, one pass.

A quantile near an end needs that end's most extreme draws only: alpha / 2 of them. For 1,000 draws and 95%
intervals, that is 26 numbers a side instead of 1,000.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 16  # draws gathered before the tails are merged: a merge costs a pass over them
NUMBERS_AT_ONCE = 2**22


class RunningSummary:
    """Summary of ``n_draws`` draws of ``k`` cells, given one draw (k,) at a time.

    Memory: 2 (n_draws alpha / 2 + 2) + 18 numbers a cell.
    """

    def __init__(self, k: int, n_draws: int, alpha: float, device: torch.device) -> None:
        self.n_draws, self.alpha = n_draws, alpha
        self.count = 0
        self.mean = torch.zeros(k, dtype=torch.float64, device=device)
        self.squares = torch.zeros(k, dtype=torch.float64, device=device)  # about the running mean
        self.kept = _tail(n_draws, alpha)
        # a cell's numbers side by side, as selection wants them
        self.low = torch.full((k, self.kept), torch.inf, device=device)
        self.high = torch.full((k, self.kept), -torch.inf, device=device)
        self._block = torch.empty((k, min(BLOCK, n_draws)), device=device)
        self._waiting = 0

    def add(self, draw: Tensor) -> None:
        """Take one draw (k,)."""
        if self.count == self.n_draws:
            raise ValueError(f"all {self.n_draws} draws have been given already")
        self.count += 1
        change = draw - self.mean
        self.mean += change / self.count
        self.squares += change * (draw - self.mean)
        self._block[:, self._waiting] = draw
        self._waiting += 1
        if self._waiting == self._block.shape[1] or self.count == self.n_draws:
            self._merge()

    def _merge(self) -> None:
        block = self._block[:, : self._waiting]
        self.low = torch.cat([self.low, block], 1).topk(self.kept, largest=False).values
        self.high = torch.cat([self.high, block], 1).topk(self.kept).values
        self._waiting = 0

    @property
    def sd(self) -> Tensor:
        """(k,) population sd"""
        self._complete()
        return (self.squares / self.n_draws).sqrt()

    @property
    def lower(self) -> Tensor:
        """(k,) quantile alpha / 2, interpolated linearly as numpy does"""
        self._complete()
        position = (self.n_draws - 1) * self.alpha / 2
        return _interpolate(self.low, position)

    @property
    def upper(self) -> Tensor:
        """(k,) quantile 1 - alpha / 2"""
        self._complete()
        return _interpolate(self.high, (self.n_draws - 1) * self.alpha / 2)

    def _complete(self) -> None:
        if self.count < self.n_draws:
            raise ValueError(f"{self.n_draws} draws were promised, {self.count} given")


def summarise(samples: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean, sd and quantiles alpha / 2 and 1 - alpha / 2, (k,) each, of draws (m, k) that are all there."""
    m = len(samples)
    kept, position = _tail(m, alpha), (m - 1) * alpha / 2
    parts = []
    for block in samples.split(max(1, NUMBERS_AT_ONCE // m), dim=1):
        cells = block.T.contiguous()
        low, high = cells.topk(kept, largest=False).values, cells.topk(kept).values
        wide = cells.double()
        ends = (_interpolate(low, position), _interpolate(high, position))
        parts.append((wide.mean(1), wide.std(1, correction=0), *ends))
    mean, sd, lower, upper = (torch.cat(part) for part in zip(*parts, strict=True))
    return mean, sd, lower, upper


def _tail(n_draws: int, alpha: float) -> int:
    """How many draws of an end decide its quantile: numpy interpolates around position (n_draws - 1) alpha / 2."""
    return min(math.floor((n_draws - 1) * alpha / 2) + 2, n_draws)


def _interpolate(ordered: Tensor, position: float) -> Tensor:
    """Between the two columns of (k, kept) around ``position``, counted from the extreme inwards."""
    whole = math.floor(position)
    return torch.lerp(ordered[:, whole], ordered[:, min(whole + 1, ordered.shape[1] - 1)], position - whole)
