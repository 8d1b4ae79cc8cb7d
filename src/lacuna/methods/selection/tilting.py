"""What blanks hide, by what is seen beside them: an exponential tilt of observed residuals.

If a value x is blank with log-odds slope * x + constant, then its density given blank is its density given
observed times exp(slope * x), up to a constant, whatever that density is. So the log-odds of a blank, regressed
on what is predicted of x, rise with the same slope, up to the change of the residuals' spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy.special import log_expit
from scipy.stats import chi2, norm

from lacuna.numerics.logistic import fit_logistic

DONORS = 200  # observed cells of nearest prediction, whose residuals stand for those of a blank
NODES = 64  # predictions at which donors are gathered; between them their tables are mixed
SLOPE_PRIOR = 0.02  # precision that keeps separated data from an infinite slope


class SlopeFit(NamedTuple):
    """Log-odds of a blank by a prediction."""

    slope: float
    error: float  # standard error of the slope
    ratio: float  # likelihood ratio against slope 0
    log_likelihood: float


def fit_slope(prediction: np.ndarray, blank: np.ndarray) -> SlopeFit:
    """Logistic regression of ``blank`` (n,) bool on ``prediction`` (n,)."""
    design = np.stack([prediction - prediction.mean(), np.ones(len(prediction))]).T
    rate = np.clip(blank.mean(), 1e-9, 1 - 1e-9)
    start = np.array([0.0, np.log(rate / (1 - rate))])

    def log_likelihood(at: np.ndarray) -> float:
        logit = design @ at
        return float(np.where(blank, log_expit(logit), log_expit(-logit)).sum())

    def shortened(step: np.ndarray) -> np.ndarray:
        return step * min(1.0, 4.0 / float(np.abs(step).max() + 1e-12))

    prior = np.array([SLOPE_PRIOR, 0.0])
    weights, curvature = fit_logistic(design, blank, prior, start, shortened, 1e-8, 30, ridge=1e-9)
    found = log_likelihood(weights)
    error = float(np.sqrt(np.linalg.inv(curvature)[0, 0]))
    return SlopeFit(float(weights[0]), error, max(0.0, 2 * (found - log_likelihood(start))), found)


def beyond_prediction(prediction: np.ndarray, blank: np.ndarray, features: np.ndarray) -> tuple[float, int]:
    """Statistic, and its degrees of freedom, of ``blank`` (n,) going with features (n, f) beyond a parabola in the
    prediction (n,).

    A Lagrange multiplier test: n R^2 of what is left of the blanks, regressed on what is left of the features.
    """
    known = np.linalg.qr(np.vander(prediction, 3))[0]
    left = np.column_stack([blank, features]).astype(np.float64)
    left -= known @ (known.T @ left)
    y, x = left[:, 0], left[:, 1:]
    weights, _, rank, _ = np.linalg.lstsq(x, y, rcond=1e-6)
    explained = float((x @ weights) @ y / max(float(y @ y), 1e-12))
    return len(y) * explained, int(rank)


@dataclass(frozen=True)
class Residuals:
    """Residuals of observed cells by what was predicted of them, centred about each prediction."""

    nodes: np.ndarray  # (g,) predictions, increasing
    donors: np.ndarray  # (g, w) residuals of the cells predicted nearest to each, increasing

    @classmethod
    def of(cls, predicted: np.ndarray, residuals: np.ndarray) -> Self:
        """From out-of-fold predictions (n,) and their residuals (n,)."""
        order = np.argsort(predicted, kind="stable")
        nodes = np.unique(np.quantile(predicted, np.linspace(0, 1, NODES)))
        width = min(DONORS, len(order))
        first = (np.searchsorted(predicted[order], nodes) - width // 2).clip(0, len(order) - width)
        donors = np.sort(residuals[order][first[:, None] + np.arange(width)], axis=1)
        return cls(nodes, donors - donors.mean(1, keepdims=True))

    def shares(self, slope: float) -> np.ndarray:
        """(g, w) of each donor, tilted."""
        logit = slope * self.donors
        shares = np.exp(logit - logit.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)

    def shift(self, predicted: np.ndarray, slope: float) -> np.ndarray:
        """(h,) the mean residual of blanks with these predictions (h,)."""
        return np.interp(predicted, self.nodes, (self.shares(slope) * self.donors).sum(1))

    def draw(self, predicted: np.ndarray, slope: float, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Residuals (draws, h) of blanks with these predictions (h,)."""
        position = np.interp(predicted, self.nodes, np.arange(len(self.nodes)))
        size = (draws, len(predicted))
        node = np.minimum((position + rng.random(size)).astype(np.intp), len(self.nodes) - 1)
        # one increasing array of all distribution functions, each a unit above the one before
        edges = self.shares(slope).cumsum(1) + np.arange(len(self.nodes))[:, None]
        donor = np.searchsorted(edges.ravel(), node + rng.random(size)) - node * self.donors.shape[1]
        return self.donors[node, donor.clip(0, self.donors.shape[1] - 1)]


def shrink(slopes: np.ndarray, errors: np.ndarray, level: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds (c,) of true slopes that vary about a common one (random effects, DerSimonian and Laird 1986).

    The common slope counts as 0, and the differences do not count, unless they are significant at ``level``.

    >>> means, _ = shrink(np.array([0.3, -0.2, 0.1]), np.array([0.3, 0.3, 0.3]))
    >>> means.tolist()
    [0.0, 0.0, 0.0]
    """
    precision = errors**-2.0
    common = (precision @ slopes) / precision.sum()
    scatter, free = float(precision @ (slopes - common) ** 2), len(slopes) - 1
    between = 0.0
    if free and chi2.sf(scatter, free) < level:
        between = max(0.0, (scatter - free) / (precision.sum() - (precision @ precision) / precision.sum()))
    precision = 1 / (errors**2 + between)
    common, error = (precision @ slopes) / precision.sum(), precision.sum() ** -0.5
    if abs(common) < norm.isf(level / 2) * error:
        common = error = 0.0
    trust = between / (between + errors**2)
    return trust * slopes + (1 - trust) * common, np.sqrt(trust * errors**2 + ((1 - trust) * error) ** 2)
