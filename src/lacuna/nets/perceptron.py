"""Small perceptrons with derivatives written out, for thousands of tiny steps in which autograd's own work would
cost several times the arithmetic. All parameters of a network are views of one vector, so that an optimiser
moves them in one go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.backend.private import leaky_relu_backward

SLOPE = 0.2  # of LeakyReLU below 0


def views(vector: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Consecutive pieces of ``vector`` in these shapes."""
    pieces = vector.split([math.prod(shape) for shape in shapes])
    return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def size(shapes: Sequence[tuple[int, ...]]) -> int:
    """Numbers in all of these shapes."""
    return sum(math.prod(shape) for shape in shapes)


def glorot_(weight: Tensor, generator: torch.Generator) -> None:
    """Glorot-uniform numbers for a weight (inputs, outputs), in place."""
    bound = math.sqrt(6 / sum(weight.shape))
    weight.uniform_(-bound, bound, generator=generator)


class _Affine(torch.autograd.Function):
    """x weight + bias, differentiated with the weight turned in memory first."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.addmm(bias, x, weight)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, by_bias = ctx.needs_input_grad
        return (
            upstream @ turned(weight) if by_x else None,
            x.T @ upstream if by_weight else None,
            upstream.sum(0) if by_bias else None,
        )


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (n, a) weight (a, b) + bias (b,) -> (n, b); for a few rows on a GPU its derivative is several times faster."""
    return _Affine.apply(x, weight, bias) if x.is_cuda and torch.is_grad_enabled() else torch.addmm(bias, x, weight)


def turned(weight: Tensor) -> Tensor:
    """The transpose, on a GPU in memory of its own.

    The kernel that cuBLAS takes for a few rows times a matrix that is read turned needs 49 microseconds on an H200
    for 16 x 120 times 120 x 120; turning the matrix first and multiplying plainly needs 5.
    """
    return weight.T.contiguous() if weight.is_cuda else weight.T


class Perceptron:
    """(n, widths[0]) -> (n, widths[-1]), LeakyReLU between the layers.

    Args:
        parameters: weight (inputs, outputs) and bias (outputs,) of each layer in turn.

    >>> shapes = Perceptron.shapes([3, 8, 2])
    >>> network = Perceptron(views(torch.ones(size(shapes)), shapes))
    >>> [tuple(a.shape) for a in network.forward(torch.zeros(7, 3))]
    [(7, 3), (7, 8), (7, 2)]
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.weights, self.biases = parameters[::2], parameters[1::2]
        self._turned: list[Tensor] | None = None

    def steady(self) -> Perceptron:
        """This network for many derivatives at a few rows, while its parameters stay as they are."""
        same = Perceptron([p for pair in zip(self.weights, self.biases, strict=True) for p in pair])
        same._turned = [turned(weight) for weight in self.weights]
        return same

    def _back(self, upstream: Tensor, i: int) -> Tensor:
        """Derivative by the input of layer i from the one by its output."""
        return upstream @ (self._turned[i] if self._turned else self.weights[i].T)

    @staticmethod
    def shapes(widths: Sequence[int]) -> list[tuple[int, ...]]:
        """Of the parameters."""
        return [s for a, b in pairwise(widths) for s in ((a, b), (b,))]

    @property
    def dtype(self) -> torch.dtype:
        return self.weights[0].dtype

    def forward(self, x: Tensor) -> list[Tensor]:
        """The input of every layer (n, .) and, last, the output."""
        activations = [x]
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = affine(x, weight, bias)
            activations.append(F.leaky_relu_(x, SLOPE) if i < last else x)
        return activations

    def to_input(self, activations: Sequence[Tensor], upstream: Tensor) -> Tensor:
        """Derivative by the input (n, widths[0]) from the one by the output ``upstream`` (n, widths[-1])."""
        for i in reversed(range(len(self.weights))):
            upstream = self._back(upstream, i)
            if i:
                upstream = leaky_relu_backward(upstream, activations[i], SLOPE, True)
        return upstream

    def to_parameters(self, activations: Sequence[Tensor], upstream: Tensor, out: Sequence[Tensor]) -> Tensor:
        """Write the derivatives by the parameters, summed over rows, into ``out``.

        Returns:
            the derivative by the input of the first hidden layer's matrix product, that is by weights[0]'s
            output (n, widths[1]).
        """
        for i in reversed(range(len(self.weights))):
            torch.mm(activations[i].T, upstream, out=out[2 * i])
            torch.sum(upstream, 0, out=out[2 * i + 1])
            if i:
                upstream = leaky_relu_backward(self._back(upstream, i), activations[i], SLOPE, True)
        return upstream

    def to(self, dtype: torch.dtype) -> Perceptron:
        """A copy with parameters of another precision."""
        pairs = zip(self.weights, self.biases, strict=True)
        return Perceptron([p.to(dtype) for pair in pairs for p in pair])
