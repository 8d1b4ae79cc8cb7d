"""Sweeps on a CPU, with as few matrix products as possible: they take most of the time.

The densities are those of ``targets``. Chains keep the networks' outputs at their states from sweep to sweep: the
step of x leaves z, and so g(z), as it is; the step of z leaves x, and so f(x), as it is. That saves a forward pass
of g and an evaluation of f in each sweep. The forward pass in full precision that gives the density at the end of a
trajectory gives the gradient there as well, which saves one in low precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lacuna.methods.missbgm.chains import Chains
from lacuna.methods.missbgm.conditional import Conditional
from lacuna.methods.missbgm.model import Heads
from lacuna.methods.missbgm.targets import Networks
from lacuna.numerics import hmc


@dataclass
class LatentView:
    """Outputs of g at z: all that densities and gradients at z need, for any x."""

    raw: Tensor  # (n, 2N + CL)
    conditional: Conditional
    layers: list[Tensor]  # input and hidden layers, rough: derivatives need their signs

    @classmethod
    def at(cls, z: Tensor, networks: Networks, heads: Heads) -> LatentView:
        *layers, raw = networks.g.forward(z)
        return cls(raw, Conditional.of(raw, heads), [layer.to(networks.rough_g.dtype) for layer in layers])

    def tensors(self) -> list[Tensor]:
        return [self.raw, *self.conditional.tensors(), *self.layers[1:]]


class Latent:
    """log p(z | x) (equation 5), a ``hmc.Landscape``."""

    def __init__(self, networks: Networks, heads: Heads, numeric: Tensor, levels: Tensor) -> None:
        self.networks, self.heads, self.numeric, self.levels = networks, heads, numeric, levels
        self.end: LatentView  # of the trajectory

    def gradient(self, position: Tensor, /) -> Tensor:
        g = self.networks.rough_g
        layers = g.forward(position.to(g.dtype))
        return self._gradient(position, Conditional.of(layers[-1], self.heads), layers)

    def arrive(self, position: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        self.end = LatentView.at(position, self.networks, self.heads)
        return self.seen(position, self.end)

    def seen(self, position: Tensor, view: LatentView) -> tuple[Tensor, Tensor, Tensor]:
        """As ``arrive``, from the view of the position."""
        density = view.conditional.log_density(self.numeric, self.levels) - 0.5 * position.square().sum(1)
        return density, self._gradient(position, view.conditional, view.layers), position[:, :0]

    def _gradient(self, z: Tensor, conditional: Conditional, layers: list[Tensor]) -> Tensor:
        g = self.networks.rough_g
        upstream = conditional.by_raw(self.numeric, self.levels, g.dtype)
        return g.to_input(layers, upstream).to(z.dtype).add_(z).neg_()


@dataclass
class MissingView:
    """Outputs of f at x."""

    mask_loss: Tensor  # (n,) negative log likelihood of the mask
    gradient: Tensor  # (n, N) its derivative by the numbers

    def tensors(self) -> list[Tensor]:
        return [self.mask_loss, self.gradient]


class Missing:
    """log p(missing numbers | z, mask, levels) (equation 7), a ``hmc.Landscape``.

    Args:
        chains: with a view of their z.
    """

    def __init__(self, networks: Networks, chains: HostChains, conditional: Conditional) -> None:
        self.networks, self.chains, self.beta = networks, chains, chains.model.beta
        self.mean, self.precision = conditional.mean, chains.free / conditional.variance  # 0 for observed cells
        self.end: MissingView | None = None  # of the trajectory; None for beta 0

    def gradient(self, position: Tensor, /) -> Tensor:
        if not self.beta:
            return self._gradient(position, None)
        f = self.networks.rough_f
        layers = f.forward(self._state(position).to(f.dtype))
        upstream = torch.sigmoid(layers[-1]).sub_(self.chains.rough_r)
        return self._gradient(position, self._by_numbers(layers, upstream))

    def arrive(self, position: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        self.end = self.view(position) if self.beta else None
        return self.seen(position, self.end)

    def view(self, position: Tensor) -> MissingView:
        *layers, logits = self.networks.f.forward(self._state(position))
        dtype, r = self.networks.rough_f.dtype, self.chains.r
        upstream = torch.sigmoid(logits).sub_(r).to(dtype)
        by_numbers = self._by_numbers([layer.to(dtype) for layer in layers], upstream)
        return MissingView(self.chains.model.f.negative_log_likelihood(logits, r), by_numbers)

    def seen(self, position: Tensor, view: MissingView | None) -> tuple[Tensor, Tensor, Tensor]:
        """As ``arrive``, from the view of the position."""
        density = -0.5 * (position - self.mean).square_().mul_(self.precision).sum(1)
        if view:
            density = density - self.beta * view.mask_loss
        return density, self._gradient(position, view.gradient if view else None), position[:, :0]

    def _gradient(self, numeric: Tensor, by_mask: Tensor | None) -> Tensor:
        pull = (self.mean - numeric).mul_(self.precision)
        return pull if by_mask is None else pull.addcmul_(self.chains.free, by_mask, value=-self.beta)

    def _by_numbers(self, layers: list[Tensor], upstream: Tensor) -> Tensor:
        """(n, N)"""
        return self.networks.rough_f.to_input(layers, upstream)[:, : self.mean.shape[1]].to(self.mean.dtype)

    def _state(self, numeric: Tensor) -> Tensor:
        levels = self.chains.rows.levels
        return torch.cat([numeric, levels], 1) if levels.shape[1] else numeric


class HostChains(Chains):
    """Chains on a CPU. They read values of tensors within a sweep, so that no CUDA graph could capture them."""

    def _begin(self) -> None:
        self.free, self.rough_r = 1 - self.r[:, : self.model.heads.n], self.r.bfloat16()  # 0 and 1: exact
        self.latent: LatentView | None = None
        self.missing: MissingView | None = None

    def held(self) -> list[Tensor]:
        return []  # no capture runs sweeps that did not happen

    def sweep(self, networks: Networks, step_z: Tensor, step_x: Tensor) -> Tensor:
        if self.model.posteriors:  # other networks than in the sweep before
            self.latent = self.missing = None
        if self.model.heads.blocks[0]:  # other levels
            self.missing = None
        return super().sweep(networks, step_z, step_x)

    def _move_latent(self, networks: Networks, step: Tensor) -> hmc.Info:
        rows, heads = self.rows, self.model.heads
        target = Latent(networks, heads, rows.numeric, rows.levels)
        here = self.latent or LatentView.at(rows.z, networks, heads)
        state, info = self._step(hmc.State(rows.z, *target.seen(rows.z, here)), target, step)
        rows.z.copy_(state.position)
        fall_back(info.accepted, target.end.tensors(), here.tensors())
        self.latent, self.raw = target.end, target.end.raw
        return info

    def _move_missing(self, networks: Networks, step: Tensor) -> hmc.Info:
        assert self.latent is not None  # z has moved before
        numeric, target = self.rows.numeric, Missing(networks, self, self.latent.conditional)
        here = self.missing or (target.view(numeric) if target.beta else None)
        state, info = self._step(hmc.State(numeric, *target.seen(numeric, here)), target, step, self.free)
        numeric.copy_(state.position)
        if target.end and here:
            fall_back(info.accepted, target.end.tensors(), here.tensors())
        self.missing = target.end
        return info


def fall_back(accepted: Tensor, there: list[Tensor], here: list[Tensor]) -> None:
    """Replace rows of ``there`` by those of ``here`` where the end of the trajectory was rejected, in place."""
    refused = (~accepted).nonzero()[:, 0]
    for new, old in zip(there, here, strict=True):
        new.index_copy_(0, refused, old.index_select(0, refused))
