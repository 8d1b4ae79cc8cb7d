"""The kernel for few tokens against plain attention in double precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.nets.fused_attention import attend_few

pytest.importorskip("triton")


def plain(qkv: Tensor, heads: int, attended: Tensor | None) -> Tensor:
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    mask = None if attended is None else attended[:, None, None, :]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def close(device: str, b: int, t: int, heads: int, head: int, masked: bool):
    generator = torch.Generator().manual_seed(b + t)
    qkv = torch.randn(b, t, 3 * heads * head, generator=generator).to(device).requires_grad_()
    weights = torch.randn(b, t, heads * head, generator=generator).to(device)
    attended = None
    if masked:
        attended = (torch.rand(b, t, generator=generator) < 0.6).to(device)
        attended[:, 0] = True
    exact = qkv.detach().double().requires_grad_()
    for found, truth in (
        (attend_few(qkv, heads, attended), plain(exact, heads, attended)),
        (
            torch.autograd.grad(attend_few(qkv, heads, attended), qkv, weights)[0],
            torch.autograd.grad(plain(exact, heads, attended), exact, weights.double())[0],
        ),
    ):
        assert (found.double() - truth).norm() <= 1e-5 * truth.norm()


SHAPES = [(3, 12, 2, 8, True), (2, 16, 1, 16, False), (2, 33, 2, 5, True), (1, 1, 1, 8, False)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="kernels are interpreted where there is no GPU")
@pytest.mark.parametrize("shape", SHAPES)
def test_interpreted(shape):
    close("cpu", *shape)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("shape", [*SHAPES, (128, 12, 8, 8, True), (1000, 64, 4, 32, True), (1000, 64, 4, 64, True)])
def test_kernel(shape):
    close("cuda", *shape)
