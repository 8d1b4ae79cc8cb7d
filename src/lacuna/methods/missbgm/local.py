"""Steps (i) and (ii) of Algorithm 1: latent variables and missing values of some rows, parameters fixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lacuna.methods.missbgm.dense_adam import AdamMoments, coast, missed, no_moments, step_
from lacuna.methods.missbgm.model import Model, mask_gradient
from lacuna.methods.missbgm.settings import LocalSteps
from lacuna.nets.perceptron import Perceptron


class Rows(NamedTuple):
    """State of b rows: latent variables, completed values, and the moments of their optimisers."""

    z: Tensor  # (b, d)
    numeric: Tensor  # (b, N)
    levels: Tensor  # (b, C L) probabilities
    z_moments: AdamMoments
    x_moments: AdamMoments  # of numeric

    @property
    def x(self) -> Tensor:
        """(b, width)"""
        return torch.cat([self.numeric, self.levels], 1) if self.levels.shape[1] else self.numeric

    def tensors(self) -> list[Tensor]:
        return [self.z, self.numeric, self.levels, *self.z_moments, *self.x_moments]

    def take(self, rows: Tensor) -> Rows:
        """Some of the rows, as copies."""
        return self._each(lambda t: t[rows])

    def cut(self, rows: slice) -> Rows:
        """Some rows in a row, sharing memory with these."""
        return self._each(lambda t: t[rows])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Rows:
        z, numeric, levels, *moments = map(change, self.tensors())
        return Rows(z, numeric, levels, AdamMoments(*moments[:2]), AdamMoments(*moments[2:]))

    def put(self, rows: Tensor, new: Rows) -> None:
        """Write rows back, in place."""
        for mine, theirs in zip(self.tensors(), new.tensors(), strict=True):
            mine.index_copy_(0, rows, theirs)


def at_rest(z: Tensor, x: Tensor, n_numeric: int) -> Rows:
    """Rows before the first step of their optimisers, from z (b, d) and states x (b, width)."""
    numeric, levels = x[:, :n_numeric].contiguous(), x[:, n_numeric:].contiguous()
    return Rows(z.contiguous(), numeric, levels, no_moments(z), no_moments(numeric))


class Coasting:
    """Applies the steps that rows have missed outside their mini-batches; z and x have the same betas."""

    def __init__(self, steps: LocalSteps, device: torch.device) -> None:
        self.steps = steps
        self.table = torch.tensor(steps.z.coasts(), dtype=torch.float32, device=device)

    def __call__(self, rows: Rows, last: Tensor, now: Tensor) -> Rows:
        """``rows`` current after step ``last`` (b,) int as they are after step ``now`` () int."""
        if self.steps.momentum == "batch":
            return rows
        gap = missed(self.table, last, now, self.steps.z)
        z, z_moments = coast(rows.z, rows.z_moments, gap, self.steps.z)
        numeric, x_moments = coast(rows.numeric, rows.x_moments, gap, self.steps.x)
        return Rows(z, numeric, rows.levels, z_moments, x_moments)


def move(
    rows: Rows,
    r: Tensor,
    model: Model,
    g: Perceptron,
    f: Perceptron,
    steps: LocalSteps,
    time: Tensor,
    scale: float,
    together: bool,
) -> Rows:
    """The inner loop of Algorithm 1, in place.

    Args:
        r: (b, d), 1 where observed.
        g, f: the frozen generator and the network of the mask.
        time: () float, steps that the rows' optimiser has made before.
        scale: of the losses, which are sums over rows and columns.
        together: clip the gradient of all rows as one, or each row's by itself, so that rows do not meet.

    Returns:
        the rows; only their levels are new tensors.
    """
    heads = model.heads
    free = (1 - r[:, : heads.n]) * scale
    activations = g.forward(rows.z)
    gaussian = heads.gaussian(activations[-1])
    for k in range(steps.inner):
        now = time + (k + 1)
        by_z = g.to_input(activations, heads.by_raw(activations[-1], rows.x, scale, gaussian))
        by_z, divisor = _clipped(by_z.add_(rows.z, alpha=scale), steps.clip, together)
        step_([rows.z], [by_z], [rows.z_moments], now, steps.z, divisor)

        activations = g.forward(rows.z)
        mean, variance = gaussian = heads.gaussian(activations[-1])
        by_x = (rows.numeric - mean).div_(variance)
        if model.beta:
            by_x.add_(mask_gradient(f, rows.x, r)[:, : heads.n], alpha=model.beta)
        by_x, divisor = _clipped(by_x.mul_(free), steps.clip, together)
        step_([rows.numeric], [by_x], [rows.x_moments], now, steps.x, divisor)
        if heads.blocks[0]:
            rows = rows._replace(levels=_expected_levels(rows, activations[-1], r, model))
    return rows


def refine(rows: Rows, r: Tensor, model: Model, steps: LocalSteps, epochs: int, batch: int, n_train: int) -> Rows:
    """Refine rows that the networks were not fitted to: each is as if in one mini-batch of every training epoch.

    Rows do not influence each other: each would end in the same state alone.

    Args:
        batch, n_train: rows in a batch and in the training table; they say how long momentum runs between visits.
    """
    device = rows.z.device
    coasting, g, f = Coasting(steps, device), model.g.frozen(), model.f.network
    batch = min(batch, n_train)
    epoch_steps = -(-n_train // batch) * steps.inner
    for start in range(0, epochs * epoch_steps, epoch_steps):
        time = torch.tensor(float(start), device=device)
        rows = move(rows, r, model, g, f, steps, time, 1 / (batch * r.shape[1]), together=False)
        last = torch.full((len(r),), start + steps.inner, device=device)
        rows = coasting(rows, last, torch.tensor(start + epoch_steps, device=device))
    return rows


def _clipped(gradient: Tensor, norm: float, together: bool) -> tuple[Tensor, Tensor | None]:
    """A gradient, and the divisor that clips it where it is not clipped yet."""
    if together:
        return gradient, (torch.linalg.vector_norm(gradient) / norm).clamp_(min=1)
    return gradient.div_((torch.linalg.vector_norm(gradient, dim=1, keepdim=True) / norm).clamp_(min=1)), None


def _expected_levels(rows: Rows, raw: Tensor, r: Tensor, model: Model) -> Tensor:
    """(b, C L) probabilities of the levels: the posterior where hidden, given the other columns as they are."""
    n_blocks, n_levels = model.heads.blocks
    posterior = torch.stack([model.level_posterior(raw, rows.x, r, block).exp() for block in range(n_blocks)], 1)
    seen = r[:, model.heads.n :, None] > 0
    return torch.where(seen, rows.levels.view(-1, n_blocks, n_levels), posterior).flatten(1)
