"""Named random streams from one root seed: the same seed gives every method the same table and mask.

>>> stream(0, "mask").integers(100) == stream(0, "mask").integers(100)
np.True_
>>> stream(0, "mask").integers(2**60) == stream(0, "split").integers(2**60)
np.False_
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _sequence(seed: int, names: tuple[str | int, ...]) -> np.random.SeedSequence:
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return np.random.SeedSequence([seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator of its own for this seed and name."""
    return np.random.default_rng(_sequence(seed, names))


def torch_seed(seed: int, *names: str | int) -> int:
    """A seed for a torch generator of its own for this seed and name."""
    return int(_sequence(seed, names).generate_state(1, np.uint64)[0] >> 1)


def torch_stream(seed: int, *names: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator of its own for this seed and name, living on ``device``."""
    import torch

    return torch.Generator(device).manual_seed(torch_seed(seed, *names))
