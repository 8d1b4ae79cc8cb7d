"""Sinkhorn divergence: exact where the plan is known, and that of geomloss where it is installed."""

from __future__ import annotations

import pytest
import torch

from lacuna.numerics.sinkhorn import sinkhorn_divergence


def clouds(k: int, n: int, m: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(k, n, width, generator=rng, dtype=torch.float64)
    return x, 0.5 + 1.5 * torch.randn(k, m, width, generator=rng, dtype=torch.float64)


def test_at_a_small_blur_it_is_the_cost_of_the_best_plan() -> None:
    x, y = clouds(3, 12, 12, 1)
    sorted_cost = (x.sort(1).values - y.sort(1).values).square().sum(-1).mean(1) / 2  # on a line, the order decides
    torch.testing.assert_close(sinkhorn_divergence(x, y, blur=0.02, scaling=0.98), sorted_cost, rtol=0.01, atol=1e-3)


def test_it_is_zero_between_equal_clouds_and_positive_elsewhere() -> None:
    x, y = clouds(2, 20, 20, 3)
    torch.testing.assert_close(sinkhorn_divergence(x, x[:, torch.randperm(20)], 0.5), torch.zeros(2).double())
    assert (sinkhorn_divergence(x, y, 0.5) > 0.1).all()


def test_its_gradient_is_that_of_finite_differences() -> None:
    x, y = clouds(1, 6, 8, 2)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(sinkhorn_divergence(x, y, 1.0, scaling=0.99).sum(), x)
    for i, j in ((0, 0), (3, 1)):
        step = torch.zeros_like(x)
        step[0, i, j] = 1e-4
        up, down = (sinkhorn_divergence(x + sign * step, y, 1.0, scaling=0.99).sum() for sign in (1, -1))
        torch.testing.assert_close(gradient[0, i, j], (up - down).detach() / 2e-4, rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("blur", [0.1, 0.7, 50.0])
def test_it_is_that_of_geomloss(blur: float) -> None:
    geomloss = pytest.importorskip("geomloss", reason="geomloss comes with the extra baselines")
    loss = geomloss.SamplesLoss("sinkhorn", p=2, blur=blur, scaling=0.9, backend="tensorized")
    for x, y in zip(*clouds(2, 30, 40, 3), strict=True):
        x.requires_grad_()
        ours, theirs = sinkhorn_divergence(x[None], y[None], blur).sum(), loss(x, y)
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
        (gradient,), (other) = torch.autograd.grad(ours, x), torch.autograd.grad(theirs, x)[0]
        torch.testing.assert_close(gradient, other, rtol=1e-5, atol=1e-9)
