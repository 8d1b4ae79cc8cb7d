"""The codes that fit and sample MissBGM. All of them compute the same numbers, up to rounding and its consequences.

| engine      | device | fitting (Algorithm 1)                  | sampling (section 4.3)                         |
| ----------- | ------ | -------------------------------------- | ---------------------------------------------- |
| `reference` | any    | by autograd, `reference.py`            | by autograd, `reference.py`                    |
| `host`      | CPU    | derivatives written out, `fitting.py`  | the same, network outputs kept, `host.py`      |
| `graph`     | CUDA   | as `host`, a mini-batch is a CUDA graph | `chains.py`, a sweep is a CUDA graph           |
| `fused`     | CUDA   | a mini-batch is three Triton kernels, `fused.py`, in a CUDA graph | as `graph`          |

`auto` is `host` on a CPU; on a GPU it is `fused` for the models that the kernels can hold, else `graph`.
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
