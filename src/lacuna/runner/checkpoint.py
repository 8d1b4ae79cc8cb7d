"""Where a long run stands, kept so that the same command goes on from there."""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.errors import require
from lacuna.files import whole


class Checkpoint:
    """One file of tensors and plain containers; nothing in it is ever executed.

    Args:
        path: of the file.
        fresh: forget what an earlier process kept there.
    """

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self.path = path
        if fresh:
            self.delete()

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint.

        Raises:
            StorageError: it cannot be written; the one before is still there.
            MissingPackage: torch is not installed.
        """
        require("a checkpoint", "deep", "torch")
        import torch

        content = io.BytesIO()  # torch itself reports a full disk as a bare RuntimeError
        torch.save(_pack(state), content)
        with whole(self.path) as temporary:
            temporary.write_bytes(_digest(content.getvalue()) + content.getvalue())

    def load(self) -> dict[str, Any] | None:
        """The last state saved; None where there is none, or it cannot be read."""
        if not self.path.exists():
            return None
        import torch

        try:
            kept = self.path.read_bytes()
            if kept[:DIGEST] != _digest(kept[DIGEST:]):
                raise ValueError("it is damaged, or of another version")
            return _unpack(torch.load(io.BytesIO(kept[DIGEST:]), map_location="cpu", weights_only=True))
        except (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            warnings.warn(f"{self.path} cannot be read ({error}): starting anew", stacklevel=2)
            return None

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


DIGEST = 32  # bytes


def _digest(content: bytes) -> bytes:
    """By which a damaged file is told from a whole one: not every change of a byte keeps torch from reading it."""
    return hashlib.sha256(content).digest()


_ARRAY = "numpy array"


def _pack(value: Any) -> Any:
    """Arrays as marked tensors: the safe loader knows no arrays."""
    import torch

    if isinstance(value, np.ndarray):
        return {_ARRAY: torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {k: _pack(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_pack(v) for v in value)
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        return value[_ARRAY].numpy() if set(value) == {_ARRAY} else {k: _unpack(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_unpack(v) for v in value)
    return value
