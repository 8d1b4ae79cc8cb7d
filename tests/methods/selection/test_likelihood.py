"""The selection likelihood against quadrature by scipy, known parameters, and the truncated normal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm, truncnorm

from lacuna.methods.selection.likelihood import (
    Cells,
    Selected,
    blank_moments,
    draw_blank,
    fit_selected,
    left_out_means,
    pooled,
    unselected_log_likelihood,
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


def likeliest(fits: list[Selected]) -> Selected:
    return max(fits, key=lambda fit: fit.log_likelihood)


@pytest.mark.parametrize("own_value", [False, True])
@pytest.mark.parametrize("k", [-20.0, -1.0, 5.0])
def test_likelihood_is_that_of_an_integration_blank_by_blank(k: float, own_value: bool):
    cells = simulated(k, 0.5, own_value, 60)
    (model,) = fit_selected(cells, own_value, np.array([0.8 * k]))
    assert model.log_likelihood == pytest.approx(by_quadrature(model, cells), rel=1e-7)


@pytest.mark.parametrize("own_value", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 30.0])
def test_each_k_has_its_best_parameters_whose_curvature_is_the_covariance(own_value: bool, penalty: float):
    """Against difference quotients of the likelihood that is integrated by scipy."""
    cells = simulated(3.0, 0.5, own_value, 60)
    (model,) = fit_selected(cells, own_value, np.array([2.0]), penalty=np.array([0.0, penalty]))

    def loss(at: np.ndarray) -> float:
        sd = 1 / at[2]
        moved = Selected(at[:2] * sd, sd, 2.0, at[3], own_value)
        return penalty * at[1] ** 2 / 2 - by_quadrature(moved, cells)

    at, steps = model.parameters, 1e-3 * np.eye(4)
    slope = [(loss(at + step) - loss(at - step)) / 2e-3 for step in steps]
    np.testing.assert_allclose(slope, 0, atol=2e-3)
    bend = [(loss(at + step) - 2 * loss(at) + loss(at - step)) / 1e-6 for step in steps]
    np.testing.assert_allclose(bend, np.diag(np.linalg.inv(model.covariance)), rtol=0.01)


def test_values_counted_together_are_values_one_by_one():
    cells = simulated(3.0, 0.5, False, 50)
    twice = Cells(*(np.concatenate([part, part]) for part in cells[:4]))
    weighed = cells._replace(weights=np.full(len(cells.values), 2.0), counts=2 * cells.counts)
    for one, other in zip(fit_selected(twice, False), fit_selected(weighed, False), strict=True):
        np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-5)


@pytest.mark.parametrize("own_value", [False, True])
@pytest.mark.parametrize("k", [-8.0, 6.0])
def test_fit_recovers_the_parameters(k: float, own_value: bool):
    cells = simulated(k, 0.5, own_value, 4000)
    model = likeliest(fit_selected(cells, own_value))
    known = np.array([INTERCEPT, SLOPE, SD])
    np.testing.assert_allclose([*model.slopes, model.sd], known, atol=0.07)
    assert 0.6 < model.k / k < 1.6  # neighbours on the grid are half as much again
    assert model.threshold == pytest.approx(0.5, abs=0.1)


def test_a_value_left_out_is_predicted_as_by_the_fit_without_it():
    cells = simulated(3.0, 0.5, False, 80)
    (model,) = fit_selected(cells, False, np.array([3.0]))
    found = left_out_means(model, cells)
    exact = []
    for i in range(20):
        rest = cells._replace(features=np.delete(cells.features, i, 0), values=np.delete(cells.values, i))
        (alone,) = fit_selected(rest, False, np.array([3.0]))
        exact.append(cells.features[i] @ alone.slopes)
    whole = cells.features[:20] @ model.slopes
    assert np.corrcoef(found[:20] - whole, np.array(exact) - whole)[0, 1] > 0.9


def test_threshold_without_a_slope_is_the_edge_of_a_step():
    cells = simulated(1000.0, 0.5, False, 4000)
    model = likeliest(fit_selected(cells, False))
    assert model.k > 12
    assert [model.threshold, model.sd, *model.slopes] == pytest.approx([0.5, SD, INTERCEPT, SLOPE], abs=0.06)


def test_columns_that_say_little_follow_those_that_say_much():
    clear, vague = np.array([0.0, -9.0, -9.0]), np.array([0.0, -0.5, 0.5])
    together = pooled(np.stack([clear] * 30 + [vague]))
    assert together[-1].argmax() == 0
    assert pooled(vague[None])[0].argmax() == 2
    np.testing.assert_allclose(together.sum(1), 1)
    assert pooled(np.array([[-np.inf, 0.0]])).tolist() == [[0.0, 1.0]]


def test_blanks_at_random_fail_the_test_as_often_as_they_should():
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(120):
        values, n_blank = rng.normal(size=300), 100
        cells = Cells(np.ones((300, 1)), values, np.ones((1, 1)), np.array([n_blank]))
        fit = likeliest(fit_selected(cells, False))
        ratios.append(2 * (fit.log_likelihood - unselected_log_likelihood(values - values.mean(), n_blank)))
    assert 0.01 <= np.mean(np.array(ratios) > 3.84) <= 0.10  # 0.05 by the chi-square law, +- 0.02


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
