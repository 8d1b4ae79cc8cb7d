"""Score tests against Pearson's table, and the drivers that they find in made-up blanks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2_contingency

from lacuna.methods.selective.drivers import find_drivers, score_statistics


def test_of_an_indicator_it_is_pearsons_statistic():
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=600)
    outcome = rng.random(600) < 0.2 + 0.1 * group
    table = [[(outcome[group == g] == side).sum() for g in range(3)] for side in (False, True)]
    indicators = (group[:, None] == np.arange(2)).astype(float)
    found = score_statistics(np.empty((600, 0)), [indicators], outcome)
    assert found == pytest.approx([chi2_contingency(table, correction=False).statistic], rel=1e-6)


def test_each_feature_is_tested_by_itself():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(500, 4))
    outcome = rng.random(500) < expit(features @ [1.0, 0.5, 0.0, 0.0] - 1)
    known, added = features[:, :1], [features[:, [1]], features[:, [2, 3]]]
    assert score_statistics(known, added, outcome) == pytest.approx(
        [score_statistics(known, [one], outcome)[0] for one in added]
    )


def test_what_is_already_known_adds_nothing():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2000, 1))
    outcome = rng.random(2000) < expit(2 * x[:, 0])
    (alone,), (again,) = (score_statistics(known, [x], outcome) for known in (np.empty((2000, 0)), x))
    assert alone > 300
    assert again < 1


def test_the_driver_is_found_before_its_shadow():
    """Both tests of column 0, which only goes with the driver, and of the driver are beyond the smallest number."""
    rng = np.random.default_rng(3)
    n = 20_000
    driver = rng.normal(size=(n, 1))
    shadow = driver + 0.5 * rng.normal(size=(n, 1))
    other = rng.normal(size=(n, 1))
    observed = np.ones((n, 4), bool)
    observed[:, 3] = rng.random(n) > expit(2 * driver[:, 0] - 1)
    features = [shadow, driver, other, np.zeros((n, 1))]
    assert find_drivers(features, observed, [3], 1e-3, 4) == [1]
