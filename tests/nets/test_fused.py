"""The fused layer against the plain one in double precision; what decides is in bfloat16's last digit."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from lacuna.nets.denoiser import FoldedDenoiser, MLPDenoiser
from lacuna.nets.fused import linear_silu, serves


def layer(n: int, k: int, m: int, device: str, dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(n + k + m)
    x, weight, bias = (torch.randn(shape, generator=generator) for shape in ((n, k), (m, k), (m,)))
    return [tensor.to(device, dtype) for tensor in (x, weight / k**0.5, bias)]


def error(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, out: torch.Tensor) -> float:
    exact = F.silu(F.linear(x.double(), weight.double(), bias.double()))
    return float((out.double() - exact).norm() / exact.norm())


def test_plain():
    parts = layer(33, 16, 40, "cpu", torch.float32)
    assert error(*parts, linear_silu(*parts)) < 1e-6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("shape", [(1000, 16, 2048), (4096, 2048, 1024), (17, 72, 40), (300, 1024, 264)])
def test_kernel(shape):
    parts = layer(*shape, "cuda", torch.bfloat16)
    if not serves(*parts[:2]):
        pytest.skip("this GPU or this build of Triton has no kernel")
    assert error(*parts, linear_silu(*parts)) < 1.5 * error(*parts, F.silu(F.linear(*parts))) < 0.01


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_folded_network_in_bfloat16_is_the_network():
    network = MLPDenoiser(14, 1024).cuda()
    network.reset(torch.Generator("cuda").manual_seed(0))
    state, c_noise = torch.randn(5000, 14, device="cuda"), torch.tensor(-0.3, device="cuda")
    folded = FoldedDenoiser(network, torch.bfloat16)(state, c_noise)
    with torch.no_grad():
        plain = network(state, c_noise)
    assert (folded - plain).norm() / plain.norm() < 0.01
