"""Written-out derivatives against autograd."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.nets.perceptron import SLOPE, Perceptron, size, views

SHAPES = Perceptron.shapes([3, 8, 6, 2])


def parts() -> tuple[Tensor, Tensor, Tensor]:
    """Parameter vector, input and the derivative by the output."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return normal(size(SHAPES)), normal(5, 3), normal(5, 2)


def by_autograd(vector: Tensor, x: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, and the derivatives of its product with ``upstream`` by the input and the parameters."""
    vector, x = vector.clone().requires_grad_(), x.clone().requires_grad_()
    pieces, h = views(vector, SHAPES), x
    for i in range(3):
        h = h @ pieces[2 * i] + pieces[2 * i + 1]
        h = F.leaky_relu(h, SLOPE) if i < 2 else h
    return h.detach(), *torch.autograd.grad((h * upstream).sum(), [x, vector])


def test_forward_and_both_derivatives() -> None:
    vector, x, upstream = parts()
    output, by_x, by_vector = by_autograd(vector, x, upstream)
    network = Perceptron(views(vector, SHAPES))
    activations = network.forward(x)
    torch.testing.assert_close(activations[-1], output)
    torch.testing.assert_close(network.to_input(activations, upstream), by_x)
    out = torch.empty_like(vector)
    first = network.to_parameters(activations, upstream, views(out, SHAPES))
    torch.testing.assert_close(out, by_vector)
    torch.testing.assert_close(first @ network.weights[0].T, by_x)


def test_parameters_are_views_of_one_vector() -> None:
    vector, x, _ = parts()
    network = Perceptron(views(vector, SHAPES))
    before = network.forward(x)[-1]
    vector.mul_(2)
    assert not torch.allclose(network.forward(x)[-1], before)


def test_another_precision_is_a_copy() -> None:
    vector, x, _ = parts()
    rough = Perceptron(views(vector, SHAPES)).to(torch.float32)
    assert rough.dtype == torch.float32
    vector.zero_()
    assert rough.forward(x.float())[-1].abs().max() > 0
