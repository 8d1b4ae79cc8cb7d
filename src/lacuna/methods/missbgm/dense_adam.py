"""Adam on a whole table at the cost of a mini-batch: the other rows get the steps of their momentum later, at once.

An optimiser that holds a whole table of row variables, but sees gradients for a batch of rows only, treats the
others as having gradient 0: their momentum fades and still moves them. For k such steps in a row the movement has
a closed form, so a row can be left alone and brought up to date when it is next needed.

With m and v the moments after step t, k later steps without a gradient leave m b1^k and v b2^k, and step t + i
moves the variable by rate(t + i) m b1^i / sqrt(v b2^i), where rate(t) = lr sqrt(1 - b2^t) / (1 - b1^t) holds the
bias corrections. With r = b1 / sqrt(b2) the sum is m / sqrt(v) times W(t, k) = sum over i = 1..k of r^i rate(t + i);
with the infinite sums T(t) = W(t, infinity), W(t, k) = T(t) - r^k T(t + k).
The one approximation: the epsilon beside sqrt(v) is taken to fade along with it, which moves the result by a few
percent of epsilon / sqrt(v), itself near 1e-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lacuna.backend.private import fused_adam_


@dataclass(frozen=True)
class Adam:
    """The settings of Adam (Kingma and Ba 2014); without decay of the weights."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.99)
    epsilon: float = 1e-7

    @property
    def fade(self) -> float:
        """The factor by which the movement shrinks with each step without a gradient: r of the module's text."""
        return self.betas[0] / self.betas[1] ** 0.5

    def coasts(self) -> np.ndarray:
        """T(t) of the module's text for lr 1 at index t, up to where the bias corrections are over and it stays."""
        if self.fade >= 1:
            raise ValueError(f"momentum must fade: beta1 / sqrt(beta2) must be below 1, got {self.fade:.3f}")
        b1, b2 = self.betas
        n_steps = int(np.log(1e-17) / np.log(max(self.betas)))
        t = np.arange(1, n_steps + 1)
        rates = np.sqrt(1 - b2**t) / (1 - b1**t)
        total = np.empty(n_steps + 1)
        total[-1] = self.fade / (1 - self.fade)
        for i in range(n_steps - 1, -1, -1):
            total[i] = self.fade * (rates[i] + total[i + 1])
        return total


class AdamMoments(NamedTuple):
    """First and second moment of each variable, shaped like it."""

    mean: Tensor
    square: Tensor


def no_moments(variable: Tensor) -> AdamMoments:
    """Of a variable that has seen no gradient yet."""
    return AdamMoments(torch.zeros_like(variable), torch.zeros_like(variable))


def step_(
    variables: Sequence[Tensor],
    gradients: Sequence[Tensor],
    states: Sequence[AdamMoments],
    time: Tensor,
    adam: Adam,
    divisor: Tensor | None = None,
) -> None:
    """One Adam step in place.

    Args:
        time: () float, the number of this step, from 1.
        divisor: () that gradients are divided by first; they may be overwritten by that.
    """
    fused_adam_(
        list(variables),
        list(gradients),
        [s.mean for s in states],
        [s.square for s in states],
        [],
        [time] * len(variables),
        lr=adam.lr,
        beta1=adam.betas[0],
        beta2=adam.betas[1],
        weight_decay=0.0,
        eps=adam.epsilon,
        amsgrad=False,
        maximize=False,
        grad_scale=divisor,
    )


class Missed(NamedTuple):
    """What k steps without a gradient do to each of b rows."""

    weight: Tensor  # (b, 1) W(t, k) of the module's text for lr 1
    fade_mean: Tensor  # (b, 1) b1^k
    fade_square: Tensor  # (b, 1) b2^k


def missed(coasts: Tensor, last: Tensor, now: Tensor, adam: Adam) -> Missed:
    """For rows current after step ``last`` (b,) int that are to be current after step ``now`` () int."""
    k = (now - last)[:, None].to(coasts.dtype)
    end = len(coasts) - 1
    # take, not [now]: indexing by a number would ask the device for it
    weight = coasts.take(last.clamp(max=end))[:, None] - adam.fade**k * coasts.take(now.clamp(max=end)[None])
    return Missed(weight, adam.betas[0] ** k, adam.betas[1] ** k)


def coast(variable: Tensor, state: AdamMoments, steps: Missed, adam: Adam) -> tuple[Tensor, AdamMoments]:
    """``variable`` (b, q) and its moments after the steps that it missed."""
    slope = state.mean / (state.square.sqrt() + adam.epsilon)
    moved = torch.addcmul(variable, slope, steps.weight, value=-adam.lr)
    return moved, AdamMoments(state.mean * steps.fade_mean, state.square * steps.fade_square)
