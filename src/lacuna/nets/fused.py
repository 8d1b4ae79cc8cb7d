"""silu(x W' + b) in one pass over device memory.

Between the matrix products of a wide network, a separate SiLU reads and writes every activation once more, which
on a data-centre GPU costs about a fifth of the network's time. One Triton kernel applies it while the product is
still in registers.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.backend.kernels import allowed

try:
    import triton
    import triton.language as tl
    from triton.tools.tensor_descriptor import TensorDescriptor
except ImportError:  # CPU builds of torch, and CUDA builds whose Triton is too old
    triton = None

ROWS, COLUMNS, DEPTH = 128, 256, 64  # of a tile of the output, and of one step along the inner dimension
ROW_TILES = 8  # tiles on top of each other are made at about the same time: they share columns of W in the cache
WARPS, STAGES = 8, 3


def serves(x: Tensor, weight: Tensor) -> bool:
    """Whether the kernel takes these: bfloat16 on GPUs that copy tiles in bulk (Hopper and later)."""
    aligned = x.shape[1] % 8 == 0 and len(weight) % 8 == 0
    return x.dtype == torch.bfloat16 and aligned and _copies_in_bulk(x.device) and allowed()


def linear_silu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """silu(x weight' + bias) for x (n, k), weight (m, k), bias (m,) -> (n, m); not differentiable.

    By the kernel where it serves, else by torch.
    """
    if not serves(x, weight):
        return F.silu(F.linear(x, weight, bias), inplace=True)
    (n, k), m = x.shape, len(weight)
    out = torch.empty(n, m, dtype=x.dtype, device=x.device)
    programs = torch.cuda.get_device_properties(x.device).multi_processor_count
    _linear_silu[(programs,)](
        TensorDescriptor.from_tensor(x, [ROWS, DEPTH]),
        TensorDescriptor.from_tensor(weight, [COLUMNS, DEPTH]),
        bias,
        TensorDescriptor.from_tensor(out, [ROWS, COLUMNS]),
        n,
        m,
        k,
        ROWS,
        COLUMNS,
        DEPTH,
        ROW_TILES,
        programs,
        num_warps=WARPS,
        num_stages=STAGES,
    )
    return out


@cache
def _copies_in_bulk(device: torch.device) -> bool:
    return triton is not None and device.type == "cuda" and torch.cuda.get_device_capability(device) >= (9, 0)


if triton is not None:

    @triton.jit
    def _tanh(x):
        return tl.inline_asm_elementwise("tanh.approx.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1)

    @triton.jit
    def _linear_silu(
        x,  # descriptors: cells outside the matrix read as zero and are not written
        weight,
        bias,
        out,
        n,
        m,
        k,
        rows: tl.constexpr,
        columns: tl.constexpr,
        depth: tl.constexpr,
        row_tiles: tl.constexpr,
        programs: tl.constexpr,
    ):
        """Every program makes each ``programs``-th tile of the output."""
        n_tiles, m_tiles = tl.cdiv(n, rows), tl.cdiv(m, columns)
        for tile in tl.range(tl.program_id(0), n_tiles * m_tiles, programs, flatten=True):
            first = tile // (row_tiles * m_tiles) * row_tiles
            height = min(n_tiles - first, row_tiles)
            row = (first + tile % (row_tiles * m_tiles) % height) * rows
            column = tile % (row_tiles * m_tiles) // height * columns
            product = tl.zeros((rows, columns), tl.float32)
            for i in range(0, k, depth):
                product = tl.dot(x.load([row, i]), weight.load([column, i]).T, product)
            of_tile = column + tl.arange(0, columns)
            half = 0.5 * (product + tl.load(bias + of_tile, mask=of_tile < m, other=0.0).to(tl.float32)[None, :])
            out.store([row, column], (half + half * _tanh(half)).to(tl.bfloat16))  # silu(z) = z (1 + tanh(z/2)) / 2
