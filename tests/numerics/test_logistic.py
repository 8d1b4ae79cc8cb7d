"""Newton's method against scikit-learn's solver and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from lacuna.numerics.logistic import LogisticFit, fit_logistic


def fitted(design: np.ndarray, outcome: np.ndarray, penalty: np.ndarray) -> LogisticFit:
    start = np.zeros(design.shape[1])
    return fit_logistic(design, outcome, penalty, start, lambda step: np.clip(step, -2, 2), 1e-9, 50)


@pytest.mark.parametrize("seed", range(3))
def test_coefficients_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(400, 4))
    outcome = rng.random(400) < expit(features @ [1.0, -2.0, 0.5, 0.0] - 1)
    found = fitted(np.column_stack([features, np.ones(400)]), outcome, np.array([2.0, 2.0, 2.0, 2.0, 0.0]))
    other = LogisticRegression(C=1 / 2.0, solver="newton-cholesky", tol=1e-10).fit(features, outcome)
    np.testing.assert_allclose(found.coefficients, [*other.coef_[0], *other.intercept_], atol=1e-6)


def test_an_intercept_alone_is_the_log_odds_and_its_curvature_the_information() -> None:
    outcome = np.arange(100) < 30
    found = fitted(np.ones((100, 1)), outcome, np.zeros(1))
    assert found.coefficients == pytest.approx([logit(0.3)])
    assert found.curvature == pytest.approx(np.array([[100 * 0.3 * 0.7]]))


def test_separable_outcomes_have_finite_coefficients_where_the_gradient_vanishes() -> None:
    x = np.linspace(-1, 1, 60)
    design, outcome, penalty = np.column_stack([np.ones(60), x]), x > 0, np.array([1e-6, 0.02])
    at = fitted(design, outcome, penalty).coefficients
    np.testing.assert_allclose(design.T @ (outcome - expit(design @ at)), penalty * at, atol=1e-8)
    assert 10 < at[1] < 1000
