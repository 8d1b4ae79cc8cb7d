"""The ordinary part of blanks against processes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from lacuna.methods.selective.ordinary import OrdinaryRate, crossed_strata, fit_ordinary_rate
from lacuna.methods.selective.references import RatePrior


def blanks(n: int, unknown: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A driver moves both kinds of blanks, in opposite directions; it is not known in a share of the rows.

    Returns:
        Score (n, 1), its variance (n, 1), hidden (n,) and the strata (n,) of the other columns and the known driver.
    """
    rng = np.random.default_rng(0)
    driver, other = rng.choice([-1.0, 1.0], n), rng.integers(0, 4, n)
    meaningful = (driver < 0) & (other == 3)
    hidden = meaningful | (rng.random(n) < expit(driver - 0.5))
    lost = rng.random(n) < unknown
    strata = 3 * other + np.where(lost, 2, driver > 0)
    return np.where(lost, 0.0, driver)[:, None], 1.0 * lost[:, None], hidden, strata


def fitted(score: np.ndarray, variance: np.ndarray, hidden: np.ndarray, strata: np.ndarray) -> OrdinaryRate:
    mean_rate = float(expit(np.array([-1.0, 1.0]) - 0.5).mean())
    prior = RatePrior(np.ones(1), np.array([logit(mean_rate)]), np.array([0.05]))
    return fit_ordinary_rate(hidden, score, variance, strata, prior, 0.05, np.random.default_rng(1))


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_a_logistic_rate_is_found_beside_meaningful_blanks(unknown: float):
    score, variance, hidden, strata = blanks(8000, unknown)
    rate = fitted(score, variance, hidden, np.where(variance[:, 0] > 0, -1, strata))
    ends = np.array([[-1.0], [1.0]])
    np.testing.assert_allclose(rate.probability(ends, np.zeros_like(ends)), expit([-1.5, 0.5]), atol=0.03)


def test_rows_of_no_stratum_count_in_the_average_only():
    """Their blanks may be anything."""
    score, variance, hidden, strata = blanks(4000, 0.4)
    none = variance[:, 0] > 0
    strata = np.where(none, -1, strata)
    rates = [fitted(score, variance, np.where(none, value, hidden), strata) for value in (False, True)]
    ends = np.array([[-1.0], [1.0]])
    np.testing.assert_allclose(*(rate.probability(ends, 0 * ends) for rate in rates), atol=0.01)


def test_an_uncertain_score_is_averaged_over():
    rate = OrdinaryRate(np.array([[2.0]]), np.array([-1.0]), np.ones(1))
    draws = np.random.default_rng(0).normal(0.3, 0.7, 200_000)
    assert rate.probability(np.array([[0.3]]), np.array([[0.49]]))[0] == pytest.approx(
        expit(2 * draws - 1).mean(), abs=0.01
    )


def test_strata_are_parted_by_blanks_that_had_no_say_in_them():
    rng = np.random.default_rng(0)
    feature = rng.random((2000, 1))
    hidden = rng.random(2000) < np.where(feature[:, 0] > 0.5, 0.9, 0.1)
    strata = crossed_strata(feature, hidden, rng)
    rates = np.array([hidden[strata == k].mean() for k in np.unique(strata)])
    assert np.bincount(strata).min() >= 10
    assert ((rates < 0.35) | (rates > 0.65)).mean() > 0.9
