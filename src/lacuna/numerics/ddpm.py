"""Denoising diffusion in discrete steps (Ho, Jain, Abbeel 2020) with TabCSDI's noise schedule."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseSchedule:
    """Of steps 0 .. T - 1, each (T,)."""

    signal: Tensor  # sqrt(alpha_bar): x_t = signal x_0 + noise eps
    noise: Tensor  # sqrt(1 - alpha_bar)
    shrink: Tensor  # 1 / sqrt(alpha), of the step back
    correction: Tensor  # beta / sqrt(1 - alpha_bar): how much of the predicted noise the step back takes off
    spread: Tensor  # sd of the step back; 0 at step 0

    def to(self, device: torch.device) -> NoiseSchedule:
        return NoiseSchedule(*(part.float().to(device) for part in astuple(self)))


def quadratic_schedule(steps: int, beta_start: float, beta_end: float) -> NoiseSchedule:
    """float64; the square root of beta rises evenly from that of ``beta_start`` to that of ``beta_end``.

    >>> quadratic_schedule(3, 0.04, 0.16).shrink**-2
    tensor([0.9600, 0.9100, 0.8400], dtype=torch.float64)
    """
    beta = torch.linspace(beta_start**0.5, beta_end**0.5, steps, dtype=torch.float64) ** 2
    kept = (1 - beta).cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), kept[:-1]])
    variance = (1 - before) / (1 - kept) * beta
    return NoiseSchedule(kept.sqrt(), (1 - kept).sqrt(), (1 - beta).rsqrt(), beta / (1 - kept).sqrt(), variance.sqrt())


def step_back(
    state: Tensor,
    predicted: Tensor,
    fresh: Tensor,
    schedule: NoiseSchedule,
    step: Tensor,
    limits: tuple[Tensor, Tensor],
) -> Tensor:
    """x_{t-1} from x_t.

    Args:
        state: x_t (b, w).
        predicted: the noise in it, (b, w).
        fresh: (b, w) standard normal.
        step: t, () int.
        limits: (w,) least and largest x_0. The noise is corrected where x_0 would lie beyond them; without that, an
            error in the first steps back is blown up by all that follow.
    """
    signal, noise, shrink, correction, spread = (part.take(step) for part in astuple(schedule))
    clean = ((state - noise * predicted) / signal).clamp(*limits)
    return shrink * (state - correction * (state - signal * clean) / noise) + spread * fresh
