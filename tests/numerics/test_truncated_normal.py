from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lacuna.numerics import truncated_normal
from lacuna.rng import stream

LIMITS = [(-1.0, 2.0), (0.5, 0.6), (-np.inf, -3.0), (4.0, np.inf), (-np.inf, np.inf), (-8.0, -7.0), (20.0, 21.0)]


@pytest.mark.parametrize(("low", "high"), LIMITS)
def test_moments_are_scipys(low: float, high: float) -> None:
    mean, variance = truncated_normal.moments(np.array([low]), np.array([high]))
    known = stats.truncnorm(low, high)
    assert mean[0] == pytest.approx(known.mean(), rel=1e-6, abs=1e-9)
    assert variance[0] == pytest.approx(known.var(), rel=1e-3)


@pytest.mark.parametrize(("low", "high"), LIMITS)
def test_draws_have_the_distribution_and_stay_inside(low: float, high: float) -> None:
    found = truncated_normal.draw(np.full(2000, low), np.full(2000, high), stream(0, "draws"))
    assert ((found >= low) & (found <= high)).all()
    assert stats.kstest(found, stats.truncnorm(low, high).cdf).pvalue > 1e-3


def test_intervals_of_no_mass_are_no_nan() -> None:
    mean, variance = truncated_normal.moments(np.array([40.0, -1e9]), np.array([41.0, -1e8]))
    assert np.isfinite(mean).all()
    assert np.isfinite(variance).all()
    assert mean[0] == pytest.approx(40.025, abs=0.01)
