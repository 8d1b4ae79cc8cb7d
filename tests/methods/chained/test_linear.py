"""The small regressions against closed forms and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lacuna.methods.chained.linear import MultinomialRidge, WeightedRidge, least_penalty


@pytest.mark.parametrize(("n", "f"), [(30, 4), (12, 40)])
def test_left_out_errors_are_those_of_fits_without_the_row(n: int, f: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(n, f)), rng.exponential(size=n)
    w *= n / w.sum()
    y = x[:, 0] + rng.normal(size=n)
    fit = WeightedRidge.fit(x, y, w, 3.0)
    for i in range(3):
        # the penalty is held in sums over rows, so that rows left out take their weight with them
        others = np.delete(np.arange(n), i)
        design = np.column_stack([np.ones(n), x])
        penalty = 3.0 * np.diag([0.0] + [1.0] * f)
        beta = np.linalg.solve((design[others].T * w[others]) @ design[others] + penalty, design[others].T * w[others])
        assert fit.left_out[i] == pytest.approx(y[i] - design[i] @ beta @ y[others], rel=1e-6)


def test_degrees_of_freedom_without_a_penalty_are_the_number_of_parameters() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    assert WeightedRidge.fit(x, x[:, 0], np.ones(50), 1e-9).freedom == pytest.approx(4)


def test_least_penalty_is_slight_for_a_clear_relation_and_not_for_noise() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 30))
    assert least_penalty(x, x @ np.ones(30) + 0.1 * rng.normal(size=60)) < 0.01
    assert least_penalty(x, rng.normal(size=60)) > 0.1


@pytest.mark.parametrize("n_levels", [2, 3])
def test_multinomial_is_that_of_scikit_learn(n_levels: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(200, 3)), rng.exponential(size=200)
    y = (x[:, 0] + rng.logistic(size=200) > 0) + (n_levels > 2) * (x[:, 1] > 0.5) * 1
    ours = MultinomialRidge.fit(x, y.astype(float), n_levels, w, 2.0).predict(x)
    theirs = LogisticRegression(C=1 / (1.0 if n_levels == 2 else 2.0), tol=1e-10, max_iter=1000).fit(x, y, w)
    # with two levels scikit-learn has one vector of weights, and so twice the weights on half the penalty
    np.testing.assert_allclose(ours, theirs.predict_proba(x), atol=5e-3)


def test_a_level_that_no_row_has_stays_possible() -> None:
    x = np.random.default_rng(0).normal(size=(20, 1))
    p = MultinomialRidge.fit(x, (x[:, 0] > 0) * 2.0, 3, np.ones(20), 1.0).predict(x)
    assert (p[:, 1] > 0).all()
    assert p[:, 1].max() < 0.2
