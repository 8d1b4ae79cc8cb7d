"""Bayesian perceptrons: Gaussian weights learned by variational inference with Flipout (Wen et al. 2018).

The weights follow N(mean, sd^2) independently; biases and normalisation are plain parameters. Flipout gives every
example its own sign flips of one shared weight perturbation, which decorrelates the gradients of a mini-batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.nets.perceptron import SLOPE, views

PRIOR_SD = 0.1
START_RAW_SD = -3.0  # softplus of it is 0.049


class GaussianWeights:
    """A variational posterior over the parameter vector (P,) of a network.

    Args:
        start: (P,) starting means.
        shapes: of the parameters; those with two axes are weights and get an sd.
    """

    def __init__(self, start: Tensor, shapes: Sequence[tuple[int, ...]]) -> None:
        self.shapes = shapes
        self.mean = start.clone()
        self.raw_sd = torch.full_like(start, START_RAW_SD)
        self.is_weight = torch.zeros_like(start)
        for part, shape in zip(views(self.is_weight, shapes), shapes, strict=True):
            part.fill_(float(len(shape) == 2))

    @property
    def sd(self) -> Tensor:
        """(P,), 0 for plain parameters"""
        return F.softplus(self.raw_sd) * self.is_weight

    def draw(self, generator: torch.Generator, out: Tensor) -> None:
        """Put one draw of all parameters into ``out`` (P,)."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device)
        torch.addcmul(self.mean, self.sd, noise, out=out)


def divergence(mean: Tensor, raw_sd: Tensor, is_weight: Tensor) -> Tensor:
    """KL divergence () of the weights' posterior from their prior N(0, PRIOR_SD^2)."""
    sd = F.softplus(raw_sd)
    each = math.log(PRIOR_SD) - sd.log() + (sd.square() + mean.square()) / (2 * PRIOR_SD**2) - 0.5
    return (each * is_weight).sum()


def flipout(
    x: Tensor, parameters: Sequence[Tensor], perturbations: Sequence[Tensor], generator: torch.Generator
) -> Tensor:
    """A perceptron's output (n, out) under per-example flips of one weight perturbation.

    Args:
        x: (n, in)
        parameters: weight (in, out) and bias (out,) of each layer in turn: the means.
        perturbations: alike; those of the biases are not used.
    """
    last = len(parameters) // 2 - 1
    for i in range(last + 1):
        mean, bias, change = parameters[2 * i], parameters[2 * i + 1], perturbations[2 * i]
        flips_in, flips_out = _signs(x, generator), _signs(x.new_empty(len(x), len(bias)), generator)
        x = torch.addmm(bias, x, mean) + ((x * flips_in) @ change) * flips_out
        if i < last:
            x = F.leaky_relu(x, SLOPE)
    return x


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    half = torch.rand(like.shape, generator=generator, device=like.device) < 0.5
    return half.to(like.dtype) * 2 - 1
