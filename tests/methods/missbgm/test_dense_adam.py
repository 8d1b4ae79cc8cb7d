"""Rows brought up to date in closed form against torch's Adam on all rows at every step."""

from __future__ import annotations

import pytest
import torch

from lacuna.methods.missbgm.dense_adam import Adam, AdamMoments, coast, missed, no_moments, step_

N_ROWS, BATCH, N_STEPS = 40, 4, 600


def both_ways(scale: float, adam: Adam) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Start, and end with and without touching rows out of the batch; gradients are of order ``scale``."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(N_ROWS, 3, generator=generator, dtype=torch.float64)
    whole = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([whole], lr=adam.lr, betas=adam.betas, eps=adam.epsilon)
    lazy, state = start.clone(), no_moments(start)
    last, coasts = torch.zeros(N_ROWS, dtype=torch.long), torch.tensor(adam.coasts())
    for t in range(N_STEPS):
        rows = torch.randperm(N_ROWS, generator=generator)[:BATCH]
        noise = 0.3 * torch.randn(BATCH, 3, generator=generator, dtype=torch.float64)

        whole.grad = torch.zeros_like(whole)
        whole.grad[rows] = scale * (whole.detach()[rows] - 1 + noise)
        optimizer.step()

        gap = missed(coasts, last[rows], torch.tensor(t), adam)
        mine, moments = coast(lazy[rows], AdamMoments(state.mean[rows], state.square[rows]), gap, adam)
        step_([mine], [scale * (mine - 1 + noise)], [moments], torch.tensor(t + 1.0), adam)
        lazy[rows], state.mean[rows], state.square[rows] = mine, moments.mean, moments.square
        last[rows] = t + 1
    gap = missed(coasts, last, torch.tensor(N_STEPS), adam)
    return start, whole.detach(), coast(lazy, state, gap, adam)[0]


@pytest.mark.parametrize(("scale", "tolerance"), [(1.0, 1e-6), (1e-3, 2e-4), (1e-5, 5e-3)])
def test_closed_form_is_dense_adam(scale: float, tolerance: float) -> None:
    """Up to epsilon / sqrt(v): gradients of 1e-3 are those of a table of 50 columns, of 1e-5 of 5,000."""
    start, dense, lazy = both_ways(scale, Adam(0.01))
    path = (dense - start).abs().mean()
    assert path > 0.5
    assert (dense - lazy).abs().max() < tolerance * path


def test_no_missed_steps_change_nothing() -> None:
    adam, variable = Adam(0.01), torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    state = AdamMoments(torch.rand(5, 2), torch.rand(5, 2))
    now = torch.tensor(7)
    gap = missed(torch.tensor(adam.coasts()).float(), now.expand(5), now, adam)
    moved, after = coast(variable, state, gap, adam)
    torch.testing.assert_close(moved, variable)
    torch.testing.assert_close(after.square, state.square)


def test_most_of_the_path_comes_from_momentum() -> None:
    """After one step and a long rest a row has moved nearly 1 / (1 - b1 / sqrt(b2)) times as far as by the step."""
    adam = Adam(0.01)
    one = torch.zeros(1, 1, dtype=torch.float64)
    state = no_moments(one)
    time = torch.tensor(5000.0)  # bias corrections are over
    step_([one], [torch.ones_like(one)], [state], time, adam)
    alone = one.clone()
    gap = missed(torch.tensor(adam.coasts()), torch.tensor([5000]), torch.tensor(6000), adam)
    rested, _ = coast(one, state, gap, adam)
    assert float(rested / alone) == pytest.approx(1 / (1 - adam.fade), rel=1e-3)


def test_momentum_that_does_not_fade_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum must fade"):
        Adam(0.01, betas=(0.9, 0.5)).coasts()
