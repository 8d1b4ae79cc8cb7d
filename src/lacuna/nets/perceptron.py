"""Small perceptrons with derivatives written out, for thousands of tiny steps in which autograd's own work would
cost several times the arithmetic. All parameters of a network are views of one vector, so that an optimiser
moves them in one go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

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
            x = torch.addmm(bias, x, weight)
            activations.append(F.leaky_relu_(x, SLOPE) if i < last else x)
        return activations

    def to_input(self, activations: Sequence[Tensor], upstream: Tensor) -> Tensor:
        """Derivative by the input (n, widths[0]) from the one by the output ``upstream`` (n, widths[-1])."""
        for i in reversed(range(len(self.weights))):
            upstream = upstream @ self.weights[i].T
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
                upstream = leaky_relu_backward(upstream @ self.weights[i].T, activations[i], SLOPE, True)
        return upstream

    def to(self, dtype: torch.dtype) -> Perceptron:
        """A copy with parameters of another precision."""
        pairs = zip(self.weights, self.biases, strict=True)
        return Perceptron([p.to(dtype) for pair in pairs for p in pair])
