"""Draws of regression models beside what is known of their posteriors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, gammaln, xlogy

from lacuna.methods.chained.outcome import CountOutcome, LevelOutcome, LinearOutcome

RNG = np.random.default_rng(0)
X = np.column_stack([np.ones(400), RNG.normal(3, 2, size=400), RNG.normal(size=400)])
DRAWS = 1500


def coefficients(drawn) -> np.ndarray:
    """(k,) of the design as it is given, of one draw with weights (k,)."""
    return np.linalg.lstsq(X, drawn.terms(X) @ drawn.weights, rcond=None)[0].ravel()


def check(drawn: np.ndarray, center: np.ndarray, covariance: np.ndarray) -> None:
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(drawn.mean(0), center, atol=0.12 * sd.max())
    np.testing.assert_allclose(np.cov(drawn.T) / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=0.15)


def test_linear():
    y = X @ [1, -0.5, 2] + 0.7 * np.random.default_rng(1).normal(size=400)
    models = [LinearOutcome.drawn(X, y, None, np.random.default_rng(s)) for s in range(DRAWS)]
    hat, inverse = np.linalg.lstsq(X, y, rcond=None)[0], np.linalg.inv(X.T @ X)
    variance = ((y - X @ hat) ** 2).sum() / (400 - 3)
    check(np.array([coefficients(m) for m in models]), hat, variance * inverse)
    assert np.mean([m.sd**2 for m in models]) == pytest.approx(variance * 397 / 395, rel=0.01)


def by_newton(y: np.ndarray, mean, spread) -> tuple[np.ndarray, np.ndarray]:
    beta = np.zeros(3)
    for _ in range(50):
        m = mean(X @ beta)
        covariance = np.linalg.inv((X.T * spread(m)) @ X)
        beta = beta + covariance @ X.T @ (y - m)
    return beta, covariance


def test_logistic():
    y = (np.random.default_rng(1).random(400) < expit(X @ [-1, 0.5, 1])).astype(float)
    models = [LevelOutcome.drawn(X, y, 2, None, np.random.default_rng(s)) for s in range(DRAWS)]
    check(np.array([coefficients(m) for m in models]), *by_newton(y, expit, lambda p: p * (1 - p)))


def test_poisson():
    y = np.random.default_rng(1).poisson(np.exp(X @ [0.2, 0.2, -0.4])).astype(float)
    models = [CountOutcome.drawn(X, y, None, np.random.default_rng(s)) for s in range(DRAWS)]
    check(np.array([coefficients(m) for m in models]), *by_newton(y, np.exp, lambda m: m))


def test_densities():
    rng, y = np.random.default_rng(0), np.array([0.0, 1.0, 3.0])
    counts = CountOutcome.drawn(X, rng.poisson(3, 400).astype(float), None, rng)
    rate = counts.mean(X[:3])[:, 0]
    poisson = y * np.log(rate) - rate - gammaln(y + 1)
    highest = xlogy(y, y) - y - gammaln(y + 1)
    np.testing.assert_allclose(counts.log_density(X[:3], y), poisson - highest)
    levels = LevelOutcome.drawn(X, rng.integers(4, size=400).astype(float), 4, None, rng)
    np.testing.assert_allclose(np.exp(levels.log_density(X[:3], y)), levels.mean(X[:3])[np.arange(3), [0, 1, 3]])
    numbers = LinearOutcome.drawn(X, rng.normal(size=400), None, rng)
    assert numbers.log_density(X[:3], numbers.mean(X[:3])[:, 0]).max() == 0


def test_levels_that_are_told_apart_for_certain_and_terms_said_twice():
    y = (X[:, 1] > 3).astype(float)
    model = LevelOutcome.drawn(X, y, 2, None, np.random.default_rng(0))
    assert (model.mean(X).argmax(1) == y).mean() > 0.97
    twice = np.column_stack([X, X])
    numbers = LinearOutcome.drawn(twice, X[:, 1], None, np.random.default_rng(0))
    np.testing.assert_allclose(numbers.mean(twice)[:, 0], X[:, 1], atol=1e-4)


def test_a_shift_of_blanks_moves_means_and_no_density():
    y = X @ [1, -0.5, 2]
    plain, moved = (LinearOutcome.drawn(X, y, s, np.random.default_rng(0)) for s in (None, np.array([0.5])))
    np.testing.assert_allclose(moved.mean(X) - plain.mean(X), 0.5 * y.std())
    np.testing.assert_array_equal(moved.log_density(X, y), plain.log_density(X, y))
