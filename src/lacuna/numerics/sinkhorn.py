"""Sinkhorn divergence between clouds of points of equal weight.

Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences", AISTATS 2019: cost half
the squared distance, temperature annealed from the squared diameter to ``blur`` squared, symmetric averaged updates.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinkhorn_divergence(x: Tensor, y: Tensor, blur: float, scaling: float = 0.9) -> Tensor:
    """Debiased cost (k,) of carrying x to y, differentiable in both.

    The gradient is that of one more update with the potentials held fixed: exact where they have converged.

    Args:
        x, y: (k, b, w), k independent pairs of clouds.
        blur: square root of the last temperature.
        scaling: of the square root of the temperature from one update to the next.

    >>> x = torch.tensor([[[0.0], [1.0]]])
    >>> sinkhorn_divergence(x, x + 3, blur=0.01), sinkhorn_divergence(x, x, blur=0.5)  # a shift by 3 costs 3^2 / 2
    (tensor([4.5000]), tensor([0.]))
    """
    pairs = ((x, y), (y, x), (x, x), (y, y))
    with torch.no_grad():
        costs = [_cost(a, b) for a, b in pairs]
        temperatures = _annealing(_diameter(x, y), blur, scaling)
        potentials = [_softmin(temperatures[0], cost, torch.zeros_like(cost[:, 0])) for cost in costs]
        for temperature in temperatures:
            updated = _updated(temperature, costs, potentials)
            potentials = [(old + new) / 2 for old, new in zip(potentials, updated, strict=True)]
    costs = [_cost(a, b.detach()) for a, b in pairs]
    to_y, to_x, within_x, within_y = _updated(blur**2, costs, potentials)
    return (to_y - within_x).mean(1) + (to_x - within_y).mean(1)


def _updated(temperature: float, costs: list[Tensor], potentials: list[Tensor]) -> list[Tensor]:
    """Each potential from its counterpart: x to y from y to x and back, those within a cloud from themselves."""
    to_y, to_x, within_x, within_y = potentials
    return [_softmin(temperature, *each) for each in zip(costs, (to_x, to_y, within_x, within_y), strict=True)]


def _cost(a: Tensor, b: Tensor) -> Tensor:
    """(k, n, m)"""
    squares = a.square().sum(-1)[:, :, None] + b.square().sum(-1)[:, None, :]
    return (squares / 2 - a @ b.mT).clamp(min=0)


def _softmin(temperature: float, cost: Tensor, potential: Tensor) -> Tensor:
    """(k, n) soft minimum of cost - potential over the m points of equal weight."""
    scores = (potential[:, None] - cost) / temperature
    return -temperature * (scores.logsumexp(-1) - math.log(cost.shape[-1]))


def _diameter(x: Tensor, y: Tensor) -> float:
    """Of the box around all points."""
    points = torch.cat([x, y], 1).flatten(0, 1)
    return float((points.amax(0) - points.amin(0)).norm())


def _annealing(diameter: float, blur: float, scaling: float) -> list[float]:
    """Temperatures from diameter^2 down to blur^2."""
    steps = max(0, math.ceil(math.log(diameter / blur) / -math.log(scaling))) if diameter > blur else 0
    return [diameter**2, *((diameter * scaling**i) ** 2 for i in range(steps)), blur**2]
