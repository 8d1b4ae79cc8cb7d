"""The attention kernel for few tokens beside torch's own, by tokens, size of a head and warps of a program.

    python benchmarks/attention.py                    # one GPU, two minutes, most of them compiling
    python benchmarks/attention.py --warps 4

One JSON line a shape, type and number of warps goes to --out; a line that is there is not measured again. Microseconds
of one call each way, without a mask, and the relative error against double precision.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from lacuna.nets import fused_attention
from lacuna.nets.attention import attend
from lines import Line, measured_once

SHAPES = [  # rows, tokens, heads, numbers of a head
    (128, 12, 8, 8),  # CACTI on bayesnet
    (128, 50, 8, 8),  # and on 50 columns
    (2000, 50, 8, 8),
    (64, 30, 2, 32),  # TabCSDI
    (64, 50, 2, 32),
    (2000, 50, 2, 32),
    (1000, 64, 4, 64),
]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return round(time.perf_counter() - begun, 1)


def microseconds(call: Callable[[], object]) -> float:
    from triton.testing import do_bench

    return round(1e3 * do_bench(call, warmup=5, rep=20), 1)


def error(found: Tensor, truth: Tensor) -> float:
    return float((found.double() - truth).norm() / truth.norm())


def measure(key: Line) -> Line:
    rows, tokens, heads, head = key["shape"]
    rng = torch.Generator().manual_seed(0)
    qkv = torch.randn(rows, tokens, 3 * heads * head, generator=rng).cuda().to(DTYPES[key["dtype"]])
    grad = torch.randn(rows, tokens, heads * head, generator=rng).cuda().to(qkv.dtype)
    settings = fused_attention._sizes(qkv, heads) | {"num_warps": key["warps"]}
    out, grad_qkv = torch.empty_like(grad), torch.empty_like(qkv)

    def forward() -> None:
        fused_attention._forward[(rows * heads,)](qkv, None, out, **settings)

    def backward() -> None:
        fused_attention._backward[(rows * heads,)](qkv, None, grad, grad_qkv, **settings)

    compiling = [seconds(forward), seconds(backward)]
    exact, asked = qkv.double().requires_grad_(), qkv.clone().requires_grad_()
    truth = attend(exact, heads)
    (grad_truth,) = torch.autograd.grad(truth, exact, grad.double())
    found = attend(asked, heads)
    usual_us = [
        microseconds(lambda: attend(qkv, heads)),
        microseconds(lambda: torch.autograd.grad(found, asked, grad, retain_graph=True)),
    ]
    return {
        "us": [microseconds(forward), microseconds(backward)],
        "usual_us": usual_us,
        "error": [error(out, truth.detach()), error(grad_qkv, grad_truth)],
        "compile_s": compiling,
        "gpu": torch.cuda.get_device_name(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warps", default="1,4,8")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "attention.jsonl")
    options = parser.parse_args()
    warps = [int(n) for n in options.warps.split(",")]
    measured_once(
        options.out,
        ({"shape": list(s), "dtype": d, "warps": w} for s, d, w in itertools.product(SHAPES, DTYPES, warps)),
        measure,
    )
