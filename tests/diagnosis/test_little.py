"""Little's test: a closed form, the likelihood by a general optimiser, and its level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2, kstest, multivariate_normal

from lacuna.diagnosis.little import LittleTest, gaussian_em, little_test
from lacuna.rng import stream


def correlated(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    return rng.normal(size=(n, 1)) + rng.normal(size=(n, p))


def test_two_columns_of_which_one_has_blanks_have_a_closed_form() -> None:
    rng = stream(0, "little")
    x = correlated(rng, 300, 2)
    lost = rng.random(300) < 0.3 + 0.2 * (x[:, 0] > 0)
    x[lost, 1] = np.nan
    complete = x[~lost]
    # all rows give the first column's mean and variance, the complete ones the regression of the second on it
    mean_1, var_1 = x[:, 0].mean(), x[:, 0].var()
    slope = np.cov(complete.T, bias=True)[0, 1] / complete[:, 0].var()
    residual = complete[:, 1].var() - slope**2 * complete[:, 0].var()
    mean = np.array([mean_1, complete[:, 1].mean() + slope * (mean_1 - complete[:, 0].mean())])
    covariance = np.array([[var_1, slope * var_1], [slope * var_1, residual + slope**2 * var_1]])
    apart = complete.mean(0) - mean
    statistic = len(complete) * apart @ np.linalg.solve(covariance, apart)
    statistic += lost.sum() * (x[lost, 0].mean() - mean_1) ** 2 / var_1
    found = little_test(x)
    assert isinstance(found, LittleTest)
    assert (found.freedom, found.patterns) == (1, 2)
    assert found.statistic == pytest.approx(statistic, rel=1e-3)
    assert found.p_value == pytest.approx(chi2.sf(statistic, 1), rel=1e-2)


def test_em_reaches_the_maximum_of_the_likelihood() -> None:
    rng = stream(1, "little")
    x = correlated(rng, 120, 3)
    x[rng.random(x.shape) < 0.25] = np.nan
    x = x[~np.isnan(x).all(1)]

    def minus_log_likelihood(parameters: np.ndarray) -> float:
        root = np.zeros((3, 3))
        root[np.tril_indices(3)] = parameters[3:]
        covariance = root @ root.T + 1e-9 * np.eye(3)
        total = 0.0
        for seen in np.unique(~np.isnan(x), axis=0):
            rows = x[(~np.isnan(x) == seen).all(1)][:, seen]
            total -= multivariate_normal(parameters[:3][seen], covariance[np.ix_(seen, seen)]).logpdf(rows).sum()
        return total

    mean, covariance, *_ = gaussian_em(x, tolerance=1e-9, steps=2000)
    start = np.r_[np.zeros(3), np.eye(3)[np.tril_indices(3)]]
    best = minimize(minus_log_likelihood, start, method="BFGS")
    found = np.r_[mean, np.linalg.cholesky(covariance)[np.tril_indices(3)]]
    assert minus_log_likelihood(found) <= best.fun + 1e-5
    np.testing.assert_allclose(found, best.x, atol=2e-3)


def test_units_do_not_matter() -> None:
    rng = stream(2, "little")
    x = correlated(rng, 400, 4)
    x[rng.random(x.shape) < 0.2] = np.nan
    one, other = little_test(x), little_test(x * [1, 1e6, 1e-6, 3] + [5, 1e7, 0, -2])
    assert isinstance(one, LittleTest)
    assert isinstance(other, LittleTest)
    assert one.statistic == pytest.approx(other.statistic, rel=1e-6)


def test_values_that_drive_blanks_are_found() -> None:
    rng = stream(3, "little")
    x = correlated(rng, 500, 3)
    x[x[:, 0] + rng.normal(size=500) > 1, 2] = np.nan
    found = little_test(x)
    assert isinstance(found, LittleTest)
    assert found.p_value < 1e-6


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones((5, 1)), "two numeric columns"),
        (np.arange(10.0).reshape(5, 2), "no numeric column has a blank"),
        (np.array([[1.0, 1.0], [2.0, 1.0], [3.0, np.nan]]), "constant"),
        (np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [5.0, np.nan]]), "linear combination"),
    ],
)
def test_why_there_is_no_test(values: np.ndarray, reason: str) -> None:
    found = little_test(values)
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.slow
def test_p_values_are_uniform_where_blanks_are_lost_completely_at_random() -> None:
    found = []
    for seed in range(200):
        rng = stream(seed, "null")
        x = correlated(rng, 250, 4)
        x[rng.random(x.shape) < [0.0, 0.1, 0.2, 0.3]] = np.nan
        test = little_test(x)
        assert isinstance(test, LittleTest)
        found.append(test.p_value)
    assert kstest(found, "uniform").pvalue > 0.01
    assert 0.01 <= np.mean(np.array(found) <= 0.05) <= 0.1
