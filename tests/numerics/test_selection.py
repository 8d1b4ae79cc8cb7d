"""The selection likelihood against quadrature by scipy, known parameters, and the truncated normal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.special import expit
from scipy.stats import norm, truncnorm

from lacuna.numerics.selection import (
    Cells,
    Selected,
    blank_moments,
    draw_blank,
    fit_selected,
    negative_log_likelihood,
    unselected_log_likelihood,
    with_covariance,
)

INTERCEPT, SLOPE, SD = 0.3, 0.8, 0.6


def simulated(k: float, a: float, own_value: bool, n: int, seed: int = 0) -> Cells:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    e = rng.normal(size=n)
    values = INTERCEPT + SLOPE * x + SD * e
    blank = rng.random(n) < expit(k * ((values / SD if own_value else e) - a))
    features = np.stack([np.ones(n), x], axis=1)
    return Cells(features[~blank], values[~blank], features[blank], np.ones(blank.sum()))


def by_quadrature(model: Selected, cells: Cells) -> float:
    """The log likelihood, every blank integrated over its value."""
    line, sd = cells.features @ model.slopes, model.sd
    decides = cells.values / sd if model.own_value else (cells.values - line) / sd
    seen = norm.logpdf(cells.values, line, sd) + np.log1p(-expit(model.k * decides + model.c))
    total = float(seen.sum())
    for center in cells.blank_features @ model.slopes:
        shift = center / sd if model.own_value else 0.0

        def density(e: float, shift: float = shift) -> float:
            return norm.pdf(e) * expit(model.k * (e + shift) + model.c)

        total += np.log(quad(density, -10, 10, points=[-model.c / model.k - shift], limit=200, epsabs=1e-12)[0])
    return total


@pytest.mark.parametrize("own_value", [False, True])
@pytest.mark.parametrize("k", [-20.0, -1.0, 5.0])
def test_likelihood_is_that_of_an_integration_blank_by_blank(k: float, own_value: bool):
    cells = simulated(k, 0.5, own_value, 60)
    model = Selected(np.array([0.2, 0.7]), 0.5, 0.8 * k, -0.4 * k, own_value)
    computed, _ = negative_log_likelihood(model.parameters, cells, own_value)
    assert -computed == pytest.approx(by_quadrature(model, cells), rel=1e-7)


@pytest.mark.parametrize("own_value", [False, True])
def test_gradient_is_the_difference_quotient(own_value: bool):
    cells = simulated(3.0, 0.5, own_value, 200)
    at = np.array([0.2, 0.7, -0.6, 2.0, -0.3])
    slope = approx_fprime(at, lambda x: negative_log_likelihood(x, cells, own_value)[0], 1e-6)
    np.testing.assert_allclose(negative_log_likelihood(at, cells, own_value)[1], slope, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("own_value", [False, True])
@pytest.mark.parametrize("k", [-8.0, 6.0])
def test_fit_recovers_the_parameters(k: float, own_value: bool):
    cells = simulated(k, 0.5, own_value, 6000)
    model = with_covariance(fit_selected(cells, own_value), cells)
    errors = np.sqrt(np.diag(model.covariance))
    known = np.array([INTERCEPT, SLOPE, np.log(SD), k])
    assert (np.abs(model.parameters[:4] - known) < 4 * errors[:4]).all()
    assert errors[:3].max() < 0.05
    assert model.threshold == pytest.approx(0.5, abs=0.1)


def test_threshold_without_a_slope_is_the_edge_of_a_step():
    cells = simulated(1000.0, 0.5, False, 4000)
    model = fit_selected(cells, False)
    assert model.k > 12
    assert [model.threshold, model.sd, *model.slopes] == pytest.approx([0.5, SD, INTERCEPT, SLOPE], abs=0.06)


def test_blanks_at_random_fail_the_test_as_often_as_they_should():
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(120):
        values, n_blank = rng.normal(size=300), 100
        cells = Cells(np.ones((300, 1)), values, np.ones((1, 1)), np.array([n_blank]))
        fit = fit_selected(cells, False)
        ratios.append(2 * (fit.log_likelihood - unselected_log_likelihood(values - values.mean(), n_blank)))
    assert 0.01 <= np.mean(np.array(ratios) > 3.84) <= 0.10  # 0.05 by the chi-square law, +- 0.02
    assert min(ratios) > -1e-3


def test_moments_without_selection_are_those_of_the_normal():
    total, mean, sd = blank_moments(0.0, np.array([-1.0, 2.0]))
    np.testing.assert_allclose(total, expit([-1.0, 2.0]), rtol=1e-9)
    np.testing.assert_allclose(mean, 0, atol=1e-9)
    np.testing.assert_allclose(sd, 1, rtol=1e-9)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_steep_sigmoid_leaves_the_truncated_normal(sign: float):
    k, a = 20.0 * sign, 0.5
    exact = truncnorm(a, np.inf) if sign > 0 else truncnorm(-np.inf, a)
    _, mean, sd = blank_moments(k, np.array([-k * a]))
    drawn = draw_blank(k, np.array([-k * a]), 20_000, np.random.default_rng(0))[:, 0]
    for found in (mean[0], drawn.mean()):
        assert found == pytest.approx(exact.mean(), abs=0.02)
    for found in (sd[0], drawn.std()):
        assert found == pytest.approx(exact.std(), abs=0.02)


def test_draws_have_the_moments_of_each_offset():
    offset = np.array([-3.0, -0.4, 1.3])
    drawn = draw_blank(2.0, offset, 40_000, np.random.default_rng(0))
    _, mean, sd = blank_moments(2.0, offset)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(drawn.std(0), sd, atol=0.02)
