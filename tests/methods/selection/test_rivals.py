"""Populations without selection, against the laws that made the data and against quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lacuna.methods.selection.rivals import (
    cut_off_log_likelihood,
    histogram_log_likelihood,
    limit_log_likelihood,
    polynomial_log_likelihoods,
    skewed_log_likelihoods,
)


@pytest.mark.parametrize(
    ("law", "degree"), [(stats.uniform(), 0), (stats.expon(), 1), (stats.truncnorm(-0.5, 1.5), 2)], ids=["0", "1", "2"]
)
def test_bounded_laws_are_polynomials(law: stats.rv_continuous, degree: int):
    x = law.rvs(2000, random_state=np.random.default_rng(0))
    found, truth = polynomial_log_likelihoods(x), law.logpdf(x).sum()
    assert -0.5 < found[degree] - truth < 8
    assert (np.diff(found) >= -1e-6).all()
    assert found[-1] - found[degree] < 15  # what four more parameters gain by chance


@pytest.mark.parametrize(
    ("law", "which"), [(stats.skewnorm(5), 0), (stats.gamma(3), 1), (stats.weibull_min(1.5), 2)], ids=["n", "g", "w"]
)
def test_skewed_laws_are_found_either_way_round(law: stats.rv_continuous, which: int):
    x = law.rvs(2000, random_state=np.random.default_rng(0))
    found = skewed_log_likelihoods(x)
    assert -2 < found[which] - law.logpdf(x).sum() < 8
    np.testing.assert_allclose(skewed_log_likelihoods(10 - 3 * x), found - 2000 * np.log(3), rtol=1e-3)


def test_a_histogram_sees_a_lump():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    lump = np.where(rng.random(1000) < 0.3, 0.5 + 0.01 * rng.normal(size=1000), x)
    gain = [histogram_log_likelihood(y) - stats.norm(y.mean(), y.std()).logpdf(y).sum() for y in (x, lump)]
    assert gain[0] < 0 < gain[1]


@pytest.mark.parametrize("side", [1, -1])
def test_ends_of_a_value(side: int):
    """Truncated and censored regression have the likelihood of the law that made the data, or a little more."""
    rng = np.random.default_rng(0)
    p = rng.normal(size=3000)
    x = 0.5 + p + 0.7 * rng.normal(size=3000)
    seen = x < 1
    law = stats.norm(0.5 + p, 0.7)
    below, beyond = law.logcdf(1)[seen].sum(), law.logsf(1)[~seen].sum()
    density = law.logpdf(x)[seen].sum()
    assert 0 < cut_off_log_likelihood(side * p[seen], side * x[seen]) - (density - below) < 6
    assert 0 < limit_log_likelihood(side * p[seen], side * x[seen], side * p[~seen]) - (density + beyond) < 6
