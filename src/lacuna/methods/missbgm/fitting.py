"""Algorithm 1 of MissBGM: each mini-batch updates its rows' latent variables and missing values, then the networks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lacuna.backend.graphs import graphed
from lacuna.errors import UserError
from lacuna.methods.missbgm.fused import FusedVisit
from lacuna.methods.missbgm.local import Coasting, Rows, move
from lacuna.methods.missbgm.model import Model
from lacuna.methods.missbgm.parameters import BayesianParameters, PointParameters
from lacuna.methods.missbgm.settings import LocalSteps

WATCHED = 4096  # rows


def alternate(
    rows: Rows,
    r: Tensor,
    model: Model,
    parameters: PointParameters | BayesianParameters,
    steps: LocalSteps,
    epochs: int,
    batch: int,
    rng: np.random.Generator,
    noise: torch.Generator,
    on_epoch: Callable[[int, float], None],
    fused: bool = False,
) -> Rows:
    """Fit the networks and the rows to each other.

    Args:
        rows: all n rows as the warm start leaves them; overwritten.
        r: (n, d) float, 1 where observed.
        rng: orders the rows; ``noise``: of Bayesian parameters, on the rows' device.
        on_epoch: told (epoch, loss of g).
        fused: compute mini-batches by ``FusedVisit``, which must be able to (``fused.serves``).

    Returns:
        the rows at the last step: the maximum a posteriori table.

    Raises:
        UserError: the loss is no longer a number.
    """
    n, device = len(r), r.device
    batch = min(batch, n)
    sizes = [batch] * (n // batch) + ([n % batch] if n % batch else [])
    coasting = Coasting(steps, device)
    clock = torch.zeros((), dtype=torch.long, device=device)  # steps that the optimiser of z and x has made
    last = torch.zeros(n, dtype=torch.long, device=device)  # the step after which each row is current

    def plain_visit(chosen: Tensor) -> Tensor:
        model.draw(noise)
        seen = r[chosen]
        mine = coasting(rows.take(chosen), last[chosen], clock)
        g, f = model.g.frozen(), model.f.network
        mine = move(mine, seen, model, g, f, steps, clock.float(), 1 / seen.numel(), together=True)
        rows.put(chosen, mine)
        clock.add_(steps.inner)
        last[chosen] = clock
        parameters.step(mine.z, mine.x, seen, (clock // steps.inner).float())
        return clock

    visit: Callable[[Tensor], Tensor] = plain_visit
    if fused:
        assert isinstance(parameters, PointParameters)
        visit = FusedVisit(rows, r, model, parameters, steps, coasting.table, clock, last)
    changed = [*rows.tensors(), clock, last, *parameters.state]
    visits = {b: graphed(visit, [torch.arange(b, device=device)], [noise], changed) for b in set(sizes)}

    for epoch in range(1, epochs + 1):
        order = torch.from_numpy(rng.permutation(n)).to(device)
        for chosen in order.split(sizes):
            visits[len(chosen)](chosen)
        few = rows.take(torch.arange(min(n, WATCHED), device=device))
        watch(epoch, model, few.z, few.x, on_epoch)
    return coasting(rows, last, clock)


def watch(epoch: int, model: Model, z: Tensor, x: Tensor, on_epoch: Callable[[int, float], None]) -> None:
    """Tell the negative log likelihood of g per column over rows as they are after an epoch.

    Raises:
        UserError: it is not a number.
    """
    raw = model.g.frozen().forward(z)[-1]
    n_columns = model.heads.n + model.heads.blocks[0]
    loss = float(model.heads.negative_log_likelihood(raw, x).mean() / n_columns)
    if not math.isfinite(loss):
        raise UserError(
            f"MissBGM diverged in epoch {epoch} (loss {loss}): standardise the columns, or lower its learning rates"
        )
    on_epoch(epoch, loss)
