"""Where tensors live, and how precisely they are multiplied there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lacuna.errors import UserError, require

if TYPE_CHECKING:
    import torch


def pick(device: str = "auto") -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU.

    Raises:
        UserError: ``cuda`` was asked for on a machine that has none, or the name is unknown.
        MissingPackage: torch is not installed.
    """
    require(f"device={device}", "deep", "torch")
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"device must be auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda was asked for, but torch sees no CUDA device here: use device=cpu or auto")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """float32 matrix products as they are, or on a GPU as TF32 (``tf32``), within a block."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" and torch.cuda.is_available() else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
