"""A sweep of the sampler for some rows, in operations that a CUDA graph can capture."""

from __future__ import annotations

import torch
from torch import Tensor

from lacuna.methods.missbgm.local import Rows
from lacuna.methods.missbgm.model import Model
from lacuna.methods.missbgm.settings import ChainSettings
from lacuna.methods.missbgm.targets import Networks, latent_density, latent_target, missing_target
from lacuna.numerics import hmc


class Chains:
    """The chains of some rows.

    Args:
        generator: of these chains alone.
        The others as of ``sample``.
    """

    def __init__(
        self, rows: Rows, r: Tensor, model: Model, settings: ChainSettings, generator: torch.Generator
    ) -> None:
        self.rows, self.r, self.model, self.settings, self.generator = rows, r, model, settings, generator
        self._begin()

    def _begin(self) -> None:
        self.raw = self.model.g.frozen().forward(self.rows.z)[-1]  # of g at every row's z

    def held(self) -> list[Tensor]:
        """Tensors that a sweep changes, beside the rows."""
        return [self.raw]

    def sweep(self, networks: Networks, step_z: Tensor, step_x: Tensor) -> Tensor:
        """Move z, numbers and levels once, in place; the acceptance probabilities (2, b) of z and of the numbers."""
        latent, missing = self._move_latent(networks, step_z), self._move_missing(networks, step_x)
        for block in range(self.model.heads.blocks[0]):
            self._draw_levels(block)
        return torch.stack([latent.acceptance, missing.acceptance])

    def _move_latent(self, networks: Networks, step: Tensor) -> hmc.Info:
        rows, heads, x = self.rows, self.model.heads, self.rows.x
        if self.model.posteriors:  # other networks than in the sweep before
            self.raw.copy_(networks.g.forward(rows.z)[-1])
        target = latent_target(networks, heads, x)
        state = hmc.State(rows.z, latent_density(rows.z, self.raw, heads, x), target.gradient(rows.z), self.raw)
        state, info = self._step(state, target, step)
        rows.z.copy_(state.position)
        self.raw.copy_(state.known)
        return info

    def _move_missing(self, networks: Networks, step: Tensor) -> hmc.Info:
        rows, free = self.rows, 1 - self.r[:, : self.model.heads.n]
        target = missing_target(networks, self.model, self.raw, self.r, rows.levels)
        state, info = self._step(hmc.start(rows.numeric, target), target, step, free)
        rows.numeric.copy_(state.position)
        return info

    def _step(
        self, state: hmc.State, target: hmc.Landscape, step: Tensor, free: Tensor | float = 1.0
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
        drawn = (log_probability - (-uniform.log()).log()).argmax(1)  # the Gumbel trick: no value goes to the host
        one_hot = (drawn[:, None] == torch.arange(n_levels, device=self.r.device)).to(uniform.dtype)
        mine = self.rows.levels[:, block * n_levels : (block + 1) * n_levels]
        mine.copy_(torch.where(self.r[:, n + block, None] > 0, mine, one_hot))
