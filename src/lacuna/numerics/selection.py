"""Gaussian values, blank with a probability that rises or falls with the value itself.

A value is x = mu + s e, with mu linear in known features and e a standard normal. It is blank with probability
sigmoid(k e + c), its own standardised *residual* deciding, or with sigmoid(k x / s + c), its own *value* deciding.
With a = -c / k the first is sigmoid(k (e - a)). Observed values have density N(x; mu, s^2) P(seen | x); a blank has
the integral of N(x; mu, s^2) P(blank | x) over x. Heckman's selection model has the same structure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit, log_expit, logit
from scipy.stats import norm

K_MAX = 20.0  # from here on the sigmoid is a step as far as any data can tell
STEP = 0.05  # the trapezoid rule on this grid is exact to 1e-8 up to K_MAX
GRID = np.linspace(-8.0, 8.0, round(16 / STEP) + 1)
MASS = norm.pdf(GRID) * STEP
PROBIT = np.pi / 8  # sigmoid(c / sqrt(1 + PROBIT k^2)) is nearly the blank rate of a standard normal
STARTS = (1.0, 4.0, 12.0)  # of |k|; at k = 0 the likelihood is flat to the second order, not a place to start from


def blank_moments(k: float, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P(blank), mean and sd of e given blank, (h,) each, where P(blank | e) = sigmoid(k e + offset), offset (h,).

    >>> [abs(round(float(x[0]), 3)) for x in blank_moments(0.0, np.array([0.0]))]
    [0.5, 0.0, 1.0]
    """
    masses = expit(k * GRID + np.asarray(offset)[:, None]) * MASS
    total = np.maximum(masses.sum(1), np.finfo(float).tiny)
    mean = masses @ GRID / total
    return total, mean, np.sqrt(np.maximum(masses @ GRID**2 / total - mean**2, 0.0))


def draw_blank(k: float, offset: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Residuals e (draws, h) of blanks by the inverse of their distribution function.

    Where offsets differ, each draw takes one of the two neighbours in a table of them, with the shares that give
    back its own offset on average.
    """
    low, high = float(offset.min()), float(offset.max())
    nodes = np.linspace(low, high, 2 + int((high - low) / 0.25)) if high > low else np.array([low])
    position = (offset - low) / (nodes[1] - nodes[0]) if high > low else np.zeros(len(offset))
    row = np.minimum((position + rng.random((draws, len(offset)))).astype(np.intp), len(nodes) - 1)
    level = rng.random(row.shape)
    edges = np.append(GRID - STEP / 2, GRID[-1] + STEP / 2)
    sample = np.empty(row.shape)
    for i, node in enumerate(nodes):
        chosen = slice(None) if len(nodes) == 1 else row == i
        below = np.concatenate([[0.0], (expit(k * GRID + node) * MASS).cumsum()])
        sample[chosen] = np.interp(level[chosen], below / below[-1], edges)
    return sample


@dataclass(frozen=True)
class Selected:
    """A fitted model; ``slopes`` go with the q features of the mean."""

    slopes: np.ndarray  # (q,)
    sd: float  # of the residual
    k: float
    c: float
    own_value: bool  # whether the value decides, or its residual
    log_likelihood: float = np.nan
    covariance: np.ndarray | None = None  # (q + 3, q + 3) of the parameters in the order of ``parameters``

    @property
    def threshold(self) -> float:
        """a: where a blank is as probable as not; in sds of the residual, or in units of the value over sd."""
        return -self.c / self.k if self.k else np.nan

    def offset(self, mean: np.ndarray) -> np.ndarray:
        """(h,) the logit of P(blank) at e = 0, for values of this mean (h,)."""
        return self.c + (self.k / self.sd * mean if self.own_value else np.zeros(len(mean)))

    @property
    def parameters(self) -> np.ndarray:
        """(q + 3,): slopes, log sd, k, and c divided by ``_stretch``."""
        return np.concatenate([self.slopes, [np.log(self.sd), self.k, self.c / _stretch(self.k)]])

    @classmethod
    def of(cls, parameters: np.ndarray, own_value: bool, log_likelihood: float = np.nan) -> Selected:
        *slopes, log_sd, k, t = parameters
        return cls(np.array(slopes), float(np.exp(log_sd)), float(k), float(t * _stretch(k)), own_value, log_likelihood)

    def perturbed(self, rng: np.random.Generator) -> Selected:
        """Parameters drawn from their approximate posterior."""
        if self.covariance is None:
            return self
        drawn = rng.multivariate_normal(self.parameters, self.covariance, method="eigh")
        drawn[-2] = np.clip(drawn[-2], -K_MAX, K_MAX)
        return Selected.of(drawn, self.own_value)


class Cells(NamedTuple):
    """What a column shows. Features hold a column of ones; values are on a scale on which their sd is near 1."""

    features: np.ndarray  # (n, q) of the observed values
    values: np.ndarray  # (n,)
    blank_features: np.ndarray  # (h, q) of the blanks; like ones may be one row, with their count
    counts: np.ndarray  # (h,) of blanks in each row of ``blank_features``

    @property
    def blank_rate(self) -> float:
        """Kept away from 0 and 1."""
        n_blank = self.counts.sum()
        return float(np.clip(n_blank / (n_blank + len(self.values)), 1e-3, 1 - 1e-3))


def fit_selected(
    cells: Cells,
    own_value: bool,
    start: Selected | None = None,
    alone: bool = False,
    penalty: np.ndarray | float = 0.0,
) -> Selected:
    """Maximum likelihood, from starts on either side of k = 0, or on the side of ``start``.

    Args:
        own_value: whether the value decides on the blank, or its residual.
        start: where to start from as well, which spares some of the other starts. Its side was decided before any
            blank was filled; fits on the other side would follow what the fills have made.
        alone: start from there only.
        penalty: (q,) precision of a normal prior of the slopes around 0.
    """
    if not own_value:  # the chance of a blank is the same in every row
        cells = cells._replace(blank_features=cells.blank_features[:1], counts=cells.counts.sum(keepdims=True))
    starts = [] if start is None else [start.parameters]
    if start is None or not alone:
        sizes = STARTS if start is None else STARTS[1:2]
        sides = (-1.0, 1.0) if start is None or not start.k else (float(np.sign(start.k)),)
        starts += [_start(cells, own_value, side * k) for side in sides for k in sizes]
    fits = [_minimise(x, cells, own_value, penalty) for x in starts]
    if start is not None:
        fits = [fit for fit in fits if fit.x[-2] * start.k >= 0] or fits
    best = min(fits, key=lambda fit: fit.fun)
    return Selected.of(best.x, own_value, -float(best.fun))


def with_covariance(model: Selected, cells: Cells) -> Selected:
    """The model with Laplace's approximation of how well its parameters are known."""
    at, size = model.parameters, len(model.parameters)
    curvature = np.empty((size, size))
    for i, nudge in enumerate(1e-4 * np.eye(size)):
        above, below = (negative_log_likelihood(x, cells, model.own_value)[1] for x in (at + nudge, at - nudge))
        curvature[i] = (above - below) / 2e-4
    curvature = (curvature + curvature.T) / 2
    curvature[-2, -2] += 1e-2  # k may be known as large only; it is never drawn from beyond some ten units
    eigenvalues, vectors = np.linalg.eigh(curvature)
    return replace(model, covariance=(vectors / np.maximum(eigenvalues, 1e-2)) @ vectors.T)


def unselected_log_likelihood(residuals: np.ndarray, n_blank: int) -> float:
    """Of k = 0: Gaussian residuals (n,) about their fit, blanks at one rate."""
    n = len(residuals)
    variance = max(float(np.mean(residuals**2)), np.finfo(float).tiny)
    rate = n_blank / (n + n_blank)
    blanks = n_blank * np.log(rate) + n * np.log1p(-rate) if n_blank else 0.0
    return float(-n / 2 * (np.log(2 * np.pi * variance) + 1) + blanks)


def _stretch(k: float) -> float:
    return float(np.sqrt(1 + PROBIT * k**2))


def _start(cells: Cells, own_value: bool, k: float) -> np.ndarray:
    """Parameters that give the observed values their mean and spread, and the blanks their rate, at this k."""
    slopes, *_ = np.linalg.lstsq(cells.features, cells.values, rcond=None)
    residuals = cells.values - cells.features @ slopes
    t = logit(cells.blank_rate)
    _, mean, sd = blank_moments(-k, np.array([-t * _stretch(k)]))  # of what is seen
    spread = max(float(residuals.std()), 1e-6) / max(float(sd[0]), 0.1)
    ones, *_ = np.linalg.lstsq(cells.features, np.ones(len(residuals)), rcond=None)
    slopes = slopes - ones * spread * mean[0]
    if own_value:
        t = t - k / spread * float((cells.features @ slopes).mean()) / _stretch(k)
    return np.concatenate([slopes, [np.log(spread), k, t]])


def _minimise(start: np.ndarray, cells: Cells, own_value: bool, penalty: np.ndarray | float) -> OptimizeResult:
    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = negative_log_likelihood(parameters, cells, own_value)
        pull = penalty * parameters[:-3]
        gradient[:-3] += pull
        return total + float(pull @ parameters[:-3]) / 2, gradient

    log_sd = float(start[-3])
    bounds = [(None, None)] * (len(start) - 3) + [(log_sd - 3, log_sd + 3), (-K_MAX, K_MAX), (-40.0, 40.0)]
    return minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})


def negative_log_likelihood(parameters: np.ndarray, cells: Cells, own_value: bool) -> tuple[float, np.ndarray]:
    """At ``Selected.parameters``, and its gradient, (q + 3,)."""
    features, values, blank_features, counts = cells
    slopes, (log_sd, k, t) = parameters[:-3], parameters[-3:]
    sd, stretch = np.exp(log_sd), _stretch(k)
    c, c_by_k = t * stretch, t * PROBIT * k / stretch

    e = (values - features @ slopes) / sd
    decides = values / sd if own_value else e
    log_odds = k * decides + c
    total = len(e) * (log_sd + np.log(2 * np.pi) / 2) + (e @ e) / 2 - log_expit(-log_odds).sum()
    blank = expit(log_odds)
    by_slopes = -(features.T @ (e if own_value else e + k * blank)) / sd
    by_log_sd = len(e) - e @ e - k * (blank @ decides)
    by_k, by_c = blank @ decides, blank.sum()

    if counts.sum():
        mean = blank_features @ slopes if own_value else np.zeros(len(counts))
        probability = expit(k * GRID + (c + k * mean / sd)[:, None])
        mass = np.maximum(probability @ MASS, np.finfo(float).tiny)
        total -= counts @ np.log(mass)
        slope = probability * (1 - probability)
        by_offset = -counts * (slope @ MASS) / mass
        by_k += by_offset @ (mean / sd) - counts @ (slope @ (MASS * GRID) / mass)
        by_c += by_offset.sum()
        by_log_sd -= k * (by_offset @ mean) / sd
        if own_value:
            by_slopes = by_slopes + blank_features.T @ by_offset * k / sd
    gradient = np.concatenate([by_slopes, [by_log_sd, by_k + by_c * c_by_k, by_c * stretch]])
    return float(total), gradient
