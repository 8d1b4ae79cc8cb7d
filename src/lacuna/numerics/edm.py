"""Elucidated diffusion: preconditioning, loss and sampler of Karras et al. 2022 (arXiv:2206.00364).

Symbols as in the paper: ``sigma`` noise level, ``sigma_data`` sd of the data, D(x; sigma) the denoiser built from
a raw network F(x, c_noise) by the coefficients of its Table 1. States are (n, width); a noise level is a scalar
tensor or (n, 1).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]  # (state (n, width), sigma) -> denoised (n, width)
Network = Callable[[Tensor, Tensor], Tensor]  # (scaled state (n, width), c_noise () or (n, 1)) -> (n, width)
# (state, known, is_known, sigma, sigma_next, renoise) -> state at sigma_next, or at sigma again; see inpainting_step
Step = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

P_MEAN, P_STD = -1.2, 1.2  # log sigma in training, Table 1


def denoise(network: Network, state: Tensor, sigma: Tensor, sigma_data: float) -> Tensor:
    """D(x; sigma) = c_skip x + c_out F(c_in x, c_noise)."""
    total = sigma**2 + sigma_data**2
    c_skip = sigma_data**2 / total
    c_out = sigma * sigma_data / total.sqrt()
    c_in = 1 / total.sqrt()
    c_noise = sigma.log() / 4
    return c_skip * state + c_out * network(c_in * state, c_noise).to(state.dtype)


def regression(clean: Tensor, noise: Tensor, sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor, Tensor]:
    """What the raw network is trained on: inputs c_in y, c_noise and targets of F, for y = clean + sigma noise.

    The mean squared error of F is the mean over cells of lambda(sigma) |D(y; sigma) - clean|^2, since
    lambda = 1 / c_out^2.
    """
    root = (sigma**2 + sigma_data**2).sqrt()
    target = (sigma * clean - sigma_data**2 * noise) / (sigma_data * root)  # (clean - c_skip y) / c_out
    return (clean + sigma * noise) / root, sigma.log() / 4, target


def training_sigma(normal: Tensor) -> Tensor:
    """Noise levels of a training batch from standard normal numbers of the same shape."""
    return (P_STD * normal + P_MEAN).exp()


def noise_levels(n_steps: int, sigma_min: float, sigma_max: float, rho: float) -> Tensor:
    """The n_steps + 1 sampling noise levels, from sigma_max down to sigma_min and then 0 (equation 5).

    >>> noise_levels(3, 0.002, 80.0, 7.0)
    tensor([8.0000e+01, 2.5152e+00, 2.0000e-03, 0.0000e+00])
    """
    ramp = torch.linspace(0, 1, n_steps, dtype=torch.float64)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)]).float()


def heun_step(
    denoiser: Denoiser,
    state: Tensor,
    sigma: Tensor,
    sigma_next: Tensor,
    noise: Tensor,
    churn: float,
    correct: bool,
) -> Tensor:
    """One stochastic Heun step from ``sigma`` to ``sigma_next`` (Algorithm 2).

    Args:
        noise: standard normal, shaped like the state.
        churn: relative noise increase gamma before the step.
        correct: apply the second-order correction; not possible where sigma_next is 0.
    """
    sigma_hat = sigma * (1 + churn)
    state_hat = state + (sigma_hat**2 - sigma**2).sqrt() * noise
    slope = (state_hat - denoiser(state_hat, sigma_hat)) / sigma_hat
    moved = state_hat + (sigma_next - sigma_hat) * slope
    if not correct:
        return moved
    slope_there = (moved - denoiser(moved, sigma_next)) / sigma_next
    return state_hat + (sigma_next - sigma_hat) * (slope + slope_there) / 2


def inpainting_step(
    denoiser: Denoiser,
    state: Tensor,
    known: Tensor,
    is_known: Tensor,
    noise: Tensor,
    sigma: Tensor,
    sigma_next: Tensor,
    renoise: Tensor,
    churn: float,
    correct: bool,
) -> Tensor:
    """One repeat at one noise level of conditional sampling: lines 4 to 7 of Diff-Joint's Algorithm 3.

    A Heun step to ``sigma_next``, known coordinates replaced by their forward-noised values there and, when
    another repeat follows, noise back to ``sigma`` (the resampling of RePaint, Lugmayr et al. 2022).

    Args:
        known: (n, width) clean values, read where ``is_known``.
        noise: (3, n, width) standard normal.
        renoise: scalar, 1 when another repeat follows at this level, else 0.
    """
    s_obs, omega = known, is_known
    s_reverse = heun_step(denoiser, state, sigma, sigma_next, noise[0], churn, correct)  # line 6
    s_forward = s_obs + sigma_next * noise[1]  # lines 4 and 5
    s = torch.where(omega, s_forward, s_reverse)  # line 7
    return s + renoise * (sigma**2 - sigma_next**2).sqrt() * noise[2]


def conditional_sample(
    step: Step, last_step: Step, noise: Tensor, known: Tensor, is_known: Tensor, levels: Tensor, n_repeats: int
) -> Tensor:
    """States given their known coordinates: Algorithm 3 of Diff-Joint, all its k and all rows side by side.

    Args:
        step: ``inpainting_step`` with the second-order correction; it draws its own noise.
        last_step: the same without the correction, for the move to noise level 0.
        noise: (n, width) standard normal, the start.
        known: (n, width) clean values, read where ``is_known``.
        levels: (M + 1,) noise levels, falling to 0.
        n_repeats: steps from each level to the next; all but the last are followed by noise back to the level.

    Returns:
        (n, width); known coordinates as given.
    """
    s_obs, omega, sigma, M = known, is_known, levels, len(levels) - 1
    renoise = torch.tensor([0.0, 1.0], device=levels.device)
    s = sigma[0] * noise  # line 2; the paper counts down, so that its sigma(t_M) is sigma[0] and its sigma(t_0) is 0
    for i in range(M):  # line 3
        reverse_and_merge = step if i < M - 1 else last_step
        for repeat in range(n_repeats):
            again = renoise[int(repeat < n_repeats - 1)]
            s = reverse_and_merge(s, s_obs, omega, sigma[i], sigma[i + 1], again)  # lines 4 to 7
    return s  # line 8
