"""Where tensors live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lacuna.errors import UserError

if TYPE_CHECKING:
    import torch


def pick(device: str = "auto") -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU.

    Raises:
        UserError: ``cuda`` was asked for on a machine that has none, or the name is unknown.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"device must be auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda was asked for, but torch sees no CUDA device here: use device=cpu or auto")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
