from __future__ import annotations

import torch

from lacuna.numerics.ddpm import quadratic_schedule, step_back

ANYWHERE = torch.tensor(-torch.inf), torch.tensor(torch.inf)


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
        state = step_back(state, exact, fresh, schedule, torch.tensor(t), ANYWHERE)
    assert abs(state.mean() - mean) < 0.02
    assert abs(state.std() - variance**0.5) < 0.02


def test_a_prediction_that_is_far_off_cannot_leave_the_limits():
    """With no noise predicted at all, the last step would end near x_T / signal_T, in the hundreds of thousands."""
    schedule = quadratic_schedule(100, 1e-4, 0.5)
    limits = torch.tensor([-1.0, 0.0], dtype=torch.double), torch.tensor([2.0, 0.5], dtype=torch.double)
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(50, 2, generator=generator, dtype=torch.double)
    for t in reversed(range(100)):
        fresh = torch.randn(state.shape, generator=generator, dtype=torch.double)
        state = step_back(state, torch.zeros_like(state), fresh, schedule, torch.tensor(t), limits)
    assert ((state >= limits[0] - 1e-6) & (state <= limits[1] + 1e-6)).all()


def test_limits_change_nothing_where_the_predicted_value_lies_within_them():
    schedule = quadratic_schedule(20, 1e-4, 0.5)
    clean, noise, fresh = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    for t in (0, 9, 19):
        state, limits = schedule.signal[t] * clean + schedule.noise[t] * noise, (clean.amin(0), clean.amax(0))
        steps = [step_back(state, noise, fresh, schedule, torch.tensor(t), among) for among in (limits, ANYWHERE)]
        torch.testing.assert_close(*steps)
