"""Fused layers against plain ones in float32."""

from __future__ import annotations

import pytest
import torch

from lacuna.backend import kernels
from lacuna.backend.private import linear_pointwise
from lacuna.nets import fused_perceptron
from lacuna.nets.fused_perceptron import FusedPerceptron, rough
from lacuna.nets.perceptron import Perceptron, glorot_, size, views

BF16 = torch.bfloat16
needs_onednn = pytest.mark.skipif(linear_pointwise is None, reason="torch without oneDNN")


def network() -> Perceptron:
    generator = torch.Generator().manual_seed(0)
    shapes = Perceptron.shapes([5, 120, 64, 10])
    parameters = views(torch.zeros(size(shapes)), shapes)
    for weight in parameters[::2]:
        glorot_(weight, generator)
    for bias in parameters[1::2]:
        bias.normal_(generator=generator)
    return Perceptron(parameters)


@needs_onednn
@pytest.mark.parametrize("n", [0, 1, 77])
def test_layers_and_derivatives(n: int) -> None:
    """Within what bfloat16 rounds, 2^-8 of a layer's largest number, a few times over."""
    plain, fused = network(), rough(network(), BF16)
    assert isinstance(fused, FusedPerceptron)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 5, generator=generator).to(BF16)
    upstream = torch.randn(n, 10, generator=generator).to(BF16)
    wanted, found = plain.forward(x.float()), fused.forward(x)
    assert [a.shape for a in found] == [a.shape for a in wanted]
    for a, b in zip(wanted, found, strict=True):
        torch.testing.assert_close(b.float(), a, rtol=0, atol=0.03)
    kept = upstream.clone()
    by_x = fused.to_input(found, upstream)
    torch.testing.assert_close(
        by_x.float(), plain.to_input([a.float() for a in found], kept.float()), rtol=0, atol=0.03
    )
    torch.testing.assert_close(upstream, kept)


@pytest.mark.parametrize(("missing", "dtype"), [(True, BF16), (False, torch.float32)])
def test_plain_layers_where_the_fused_do_not_serve(
    missing: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing:
        monkeypatch.setattr(fused_perceptron, "linear_pointwise", None)
    found = rough(network(), dtype)
    assert type(found) is Perceptron
    assert found.dtype == dtype


def test_plain_layers_where_kernels_are_off() -> None:
    with kernels.using("off"):
        assert type(rough(network(), BF16)) is Perceptron
