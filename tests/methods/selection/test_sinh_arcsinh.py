from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import norm

from lacuna.methods.selection.sinh_arcsinh import max_log_likelihood, negative_log_likelihood

AT = np.array([2.0, 0.3, 0.4, 0.2])


def test_it_is_a_density():
    def density(x: float) -> float:
        return float(np.exp(-negative_log_likelihood(AT, np.array([x]))[0]))

    assert quad(density, -30, 30, points=[2.0])[0] == pytest.approx(1, abs=1e-6)


def test_gradient_is_the_difference_quotient():
    values = np.random.default_rng(0).gamma(3.0, size=100)
    slope = approx_fprime(AT, lambda x: negative_log_likelihood(x, values)[0], 1e-6)
    np.testing.assert_allclose(negative_log_likelihood(AT, values)[1], slope, rtol=1e-4)


def test_it_holds_the_normal_and_more():
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000)
    gaussian = norm.logpdf(values, values.mean(), values.std()).sum()
    assert 0 <= max_log_likelihood(values) - gaussian < 8  # two parameters too many
    skewed = rng.gamma(2.0, size=2000)
    assert max_log_likelihood(skewed) - norm.logpdf(skewed, skewed.mean(), skewed.std()).sum() > 100
