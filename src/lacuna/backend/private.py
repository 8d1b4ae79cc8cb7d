"""The private operators of torch that are in use, all of them, each with what the public way would cost.

They may change with any version of torch. tests/backend/test_private.py says what they must do.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

CHECKED = ("2.11", "2.13")  # versions of torch

# targets, sources: copies many tensors of whatever type in one launch; ``copy_`` takes one for each
copy_all_ = torch._foreach_copy_

# What torch.optim.Adam(fused=True) calls. Through torch.optim.adam.adam a step of 16 x 50 numbers takes a CPU
# 41 microseconds in place of 5, and MissBGM makes eight to a visit of 2 ms.
fused_adam_ = torch._fused_adam_

# upstream, output, slope, True: derivative by the input; ``torch.where`` takes 7 microseconds in place of 2 for
# 16 x 120 numbers, and for 2,500 x 120 many times as long
leaky_relu_backward = torch.ops.aten.leaky_relu_backward.default
leaky_relu_backward_into = torch.ops.aten.leaky_relu_backward.grad_input

# x, weight (outputs, inputs), bias, then an operation with its numbers and variant: oneDNN's product with something
# done to its result, which torch offers its own compiler only; None in a build without oneDNN
linear_pointwise: Callable[..., Tensor] | None = (
    getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None
)
