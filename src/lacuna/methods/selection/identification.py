"""What tells selection from another population: witnesses that no shape of residuals, skewed or cut off, gives.

*The missing share.* A hard edge inside a normal residual tells how much of the normal lies beyond it. If values beyond
it were hidden, that is the share of blanks; if the population ends there and blanks are random, the two have nothing to
do with each other. Sharp edges tell the share well, smooth ones do not.

*The index.* Where values hide themselves, blanks go with other columns in the very proportion in which these move the
value, and with nothing else (each column that moves the value but not its hiding is a shadow variable; two of unlike
direction test each other). Where blanks depend on the other columns, that would be an accident.

Both are Bayes factors: log odds of the accident.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import expit, logit, logsumexp
from scipy.stats import chi2

from lacuna.methods.selection.likelihood import SIZES, Cells, blank_moments, fit_selected
from lacuna.methods.selection.tilting import beyond_prediction

MASSES = (np.arange(500) + 0.5) / 500  # shares that an edge may have taken
LOG_SIZE = np.log(len(MASSES))
PSEUDO_RATES = expit(np.linspace(-3.5, 3.5, 15))
TOLERANCE = 0.04  # of a share
ALIKE = 0.01  # p-value of rates that differ
OUTSIDE = 50.0  # log likelihood that is lost where no fit reaches a share
DRIVEN = 1.0  # prior sd of the log-odds of a blank by other columns
TILTED = 0.5  # prior sd of the slope of log-odds in a value, per sd


def shape_log_likelihood(cells: Cells, side: float) -> np.ndarray:
    """(500,) of observed values alone, as a normal of which a sigmoid has taken each share of ``MASSES``.

    Args:
        cells: of observed values about a level; their blanks do not count.
        side: above 0 where large values were taken.
    """
    n, fits = cells.n_seen, None
    slopes = np.sign(side) * SIZES
    taken, found = np.empty((2, len(PSEUDO_RATES), len(slopes)))
    for i, rate in enumerate(PSEUDO_RATES):  # as many blanks as lead the fit to a share near this one
        n_blank = n * rate / (1 - rate)
        fits = fit_selected(cells._replace(counts=np.array([n_blank])), False, slopes, fits)
        share = np.array([blank_moments(fit.k, np.array([fit.c]))[0][0] for fit in fits]).clip(1e-12, 1 - 1e-12)
        joint = np.array([fit.log_likelihood for fit in fits])
        taken[i], found[i] = share, joint - n_blank * np.log(share) - n * np.log1p(-share)
    best = np.full(len(MASSES), -np.inf)
    at = logit(MASSES)
    for share, log_likelihood in zip(logit(taken).T, found.T, strict=True):
        increasing = np.append(True, np.diff(share) > 1e-3)  # fits of one k take more where there are more blanks
        x, y = share[increasing], log_likelihood[increasing]
        inside = (at >= x[0]) & (at <= x[-1])
        if inside.sum() and len(x) > 1:
            best[inside] = np.maximum(best[inside], CubicSpline(x, y)(at[inside]))
    return np.where(np.isfinite(best), best, best.max() - OUTSIDE)


def missing_share(shapes: Sequence[np.ndarray], n_blank: Sequence[float], n: Sequence[float]) -> float:
    """Log odds of blanks that are the missing share of each column, against shapes that have nothing to do with them.

    The rival that is harder to beat counts: each column has a share of its own, or all have one in common, as columns
    of one law do. A sigmoid and a normal are not quite what data are: shares may be off by ``TOLERANCE``, each or all.
    Columns whose rates differ by chance alone may have one in common too.

    Args:
        shapes: (500,) of each column, see ``shape_log_likelihood``.
        n_blank: its blanks.
        n: its cells.

    >>> pointed = -((MASSES - 0.3) ** 2) / (2 * 0.01**2)
    >>> [round(missing_share([pointed], [n_blank], [100]), 1) for n_blank in (30, 50)]
    [2.3, -36.8]
    """
    by_share, blanks, cells = np.array(shapes), np.array(n_blank), np.array(n)
    off = np.linspace(-3, 3, 241) * TOLERANCE
    weights = np.exp(-((off / TOLERANCE) ** 2) / 2)
    weights /= weights.sum()

    def near(rates: np.ndarray) -> np.ndarray:
        return np.array([np.interp(rate + off, MASSES, shape) for rate, shape in zip(rates, by_share, strict=True)])

    rates, rate = blanks / cells, float(blanks.sum() / cells.sum())
    own = near(rates)
    at_rate = [logsumexp(own, axis=1, b=weights).sum(), logsumexp(own.sum(0), b=weights)]
    scatter = ((blanks - cells * rate) ** 2 / (cells * rate * (1 - rate))).sum()
    if chi2.sf(scatter, max(1, len(rates) - 1)) > ALIKE:
        at_rate.append(logsumexp(near(np.full(len(rates), rate)).sum(0), b=weights))
    anywhere = max(logsumexp(by_share, axis=1).sum() - len(rates) * LOG_SIZE, logsumexp(by_share.sum(0)) - LOG_SIZE)
    return float(max(at_rate) - anywhere)


@dataclass(frozen=True)
class Index:
    """Whether blanks go with other columns only as these move the value."""

    log_odds: float  # against blanks that go with other columns as they like, or with one of them
    beyond: float  # statistic of what goes beyond that, chi-squared with this freedom if nothing does
    freedom: int

    @property
    def p_value(self) -> float:
        """Of blanks that do not go with other columns but by what those tell of the value."""
        return float(chi2.sf(self.beyond, self.freedom)) if self.freedom else 1.0


NO_INDEX = Index(0.0, 0.0, 0)


def index(predicted: np.ndarray, blank: np.ndarray, features: np.ndarray) -> Index:
    """Of ``blank`` (n,) bool, what is predicted of the value (n,), from features (n, f).

    By linear regression, in which log likelihoods are quadratic: near enough where slopes are modest.
    """
    rate = blank.mean()
    spread = rate * (1 - rate)
    if not 0 < rate < 1 or not features.shape[1] or predicted.std() < 1e-9:
        return NO_INDEX
    n, y = len(blank), blank - rate
    x = features - features.mean(0)
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    left = left[:, singular > 1e-6 * max(float(singular.max(initial=0.0)), 1e-300)]
    freedom = left.shape[1]
    if not freedom:
        return NO_INDEX
    total = float(((left.T @ y) ** 2).sum()) / spread
    norm = np.sqrt((x**2).sum(0))
    single = (x[:, norm > 0].T @ y / norm[norm > 0]) ** 2 / spread
    direction = predicted - predicted.mean()
    along = float((direction @ y) ** 2 / (direction @ direction)) / spread
    any_way = _gain(total, n * spread * DRIVEN**2 / freedom, freedom)
    by_one = float(logsumexp([_gain(z, n * spread * DRIVEN**2, 1) for z in single]) - np.log(len(single)))
    odds = _gain(along, n * spread * TILTED**2 * predicted.var(), 1) - max(any_way, by_one)
    return Index(odds, *beyond_prediction(predicted, blank, features))


def _gain(square: float, spread: float, freedom: int) -> float:
    """Log Bayes factor of normal scores with sum of squares ``square`` whose means vary by ``spread``, against none."""
    return spread / (1 + spread) * square / 2 - freedom / 2 * float(np.log1p(spread))
