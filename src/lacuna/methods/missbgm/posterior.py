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

from lacuna.graphs import graphed
from lacuna.methods.missbgm.local import Rows
from lacuna.methods.missbgm.model import Heads, Model
from lacuna.methods.missbgm.settings import Sampling
from lacuna.nets.perceptron import Perceptron
from lacuna.numerics import hmc
from lacuna.numerics.diagnostics import effective_sample_size, split_rhat
from lacuna.numerics.step_size import adapt, freeze, initial

ROWS_AT_ONCE = {"cpu": 512, "cuda": 65_536}  # on a CPU: activations that stay in the cache


@dataclass
class Trace:
    """What the sampler has to say about itself."""

    acceptance: list[Tensor]  # (2,) of z and x, by sweep
    step_size: list[Tensor]  # (2,) geometric mean over chains, by sweep
    watched: list[Tensor]  # (w,) values of watched cells, by kept sweep

    def summary(self, burn_in: int) -> dict[str, Any]:
        acceptance = torch.stack(self.acceptance).cpu().numpy()[burn_in:].mean(0)
        steps = torch.stack(self.step_size).cpu().numpy()
        chains = torch.stack(self.watched).cpu().numpy()[None]
        rhat, size = split_rhat(chains), effective_sample_size(chains)
        return {
            "acceptance_z": float(acceptance[0]),
            "acceptance_x": float(acceptance[1]),
            "step_size_z": float(steps[-1, 0]),
            "step_size_x": float(steps[-1, 1]),
            "rhat_median": float(np.nanmedian(rhat)),
            "rhat_max": float(np.nanmax(rhat)),
            "ess_median": float(np.nanmedian(size)),
            "ess_min": float(np.nanmin(size)),
            "rhat": rhat,
            "ess": size,
            "step_sizes": steps,
        }


def latent_target(g: Perceptron, heads: Heads, x: Tensor) -> hmc.Target:
    """log p(z | x) (equation 5) for states x (n, width)."""

    def slope(z: Tensor, activations: list[Tensor]) -> Tensor:
        return -z - g.to_input(activations, heads.by_raw(activations[-1], x))

    def both(z: Tensor) -> tuple[Tensor, Tensor]:
        activations = g.forward(z)
        density = -0.5 * z.square().sum(1) - heads.negative_log_likelihood(activations[-1], x)
        return density, slope(z, activations)

    return hmc.Target(both, lambda z: slope(z, g.forward(z)))


def missing_target(model: Model, raw: Tensor, r: Tensor, levels: Tensor) -> hmc.Target:
    """log p(missing numbers | z, mask, levels) (equation 7, the mask tempered by beta) for the raw output at z."""
    n = model.heads.n
    mean, variance = model.heads.gaussian(raw)
    free = 1 - r[:, :n]

    def state(numeric: Tensor) -> Tensor:
        return torch.cat([numeric, levels], 1) if levels.shape[1] else numeric

    def both(numeric: Tensor) -> tuple[Tensor, Tensor]:
        residual = numeric - mean
        pull = residual / variance
        density = -0.5 * (residual * pull).sum(1)
        if model.beta:
            surprise, by_state = model.f.both(state(numeric), r)
            density = density - model.beta * surprise
            pull = pull + model.beta * by_state[:, :n]
        return density, -pull * free

    def gradient(numeric: Tensor) -> Tensor:
        pull = (numeric - mean) / variance
        if model.beta:
            pull = pull.add_(model.f.by_state(state(numeric), r)[:, :n], alpha=model.beta)
        return -pull * free

    return hmc.Target(both, gradient)


def sample(
    rows: Rows,
    r: Tensor,
    model: Model,
    settings: Sampling,
    n_draws: int,
    generator: torch.Generator,
    collect: Callable[[Tensor], Tensor],
    on_sweep: Callable[[int, float], None],
) -> Trace:
    """Burn in, then hand ``n_draws`` draws of all rows to ``collect``.

    Args:
        rows: where the chains start; moved in place.
        r: (n, d), 1 where observed.
        generator: on the rows' device.
        collect: takes states (n, width), gives the values (w,) of a few cells to watch.
        on_sweep: told (sweeps done, mean acceptance of z) now and then.
    """
    n, device = len(r), r.device
    size = ROWS_AT_ONCE[device.type]
    chunks = [slice(a, min(a + size, n)) for a in range(0, n, size)]

    def sweep(step_z: Tensor, step_x: Tensor) -> Tensor:
        model.draw(generator)
        g = model.g.frozen()
        accepted = []
        for part in chunks:
            accepted.append(_sweep_part(part, rows, r, model, g, settings, step_z, step_x, generator))
        return torch.cat(accepted, 1)

    per_row = settings.adaptation == "per_row"
    steps = [initial(settings.step_size, settings.adaptation, n, device) for _ in range(2)]
    held = [t.clone() for t in (rows.z, rows.numeric, rows.levels)]
    run = graphed(sweep, [s.size for s in steps], [generator])
    for now, before in zip((rows.z, rows.numeric, rows.levels), held, strict=True):  # capturing moved them
        now.copy_(before)

    trace = Trace([], [], [])
    n_adapting = int(settings.adapt_share * settings.burn_in)
    for i in range(settings.burn_in + n_draws):
        acceptance = run(*(s.size for s in steps)).clone()
        if i < n_adapting:
            seen = acceptance[:, :, None] if per_row else acceptance.mean(1)[:, None, None]
            steps = [
                adapt(s, a, settings.target_acceptance, settings.adaptation) for s, a in zip(steps, seen, strict=True)
            ]
        if i + 1 == n_adapting:
            steps = [freeze(s) for s in steps]
        trace.acceptance.append(acceptance.mean(1))
        trace.step_size.append(torch.stack([s.log_step.mean().exp() for s in steps]))
        if i >= settings.burn_in:
            trace.watched.append(collect(rows.x))
        if (i + 1) % 20 == 0 or i + 1 == settings.burn_in + n_draws:
            on_sweep(i + 1, float(trace.acceptance[-1][0]))
    return trace


def _sweep_part(
    part: slice,
    rows: Rows,
    r: Tensor,
    model: Model,
    g: Perceptron,
    settings: Sampling,
    step_z: Tensor,
    step_x: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """One sweep of some rows, in place; the acceptance probabilities (2, b) of z and x."""
    z, numeric, levels, seen = rows.z[part], rows.numeric[part], rows.levels[part], r[part]
    step_z, step_x = (s[part] if len(s) > 1 else s for s in (step_z, step_x))

    def hmc_step(position: Tensor, free: Tensor | float, target: hmc.Target, step: Tensor) -> tuple[Tensor, Tensor]:
        momentum = torch.randn(position.shape, generator=generator, device=position.device) * free
        uniform = torch.rand(len(position), generator=generator, device=position.device)
        state, info = hmc.step(hmc.start(position, target), target, step, settings.n_leapfrog, momentum, uniform)
        return state.position, info.acceptance

    x = rows.x[part]
    new_z, accepted_z = hmc_step(z, 1.0, latent_target(g, model.heads, x), step_z)
    z.copy_(new_z)
    raw = g.forward(z)[-1]
    new, accepted_x = hmc_step(numeric, 1 - seen[:, : model.heads.n], missing_target(model, raw, seen, levels), step_x)
    numeric.copy_(new)
    n_blocks, n_levels = model.heads.blocks
    for block in range(n_blocks):
        x = torch.cat([numeric, levels], 1)
        log_probability = model.level_posterior(raw, x, seen, block)
        uniform = torch.rand(log_probability.shape, generator=generator, device=r.device)
        drawn = (log_probability - (-uniform.log()).log()).argmax(1)  # the Gumbel trick: no host looks
        one_hot = torch.nn.functional.one_hot(drawn, n_levels).to(levels.dtype)
        mine = levels[:, block * n_levels : (block + 1) * n_levels]
        mine.copy_(torch.where(seen[:, model.heads.n + block, None] > 0, mine, one_hot))
    return torch.stack([accepted_z, accepted_x])
