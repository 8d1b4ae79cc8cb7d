"""The codes that fit and sample MissBGM. They compute the same numbers, up to rounding and what follows from it.

- ``reference``, any device: Algorithm 1 and the sampler by autograd, to be read beside the paper (``reference.py``).
- ``host``, CPU: derivatives written out (``fitting.py``, ``local.py``, ``parameters.py``); a sweep keeps what the
  networks gave at the states of the sweep before (``host.py``).
- ``graph``, CUDA: the same fitting, each mini-batch a CUDA graph; each sweep (``chains.py``) is a CUDA graph as well.
- ``fused``, CUDA: as ``graph``, with each mini-batch in three Triton kernels (``fused.py``).
- ``auto``: ``host`` on a CPU; on a GPU ``fused`` for models that its kernels can hold, else ``graph``.
"""

from __future__ import annotations

from typing import Literal

import torch

from lacuna.errors import UserError
from lacuna.methods.missbgm.fused import MOST_ROWS, WIDEST, serves
from lacuna.methods.missbgm.model import Model

Engine = Literal["auto", "reference", "host", "graph", "fused"]
ENGINES = ("auto", "reference", "host", "graph", "fused")


def choose(engine: Engine, device: torch.device, model: Model, batch: int, use_bnn: bool) -> Engine:
    """The engine that ``engine`` means for this model on this device; never ``auto``.

    Args:
        batch: rows of a mini-batch.

    Raises:
        UserError: the device, or ``fused`` for this model, cannot do it.
    """
    fits = not use_bnn and serves(device, model, batch)
    if engine == "auto":
        return "host" if device.type == "cpu" else "fused" if fits else "graph"
    if engine == "host" and device.type != "cpu":
        raise UserError(f"method.engine=host needs device=cpu, not {device.type}: use engine=auto, graph or fused")
    if engine in ("graph", "fused") and device.type != "cuda":
        raise UserError(f"method.engine={engine} needs device=cuda, not {device.type}: use engine=auto or host")
    if engine == "fused" and not fits:
        raise UserError(
            "method.engine=fused needs Triton, use_bnn=false, numeric columns only, hidden layers of one width in each "
            f"network, at most {WIDEST} units and columns, and batch_size at most {MOST_ROWS}: use engine=auto or graph"
        )
    return engine
