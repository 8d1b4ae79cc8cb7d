"""The rate of another column, from those that are seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logit

from lacuna.methods.selective.references import RatePrior, References


@pytest.mark.parametrize("rates", [[0.1], [0.1, 0.102, 0.098], [0.02, 0.1, 0.4]])
def test_the_density_is_one_and_its_slope_its_derivative(rates: list[float]):
    prior = RatePrior.of(np.array(rates), 1000)
    total = quad(lambda x: np.exp(prior.log_density(x)[0]), -80, 80, points=[prior.mean], limit=500)[0]
    assert total == pytest.approx(1, abs=0.01)
    at, step = prior.mean + 0.7, 1e-5
    slope = (prior.log_density(at + step)[0] - prior.log_density(at - step)[0]) / (2 * step)
    assert prior.log_density(at)[1] == pytest.approx(slope, rel=1e-4)


def test_rates_that_lie_apart_say_less():
    near, apart = (RatePrior.of(np.array(rates), 1000) for rates in ([0.1, 0.1, 0.1], [0.03, 0.1, 0.3]))
    assert near.spread < 0.1
    assert apart.spread > 0.5
    assert near.log_density(logit(0.1))[0] > apart.log_density(logit(0.1))[0]
    assert near.log_density(logit(0.5))[0] < apart.log_density(logit(0.5))[0]


def test_an_outlier_and_a_driver_are_no_references():
    rng = np.random.default_rng(0)
    hidden = rng.random((2000, 7)) < np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.6, 0.3])
    references = References.of(hidden, np.arange(7) == 6, drivers=(0,))
    assert references.columns.tolist() == [1, 2, 3, 4]
    assert references.agree
    assert references.mean == pytest.approx(0.1, abs=0.02)
