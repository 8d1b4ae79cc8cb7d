"""Tensors and what belongs to them, taken apart into plain values and arrays and made again (``lacuna.saving``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lacuna.errors import UserError


def _there(device: str) -> str:
    """The device that a tensor lived on, or the CPU on a machine that has no such device."""
    return device if device != "cuda" or torch.cuda.is_available() else "cpu"


def _take_tensor(tensor: torch.Tensor) -> tuple[np.ndarray, str, str, bool]:
    cells, dtype = tensor.detach().cpu().contiguous(), str(tensor.dtype).removeprefix("torch.")
    bits = cells.view(torch.int16) if cells.dtype == torch.bfloat16 else cells  # numpy has no bfloat16
    return bits.numpy(), dtype, tensor.device.type, tensor.requires_grad


def _make_tensor(parts: tuple[np.ndarray, str, str, bool]) -> torch.Tensor:
    array, dtype, device, requires_grad = parts
    cells = torch.from_numpy(array)
    if dtype == "bfloat16":
        cells = cells.view(torch.bfloat16)
    return cells.to(_there(device)).requires_grad_(requires_grad)


def _make_torch_generator(parts: tuple[torch.Tensor, str]) -> torch.Generator:
    state, device = parts
    generator = torch.Generator(_there(device))
    if generator.device.type == device:
        generator.set_state(state)
    return generator


def _torch_dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise UserError(f"the saved model names an unknown torch dtype {name!r}")
    return dtype


KINDS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {  # tag: type, take apart, make again
    "parameter": (torch.nn.Parameter, lambda p: (p.data, p.requires_grad), lambda parts: torch.nn.Parameter(*parts)),
    "tensor": (torch.Tensor, _take_tensor, _make_tensor),
    "device": (torch.device, lambda device: device.type, lambda name: torch.device(_there(name))),
    "torch dtype": (torch.dtype, lambda dtype: str(dtype).removeprefix("torch."), _torch_dtype),
    "torch generator": (torch.Generator, lambda g: (g.get_state(), g.device.type), _make_torch_generator),
}
