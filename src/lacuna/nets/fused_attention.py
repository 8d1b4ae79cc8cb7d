"""Self-attention among few tokens in one kernel each way.

A table's row has some dozen cells, and a head some eight numbers of each. Kernels made for long sequences spend their
time on tiles that are mostly empty, and on copies that bring queries, keys and values into their layout. Here one
program holds all tokens of one row and head, read and written where the linear layers keep them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lacuna.backend.kernels import allowed

try:
    import triton
    import triton.language as tl
except ImportError:  # CPU builds of torch
    triton = None

LEAST_TILE = 16  # tokens, and numbers of a head, that one program holds at least
LARGEST_HEAD, MOST_TOKENS = 32, 64


def serves(qkv: Tensor, heads: int) -> bool:
    """Whether ``attend_few`` is the faster kernel for qkv (b, t, 3 width); benchmarks/attention.py measures it.

    In bfloat16 torch's own use the tensor cores, as this one does not, and nothing is gained.
    """
    tokens, head = qkv.shape[1], qkv.shape[2] // (3 * heads)
    return (
        allowed()
        and triton is not None
        and qkv.is_cuda
        and qkv.dtype == torch.float32
        and tokens <= MOST_TOKENS
        and head <= LARGEST_HEAD
    )


def attend_few(qkv: Tensor, heads: int, attended: Tensor | None = None) -> Tensor:
    """softmax(q k' / sqrt(width / heads)) v of each head.

    Args:
        qkv: (b, t, 3 width), queries, keys and values beside each other, each head after head.
        attended: (b, t) bool, at least one token a row; None attends to every token.

    Returns:
        (b, t, width); sums in float32, always in the same order.
    """
    return _AttendFew.apply(qkv.contiguous(), heads, attended)


class _AttendFew(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int, attended: Tensor | None) -> Tensor:
        b, t, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
        out = qkv.new_empty(b, t, width)
        ctx.save_for_backward(qkv, attended)
        ctx.heads = heads
        _forward[(b * heads,)](qkv, _bytes(attended), out, **_sizes(qkv, heads))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        qkv, attended = ctx.saved_tensors
        grad_qkv = torch.empty_like(qkv)
        programs = (len(qkv) * ctx.heads,)
        _backward[programs](qkv, _bytes(attended), grad.contiguous(), grad_qkv, **_sizes(qkv, ctx.heads))
        return grad_qkv, None, None


def _bytes(attended: Tensor | None) -> Tensor | None:
    return None if attended is None else attended.contiguous().view(torch.uint8)


def _sizes(qkv: Tensor, heads: int) -> dict[str, Any]:
    t, head = qkv.shape[1], qkv.shape[2] // (3 * heads)
    tiles = {f"{k}_tile": max(LEAST_TILE, triton.next_power_of_2(size)) for k, size in (("t", t), ("head", head))}
    # a tile that one warp cannot hold in its registers takes ten times as long, and half a minute or more to compile
    warps = 1 if set(tiles.values()) == {LEAST_TILE} else 4
    return {"t": t, "heads": heads, "head": head, "scale": 1 / math.sqrt(head), **tiles, "num_warps": warps}


if triton is not None:

    @triton.jit
    def _mine(t, heads, head: tl.constexpr, parts: tl.constexpr, t_tile: tl.constexpr, head_tile: tl.constexpr):
        """Where this program's first part of ``parts`` beside each other lies, and which numbers exist."""
        row, which = tl.program_id(0) // heads, tl.program_id(0) % heads
        token, number = tl.arange(0, t_tile), tl.arange(0, head_tile)
        at = (row * t + token[:, None]).to(tl.int64) * parts * heads * head + which * head + number[None, :]
        return at, (token[:, None] < t) & (number[None, :] < head)

    @triton.jit
    def _read(at, exists):
        return tl.load(at, mask=exists, other=0.0).to(tl.float32)

    @triton.jit
    def _share(q, k, attended, t, heads, scale, t_tile: tl.constexpr):
        """How much each token (rows) attends to each (columns)."""
        token = tl.arange(0, t_tile)
        there = token < t
        if attended is not None:
            row = tl.program_id(0) // heads
            there = there & (tl.load(attended + row * t + token, mask=there, other=0) > 0)
        score = tl.where(there[None, :], tl.dot(q, tl.trans(k), input_precision="ieee") * scale, -float("inf"))
        share = tl.exp(score - tl.max(score, 1)[:, None])
        return share / tl.sum(share, 1)[:, None]

    @triton.jit
    def _forward(
        qkv,
        attended,
        out,
        t,
        heads,
        head: tl.constexpr,
        scale,
        t_tile: tl.constexpr,
        head_tile: tl.constexpr,
    ):
        at, exists = _mine(t, heads, head, 3, t_tile, head_tile)
        width = heads * head
        q, k, v = _read(qkv + at, exists), _read(qkv + width + at, exists), _read(qkv + 2 * width + at, exists)
        share = _share(q, k, attended, t, heads, scale, t_tile)
        at, exists = _mine(t, heads, head, 1, t_tile, head_tile)
        tl.store(out + at, tl.dot(share, v, input_precision="ieee"), mask=exists)

    @triton.jit
    def _backward(
        qkv,
        attended,
        grad,
        grad_qkv,
        t,
        heads,
        head: tl.constexpr,
        scale,
        t_tile: tl.constexpr,
        head_tile: tl.constexpr,
    ):
        at, exists = _mine(t, heads, head, 1, t_tile, head_tile)
        grad_out = _read(grad + at, exists)
        at, exists = _mine(t, heads, head, 3, t_tile, head_tile)
        width = heads * head
        q, k, v = _read(qkv + at, exists), _read(qkv + width + at, exists), _read(qkv + 2 * width + at, exists)
        share = _share(q, k, attended, t, heads, scale, t_tile)
        grad_share = tl.dot(grad_out, tl.trans(v), input_precision="ieee")
        grad_score = share * (grad_share - tl.sum(grad_share * share, 1)[:, None]) * scale
        tl.store(grad_qkv + at, tl.dot(grad_score, k, input_precision="ieee"), mask=exists)
        tl.store(grad_qkv + width + at, tl.dot(tl.trans(grad_score), q, input_precision="ieee"), mask=exists)
        tl.store(grad_qkv + 2 * width + at, tl.dot(tl.trans(share), grad_out, input_precision="ieee"), mask=exists)
