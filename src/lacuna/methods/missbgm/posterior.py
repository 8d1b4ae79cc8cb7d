"""Draws of z and of the missing values, parameters fixed: HMC within Gibbs (section 4.3 of MissBGM).

A sweep is one HMC step for z given x, one for the missing numbers given z, and an exact draw of every missing
level in turn. All rows move at once, each its own chain; adaptation sees their mean acceptance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lacuna.graphs import graphed
from lacuna.methods.missbgm.local import Rows
from lacuna.methods.missbgm.model import Heads, Model, mask_gradient
from lacuna.methods.missbgm.settings import Sampling
from lacuna.nets.perceptron import Perceptron
from lacuna.numerics import hmc
from lacuna.numerics.diagnostics import LEAST_DRAWS, effective_sample_size, split_rhat
from lacuna.numerics.step_size import adapt, freeze, initial

# Numbers in the widest layer for the rows that move together: a cache's worth of activations, or ten gigabytes
ROOM, FEWEST_ROWS = {"cpu": 2**16, "cuda": 2**28}, 64


@dataclass
class Trace:
    """What the sampler has to say about itself."""

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


@dataclass(frozen=True)
class Networks:
    """g, its normalisation frozen, and f, in the precision of densities and in that of gradients."""

    g: Perceptron
    f: Perceptron
    rough_g: Perceptron
    rough_f: Perceptron

    @classmethod
    def of(cls, model: Model, rough: torch.dtype) -> Networks:
        g, f = model.g.frozen(), model.f.network
        return cls(g, f, g.to(rough), f.to(rough))


def latent_target(networks: Networks, heads: Heads, x: Tensor) -> hmc.Target:
    """log p(z | x) (equation 5) for states x (n, width); keeps g's raw output."""

    def look(z: Tensor) -> tuple[Tensor, Tensor]:
        raw = networks.g.forward(z)[-1]
        return latent_density(z, raw, heads, x), raw

    def gradient(z: Tensor) -> Tensor:
        g = networks.rough_g
        activations = g.forward(z.to(g.dtype))
        upstream = heads.by_raw(activations[-1].to(z.dtype), x)
        return -z - g.to_input(activations, upstream.to(g.dtype)).to(z.dtype)

    return hmc.Target(look, gradient)


def latent_density(z: Tensor, raw: Tensor, heads: Heads, x: Tensor) -> Tensor:
    """log p(z | x) (n,) up to a constant, from the raw output of g at z."""
    return -0.5 * z.square().sum(1) - heads.negative_log_likelihood(raw, x)


def missing_target(networks: Networks, model: Model, raw: Tensor, r: Tensor, levels: Tensor) -> hmc.Target:
    """log p(missing numbers | z, mask, levels) (equation 7, the mask tempered by beta), raw the output of g at z."""
    n, beta = model.heads.n, model.beta
    mean, variance = model.heads.gaussian(raw)
    free = 1 - r[:, :n]
    nothing = raw[:, :0]

    def state(numeric: Tensor) -> Tensor:
        return torch.cat([numeric, levels], 1) if levels.shape[1] else numeric

    def look(numeric: Tensor) -> tuple[Tensor, Tensor]:
        density = -0.5 * ((numeric - mean).square() / variance).sum(1)
        if beta:
            density = density - beta * model.f.surprise(networks.f.forward(state(numeric))[-1], r)
        return density, nothing

    def gradient(numeric: Tensor) -> Tensor:
        pull = (numeric - mean) / variance
        if beta:
            pull = pull.add_(mask_gradient(networks.rough_f, state(numeric), r)[:, :n], alpha=beta)
        return pull.mul_(free).neg_()

    return hmc.Target(look, gradient)


def sample(
    rows: Rows,
    r: Tensor,
    model: Model,
    settings: Sampling,
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
    size = max(FEWEST_ROWS, ROOM[device.type] // widest)
    parts = [slice(a, min(a + size, n)) for a in range(0, n, size)]
    chains = [Chains(rows.cut(p), r[p], model, settings, new_generator(i)) for i, p in enumerate(parts)]
    weights = new_generator("weights")
    trace = Trace([], [], [])
    with side_by_side(device, len(chains)) as each:

        def sweep(step_z: Tensor, step_x: Tensor) -> Tensor:
            model.draw(weights)
            networks = Networks.of(model, gradient_dtype(device))

            def one(i: int) -> Tensor:
                return chains[i].sweep(networks, *(s[parts[i]] if len(s) > 1 else s for s in (step_z, step_x)))

            return torch.cat(list(each(one, range(len(chains)))), 1)

        steps = [initial(settings.step_size, settings.adaptation, n, device) for _ in range(2)]
        moved = [rows.z, rows.numeric, rows.levels, *(c.raw for c in chains)]
        held = [t.clone() for t in moved]
        moving = graphed(sweep, [s.size for s in steps], [weights, *(c.generator for c in chains)])
        for now, before in zip(moved, held, strict=True):  # capturing has moved them
            now.copy_(before)

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


@contextmanager
def side_by_side(device: torch.device, n_tasks: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """``map`` over tasks of tensor work: on a CPU in as many threads as torch has, each task in one.

    Torch's own threads would meet at the end of every operation; small ones then cost more than they gain, and
    far more on a busy machine.
    """
    n_threads = torch.get_num_threads()
    workers = min(n_threads, n_tasks)
    if device.type != "cpu" or workers == 1:
        yield map
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(n_threads)


class Chains:
    """The chains of some rows, and how they move.

    Args:
        generator: of these chains alone.
        The others as of ``sample``.
    """

    def __init__(self, rows: Rows, r: Tensor, model: Model, settings: Sampling, generator: torch.Generator) -> None:
        self.rows, self.r, self.model, self.settings, self.generator = rows, r, model, settings, generator
        self.raw = model.g.frozen().forward(rows.z)[-1]  # of g at every row's z

    def sweep(self, networks: Networks, step_z: Tensor, step_x: Tensor) -> Tensor:
        """Move z, numbers and levels once, in place; the acceptance probabilities (2, b) of z and of the numbers."""
        rows, heads, x = self.rows, self.model.heads, self.rows.x
        if self.model.posteriors:  # other networks than in the sweep before
            self.raw.copy_(networks.g.forward(rows.z)[-1])

        target = latent_target(networks, heads, x)
        state = hmc.State(rows.z, latent_density(rows.z, self.raw, heads, x), target.gradient(rows.z), self.raw)
        state, latent = self._step(state, target, step_z)
        rows.z.copy_(state.position)
        self.raw.copy_(state.known)

        target = missing_target(networks, self.model, self.raw, self.r, rows.levels)
        state, missing = self._step(hmc.start(rows.numeric, target), target, step_x, 1 - self.r[:, : heads.n])
        rows.numeric.copy_(state.position)
        for block in range(heads.blocks[0]):
            self._draw_levels(block)
        return torch.stack([latent.acceptance, missing.acceptance])

    def _step(
        self, state: hmc.State, target: hmc.Target, step: Tensor, free: Tensor | float = 1.0
    ) -> tuple[hmc.State, hmc.Info]:
        position, device = state.position, self.r.device
        momentum = torch.randn(position.shape, generator=self.generator, device=device) * free
        uniform = torch.rand(len(position), generator=self.generator, device=device)
        return hmc.step(state, target, step, self.settings.n_leapfrog, momentum, uniform)

    def _draw_levels(self, block: int) -> None:
        """Draw the hidden levels of one categorical column from their distribution given all else, in place."""
        n, n_levels = self.model.heads.n, self.model.heads.blocks[1]
        log_probability = self.model.level_posterior(self.raw, self.rows.x, self.r, block)
        uniform = torch.rand(log_probability.shape, generator=self.generator, device=self.r.device)
        drawn = (log_probability - (-uniform.log()).log()).argmax(1)  # the Gumbel trick: the host need not look
        one_hot = (drawn[:, None] == torch.arange(n_levels, device=self.r.device)).to(uniform.dtype)
        mine = self.rows.levels[:, block * n_levels : (block + 1) * n_levels]
        mine.copy_(torch.where(self.r[:, n + block, None] > 0, mine, one_hot))


def gradient_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it faster than float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if supported() else torch.float32
