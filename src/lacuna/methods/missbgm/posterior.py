"""Draws of z and of the missing values, parameters fixed: HMC within Gibbs (section 4.3 of MissBGM).

A sweep is one HMC step for z given x, one for the missing numbers given z, and an exact draw of every missing
level in turn. All rows move at once, each its own chain; adaptation sees their mean acceptance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lacuna.backend.graphs import graphed
from lacuna.backend.threads import side_by_side
from lacuna.methods.missbgm.chains import Chains
from lacuna.methods.missbgm.host import HostChains
from lacuna.methods.missbgm.local import Rows
from lacuna.methods.missbgm.model import Model
from lacuna.methods.missbgm.settings import ChainSettings
from lacuna.methods.missbgm.step_size import adapt, freeze, initial
from lacuna.methods.missbgm.targets import Networks, gradient_dtype
from lacuna.numerics.diagnostics import LEAST_DRAWS, effective_sample_size, split_rhat

# Numbers in the widest layer for the rows that move together: on a CPU wide products are the faster ones, by a third
# from 500 rows to 2500; on a GPU ten gigabytes of activations
ROOM, FEWEST_ROWS = {"cpu": 2**19, "cuda": 2**28}, 64
WORTHWHILE = 400  # rows from which a part in a thread of its own gains more than narrower products lose
CHAINS: dict[str, type[Chains]] = {"cpu": HostChains, "cuda": Chains}


@dataclass
class Trace:
    """Diagnostics of the sampler by sweep."""

    acceptance: list[Tensor]  # (2,) of z and x, by sweep
    step_size: list[Tensor]  # (2,) geometric mean over chains, by sweep
    watched: list[Tensor]  # (w,) values of watched cells, by kept sweep

    def summary(self, burn_in: int) -> dict[str, Any]:
        """Rates and step sizes after the burn-in; R-hat and effective sample size of the cells that moved."""
        acceptance = torch.stack(self.acceptance).cpu().numpy()[burn_in:].mean(0)
        steps = torch.stack(self.step_size).cpu().numpy()
        found = {
            "acceptance_z": float(acceptance[0]),
            "acceptance_x": float(acceptance[1]),
            "step_size_z": float(steps[-1, 0]),
            "step_size_x": float(steps[-1, 1]),
            "step_sizes": steps,
        }
        chains = torch.stack(self.watched).cpu().numpy()[None]
        chains = chains[:, :, (chains != chains[:, :1]).any((0, 1))]
        if chains.shape[1] < LEAST_DRAWS or not chains.shape[2]:
            return found
        rhat, size = split_rhat(chains), effective_sample_size(chains)
        summary = {"rhat_median": np.median(rhat), "rhat_max": rhat.max(), "ess_median": np.median(size)}
        return (
            found
            | {k: float(v) for k, v in summary.items()}
            | {"ess_min": float(size.min()), "rhat": rhat, "ess": size}
        )


def sample(
    rows: Rows,
    r: Tensor,
    model: Model,
    settings: ChainSettings,
    n_draws: int,
    new_generator: Callable[[str | int], torch.Generator],
    collect: Callable[[Tensor], Tensor],
    on_sweep: Callable[[int, float], None],
) -> Trace:
    """Burn in, then hand ``n_draws`` draws of all rows to ``collect``.

    Args:
        rows: where the chains start; moved in place.
        r: (n, d), 1 where observed.
        new_generator: a random stream of its own, on the rows' device, for each name.
        collect: takes states (n, width), gives the values (w,) of a few cells to watch.
        on_sweep: told (sweeps done, mean acceptance of z) now and then.
    """
    n, device = len(r), r.device
    widest = max(len(b) for net in model.nets for b in net.network.biases)
    parts = cut(n, max(FEWEST_ROWS, ROOM[device.type] // widest), even=device.type == "cpu")
    kind = CHAINS[device.type]
    chains = [kind(rows.cut(p), r[p], model, settings, new_generator(i)) for i, p in enumerate(parts)]
    weights = new_generator("weights")
    trace = Trace([], [], [])
    workers = min(torch.get_num_threads(), len(chains)) if device.type == "cpu" else 1
    with side_by_side(workers if workers > 1 else 0) as each:  # a single part has all of torch's threads

        def sweep(step_z: Tensor, step_x: Tensor) -> Tensor:
            model.draw(weights)
            networks = Networks.of(model, gradient_dtype(device))

            def one(i: int) -> Tensor:
                return chains[i].sweep(networks, *(s[parts[i]] if len(s) > 1 else s for s in (step_z, step_x)))

            return torch.cat(list(each(one, range(len(chains)))), 1)

        steps = [initial(settings.step_size, settings.adaptation, n, device) for _ in range(2)]
        moved = [rows.z, rows.numeric, rows.levels, *(t for c in chains for t in c.held())]
        moving = graphed(sweep, [s.size for s in steps], [weights, *(c.generator for c in chains)], moved)

        n_adapting, n_sweeps = int(settings.adapt_share * settings.burn_in), settings.burn_in + n_draws
        for i in range(n_sweeps):
            acceptance = moving(*(s.size for s in steps))
            mean = acceptance.mean(1)
            if i < n_adapting:
                seen = acceptance[:, :, None] if settings.adaptation == "per_row" else mean[:, None, None]
                goal, rule = settings.target_acceptance, settings.adaptation
                steps = [adapt(s, a, goal, rule) for s, a in zip(steps, seen, strict=True)]
            if i + 1 == n_adapting:
                steps = [freeze(s) for s in steps]
            trace.acceptance.append(mean)
            trace.step_size.append(torch.stack([s.log_step.mean().exp() for s in steps]))
            if i >= settings.burn_in:
                trace.watched.append(collect(rows.x))
            if (i + 1) % 20 == 0 or i + 1 == n_sweeps:
                on_sweep(i + 1, float(mean[0]))
    return trace


def cut(n: int, size: int, even: bool) -> list[slice]:
    """Rows that move together, at most ``size``; ``even``: equal parts, a power of two of them for cores to share,
    two where both have WORTHWHILE rows.

    >>> cut(5000, 4000, even=False), cut(5000, 4000, even=True)
    ([slice(0, 4000, None), slice(4000, 5000, None)], [slice(0, 2500, None), slice(2500, 5000, None)])
    """
    if even:
        n_parts = max(-(-n // size), min(2, n // WORTHWHILE), 1)
        size = -(-n // 2 ** (n_parts - 1).bit_length())
    return [slice(a, min(a + size, n)) for a in range(0, n, size)]
