from __future__ import annotations

import torch

from lacuna.numerics.ddpm import quadratic_schedule, step_back


def test_the_schedule_ends_in_noise_and_starts_in_the_data():
    schedule = quadratic_schedule(150, 1e-4, 0.5)
    torch.testing.assert_close(schedule.signal**2 + schedule.noise**2, torch.ones(150, dtype=torch.double))
    assert schedule.signal[0] ** 2 == 1 - 1e-4
    assert schedule.signal[-1] < 1e-6
    assert schedule.spread[0] == 0
    assert (schedule.signal.diff() < 0).all()


def test_steps_back_with_the_exact_noise_of_a_gaussian_end_in_that_gaussian():
    """For x_0 ~ N(m, v), the best prediction of the noise is linear in x_t, and known."""
    mean, variance = 1.5, 0.36
    schedule = quadratic_schedule(400, 1e-4, 0.1)
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(20_000, 1, generator=generator, dtype=torch.double)
    for t in reversed(range(400)):
        signal, noise = schedule.signal[t], schedule.noise[t]
        exact = noise * (state - signal * mean) / (signal**2 * variance + noise**2)
        fresh = torch.randn(state.shape, generator=generator, dtype=torch.double)
        state = step_back(state, exact, fresh, schedule, torch.tensor(t))
    assert abs(state.mean() - mean) < 0.02
    assert abs(state.std() - variance**0.5) < 0.02
