"""Tilted residuals against the Gaussian, whose exponential tilt is a shift."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2

from lacuna.methods.selection.tilting import Residuals, beyond_prediction, fit_slope, shrink


def test_tilt_of_a_gaussian_is_a_shift_by_slope_times_variance():
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=4000)
    residuals = Residuals.of(predicted, 0.7 * rng.normal(size=4000))
    at = np.linspace(-1, 1, 500)
    assert residuals.shift(at, 0.8).mean() == pytest.approx(0.8 * 0.49, abs=0.03)
    np.testing.assert_allclose(residuals.shift(at, 0.0), 0, atol=1e-12)
    drawn = residuals.draw(at, 0.8, 200, rng)
    assert drawn.mean() == pytest.approx(0.8 * 0.49, abs=0.03)
    assert drawn.std() == pytest.approx(0.7, abs=0.04)


def test_residuals_follow_the_prediction():
    rng = np.random.default_rng(0)
    predicted = rng.uniform(size=4000)
    residuals = Residuals.of(predicted, (0.1 + predicted) * rng.normal(size=4000))
    drawn = residuals.draw(np.array([0.1, 0.9]), 0.0, 4000, rng).std(0)
    np.testing.assert_allclose(drawn, [0.2, 1.0], atol=0.1)


def test_slope_is_that_of_the_value_behind():
    """Blank by the value; what is predicted among the observed tells the slope all the same."""
    rng = np.random.default_rng(0)
    n, kappa, sd = 40_000, -0.8, 0.6
    center = rng.normal(size=n)
    blank = rng.random(n) < expit(kappa * (center + sd * rng.normal(size=n)) - 1)
    fit = fit_slope(center, blank)
    assert fit.slope == pytest.approx(kappa, abs=4 * fit.error)
    assert fit.error < 0.03
    assert fit.ratio > 100


def test_separated_data_have_a_finite_slope():
    fit = fit_slope(np.linspace(-1, 1, 50), np.linspace(-1, 1, 50) > 0)
    assert np.isfinite([*fit]).all()
    assert fit.slope > 2


def test_slopes_are_drawn_to_what_they_have_in_common():
    rng = np.random.default_rng(0)
    errors = np.full(30, 0.3)
    alike, sds = shrink(-0.6 + errors * rng.normal(size=30), errors)
    np.testing.assert_allclose(alike, -0.6, atol=0.15)
    assert sds.max() < 0.3
    different = np.repeat([-1.0, 1.0], 15)
    kept, _ = shrink(different + 0.1 * rng.normal(size=30), np.full(30, 0.1))
    np.testing.assert_allclose(kept, different, atol=0.4)


def test_a_single_column_stands_for_itself():
    assert shrink(np.array([0.9]), np.array([0.3]))[0][0] == pytest.approx(0.9)
    assert shrink(np.array([0.5]), np.array([0.3]))[0][0] == 0


def test_blanks_that_go_with_the_prediction_alone_go_with_nothing_beyond_it():
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(300):
        features = rng.normal(size=(400, 3))
        prediction = features @ [1.0, 0.5, 0.0]
        p_values.append(chi2.sf(*beyond_prediction(prediction, rng.random(400) < expit(prediction), features)))
    assert np.mean(np.array(p_values) < 0.2) == pytest.approx(0.2, abs=0.07)
    blank = rng.random(400) < expit(features[:, 2])
    assert chi2.sf(*beyond_prediction(prediction, blank, features)) < 1e-3
