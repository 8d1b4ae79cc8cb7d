"""Adaptation of step sizes to a target acceptance rate, as pure functions of tensors.

Each rule is an initial state and an update; the state's ``log_step`` is (1,), shared by all chains, or (n, 1) for
one of each. No update looks at a value on the host, so that a whole sweep may be captured in one CUDA graph.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Rule = Literal["simple", "dual_averaging", "per_row"]
RULES = ("simple", "dual_averaging", "per_row")

FACTOR = 1.01  # of the simple rule
# Of dual averaging: Hoffman and Gelman 2014, section 3.2, in their symbols
GAMMA, T_0, KAPPA = 0.05, 10.0, 0.75


class StepSize(NamedTuple):
    """State of the adaptation."""

    log_step: Tensor  # (1, 1) or (n, 1): log of the step size in use
    log_mean: Tensor  # its weighted average over the steps so far, dual averaging's final answer
    shortfall: Tensor  # running mean of the wanted minus the reached acceptance
    n_updates: Tensor  # () updates so far
    anchor: Tensor  # (): where dual averaging is drawn to, log of ten times the initial step size

    @property
    def size(self) -> Tensor:
        return self.log_step.exp()


def initial(step_size: float, rule: Rule, n_chains: int, device: torch.device | None = None) -> StepSize:
    """The state before any update.

    ``simple`` and ``dual_averaging`` share one step size between the chains; ``per_row`` is dual averaging for
    each chain by itself.
    """
    if rule not in RULES:
        raise ValueError(f"adaptation must be one of {RULES}, got {rule!r}")
    if not step_size > 0:
        raise ValueError(f"step_size must be positive, got {step_size}")
    shape = (n_chains if rule == "per_row" else 1, 1)
    log_step = torch.full(shape, math.log(step_size), device=device)
    anchor = torch.tensor(math.log(10 * step_size), device=device)
    return StepSize(log_step, log_step.clone(), torch.zeros_like(log_step), torch.zeros((), device=device), anchor)


def adapt(state: StepSize, acceptance: Tensor, target: float, rule: Rule) -> StepSize:
    """Take the acceptance probabilities of a step: (n, 1) with ``per_row``, else their mean over chains, (1, 1)."""
    if rule == "simple":
        change = torch.where(acceptance > target, math.log(FACTOR), -math.log(FACTOR))
        log_step = state.log_step + change
        return state._replace(log_step=log_step, log_mean=log_step, n_updates=state.n_updates + 1)
    count = state.n_updates + 1
    weight = 1 / (count + T_0)
    shortfall = (1 - weight) * state.shortfall + weight * (target - acceptance)
    log_step = state.anchor - count.sqrt() / GAMMA * shortfall
    forget = count**-KAPPA
    log_mean = forget * log_step + (1 - forget) * state.log_mean
    return StepSize(log_step, log_mean, shortfall, count, state.anchor)


def freeze(state: StepSize) -> StepSize:
    """The state to sample with once adaptation is over."""
    return state._replace(log_step=state.log_mean)
