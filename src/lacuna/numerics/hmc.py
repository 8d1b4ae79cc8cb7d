"""Hamiltonian Monte Carlo for many independent chains at once (Neal 2011, arXiv:1206.1901).

A sampler is two pure functions: ``start`` gives a state, ``step`` moves it and says how that went. ``n`` chains
of ``k`` coordinates with a unit mass; a step size is a scalar tensor, or (n, 1) for one of each chain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

Gradient = Callable[[Tensor], Tensor]  # position (n, k) -> gradient of the log density (n, k)


class Landscape(Protocol):
    """What a step needs of a density on (n, k) positions.

    Gradients may be rougher than the density, in lower precision say, and rougher within a trajectory than at its
    ends: a step stays exact with any functions of the position, at the price of acceptance, as long as both ends
    have the same.
    """

    def gradient(self, position: Tensor, /) -> Tensor:
        """Of the log density, (n, k), within a trajectory."""

    def arrive(self, position: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        """Log density (n,), gradient (n, k) and what else is worth keeping (n, .), at an end."""


class Target(NamedTuple):
    """A density on (n, k) positions, chains independent of each other, up to a constant of each chain."""

    look: Callable[[Tensor], tuple[Tensor, Tensor]]  # position -> log density (n,), what else is worth keeping (n, .)
    gradient: Gradient

    def arrive(self, position: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        """See ``Landscape``."""
        gradient = self.gradient(position)
        log_density, known = self.look(position)
        return log_density, gradient, known


class State(NamedTuple):
    """Where the chains are."""

    position: Tensor  # (n, k)
    log_density: Tensor  # (n,)
    gradient: Tensor  # (n, k)
    known: Tensor  # (n, .) what ``arrive`` gave to keep


class Info(NamedTuple):
    """How a step went."""

    acceptance: Tensor  # (n,) probability with which the proposal was accepted
    accepted: Tensor  # (n,) bool


def start(position: Tensor, target: Landscape) -> State:
    """The state at ``position``; also how to carry on after the target has changed, as in Gibbs sampling."""
    return State(position, *target.arrive(position))


def leapfrog(
    position: Tensor, momentum: Tensor, gradient: Tensor, step_size: Tensor, n_steps: int, force: Gradient
) -> tuple[Tensor, Tensor]:
    """Follow Hamilton's equations from ``position``, where the gradient is ``gradient``, for ``n_steps`` steps.

    Volume-preserving and, with the end's momentum turned round, its own inverse: whatever ``force`` is, as long
    as it is a function of the position alone.

    Returns:
        the position after ``n_steps`` and the momentum half a step before: the last half kick needs the
        gradient at the end, which the caller wants together with the density there.
    """
    momentum = torch.addcmul(momentum, 0.5 * step_size, gradient)
    position = torch.addcmul(position, step_size, momentum)
    for _ in range(n_steps - 1):
        momentum = torch.addcmul(momentum, step_size, force(position))
        position = torch.addcmul(position, step_size, momentum)
    return position, momentum


def kinetic(momentum: Tensor) -> Tensor:
    """Kinetic energy (n,) of momenta (n, k)."""
    return 0.5 * momentum.square().sum(1)


def step(
    state: State,
    target: Landscape,
    step_size: Tensor,
    n_steps: int,
    momentum: Tensor,
    uniform: Tensor,
) -> tuple[State, Info]:
    """One HMC step: ``n_steps`` leapfrog steps, then accept or stay.

    Args:
        momentum: (n, k) standard normal; a coordinate whose momentum and gradient are 0 stays where it is.
        uniform: (n,) uniform on [0, 1).
    """
    position, half_kicked = leapfrog(state.position, momentum, state.gradient, step_size, n_steps, target.gradient)
    log_density, gradient, known = target.arrive(position)
    arrived = torch.addcmul(half_kicked, 0.5 * step_size, gradient)
    gain = (log_density - kinetic(arrived)) - (state.log_density - kinetic(momentum))
    acceptance = gain.clamp(max=0).exp().nan_to_num(nan=0.0)  # a diverged trajectory is refused
    accepted = uniform < acceptance
    moved = accepted[:, None]
    after = State(
        torch.where(moved, position, state.position),
        torch.where(accepted, log_density, state.log_density),
        torch.where(moved, gradient, state.gradient),
        torch.where(moved, known, state.known),
    )
    return after, Info(acceptance, accepted)
