"""Populations that explain the shape of what is seen without any selection: smooth ones with ends, and cut-off ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, log_ndtr, logsumexp

DEGREES = 6  # of the polynomial, at most
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
STEPS, TOLERANCE = 50, 1e-9
BINS = 300


def polynomial_log_likelihoods(values: np.ndarray) -> np.ndarray:
    """Of values (n,), (DEGREES + 1,): the largest of densities exp(polynomial) between the least and the largest value.

    By degree: the uniform density, the exponential with an end, the normal cut off at both ends, and so on. Each is
    an exponential family, so that Newton's method finds its one maximum.
    """
    low, high = float(values.min()), float(values.max())
    half = max((high - low) / 2, 1e-300)
    seen = np.polynomial.legendre.legvander((values - low) / half - 1, DEGREES)[:, 1:].mean(0)
    basis = np.polynomial.legendre.legvander(NODES, DEGREES)[:, 1:]
    found, at = np.empty(DEGREES + 1), np.zeros(DEGREES)
    found[0] = -np.log(2.0)
    for degree in range(1, DEGREES + 1):
        used, target = basis[:, :degree], seen[:degree]
        theta = at[:degree]
        value, mean, spread = _log_partition(used, theta)
        for _ in range(STEPS):
            step = np.linalg.solve(spread + 1e-10 * np.eye(degree), target - mean)
            gain = float(step @ (target - mean))
            if gain < TOLERANCE:
                break
            share = 1.0
            while share > 1e-4:
                tried = _log_partition(used, theta + share * step)
                if (share * step) @ target - tried[0] + value > 0.1 * share * gain:
                    break
                share /= 2
            else:
                break
            theta = theta + share * step
            value, mean, spread = tried
        at = np.append(theta, np.zeros(DEGREES - degree))
        found[degree] = theta @ target - value
    return len(values) * (found - np.log(half))


def _log_partition(basis: np.ndarray, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """With its gradient and curvature."""
    logit = basis @ theta
    top = logit.max()
    mass = WEIGHTS * np.exp(logit - top)
    total = mass.sum()
    mean = mass @ basis / total
    return float(top + np.log(total)), mean, (basis * mass[:, None]).T @ basis / total - np.outer(mean, mean)


def skewed_log_likelihoods(values: np.ndarray) -> np.ndarray:
    """(3,) the largest of values (n,): of skew normals, gammas and Weibulls of any place and spread.

    Gammas and Weibulls start beyond the value that the skewness leads away from.
    """
    n, center, scale = len(values), values.mean(), max(float(values.std()), 1e-300)
    x = (values - center) / scale
    x *= 1.0 if (x**3).sum() >= 0 else -1.0
    counts, edges = np.histogram(x, BINS)
    x, weights, low = (edges[:-1] + edges[1:])[counts > 0] / 2, counts[counts > 0], float(edges[0])

    def skew_normal(at: np.ndarray) -> np.ndarray:
        z = (x - at[0]) * np.exp(at[1])
        return np.log(2.0) + at[1] - z**2 / 2 - np.log(2 * np.pi) / 2 + log_ndtr(at[2] * z)

    def gamma(at: np.ndarray) -> np.ndarray:
        shape, z = 1 + np.exp(at[2]), (x - low + np.exp(at[0])) * np.exp(at[1])
        return at[1] + (shape - 1) * np.log(z) - z - gammaln(shape)

    def weibull(at: np.ndarray) -> np.ndarray:
        shape, log_z = 1 + np.exp(at[2]), np.log(x - low + np.exp(at[0])) + at[1]
        return at[1] + np.log(shape) + (shape - 1) * log_z - np.exp(np.minimum(shape * log_z, 500.0))

    def least(log_density: Callable[[np.ndarray], np.ndarray], *start: float) -> float:
        bounds = [(-8, 5), (-5, 5), (-8, 8)]
        fit = minimize(lambda at: -float(weights @ log_density(at)) / n, start, method="L-BFGS-B", bounds=bounds)
        return float(fit.fun)

    found = [least(skew_normal, -1.0, -0.3, 2.0), least(gamma, -2.0, 0.5, 0.7), least(weibull, -2.0, -0.7, 0.0)]
    return -n * (np.array(found) + np.log(scale))


def histogram_log_likelihood(values: np.ndarray) -> float:
    """Of values (n,) in bins of equal width, any shares alike likely before (Jeffreys' prior): lumps and gaps.

    The mean over some numbers of bins.
    """
    n, width = len(values), max(float(np.ptp(values)), 1e-300)
    found = []
    for bins in (10, 20, 40, 80):
        counts, _ = np.histogram(values, bins)
        shares = gammaln(bins / 2) - gammaln(bins / 2 + n) + (gammaln(counts + 0.5) - gammaln(0.5)).sum()
        found.append(shares + n * np.log(bins / width))
    return float(logsumexp(found) - np.log(len(found)))


def cut_off_log_likelihood(predicted: np.ndarray, values: np.ndarray) -> float:
    """Of values (n,) about a line in their predictions (n,), normal but cut off at the least or the largest of them.

    Concave in (line / sd, 1 / sd) as the Tobit model is (Olsen 1978).
    """
    return max(_cut_off_above(predicted, values), _cut_off_above(-predicted, -values))


def limit_log_likelihood(predicted: np.ndarray, values: np.ndarray, predicted_blanks: np.ndarray) -> float:
    """Of values (n,) and blanks (h,), normal about a line in their predictions: blank is what lies beyond an end.

    That of Tobin (1958), at the least or the largest value.
    """
    return max(
        _cut_off_above(predicted, values, predicted_blanks), _cut_off_above(-predicted, -values, -predicted_blanks)
    )


def _cut_off_above(predicted: np.ndarray, values: np.ndarray, predicted_blanks: np.ndarray | None = None) -> float:
    """Without blanks, of values that are known to lie below the end."""
    center, scale = values.mean(), max(float(values.std()), 1e-300)

    def line_in(x: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(x)), (x - center) / scale])

    y, design = (values - center) / scale, line_in(predicted)
    side, beside = (1.0, design) if predicted_blanks is None else (-1.0, line_in(predicted_blanks))
    end, n = float(y.max()), len(y)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        inverse = at[2]
        e, room = inverse * y - design @ at[:2], side * (inverse * end - beside @ at[:2])
        log_mass = log_ndtr(room)
        hazard = side * np.exp(-(room**2) / 2 - np.log(2 * np.pi) / 2 - log_mass)
        value = (e**2).sum() / 2 + side * log_mass.sum() - n * np.log(inverse)
        by_line = -e @ design - side * hazard @ beside
        return value / n, np.append(by_line, e @ y + side * hazard.sum() * end - n / inverse) / n

    line, *_ = np.linalg.lstsq(design, y, rcond=None)
    inverse = 1 / max(float((y - design @ line).std()), 1e-6)
    start = np.append(line * inverse, inverse)
    fit = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-50, 50), (-50, 50), (1e-3, 1e3)])
    return float(-n * (fit.fun + np.log(2 * np.pi) / 2 + np.log(scale)))
