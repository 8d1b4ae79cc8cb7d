"""What the models of a candidate column amount to: whether it has meaningful blanks at all, and how many."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from lacuna.methods.selective.drivers import blank_coefficients
from lacuna.methods.selective.references import RatePrior

LOG_PRIOR_ODDS = -3.0  # of a column with meaningful blanks, beside one without
RATE_WIDTH = 10.0  # log-odds over which a rate is spread evenly where the references say nothing
MOST_BY_RATE = 10.0  # nats that the rate may add
SUREST_ORDINARY = 0.9  # where an ordinary blank is more probable, a blank tells nothing of meaning
QUANTILES = np.linspace(0, 1, 4001)[1::2]


def given_hidden(meaning: np.ndarray, ordinary: np.ndarray) -> np.ndarray:
    """P(meaningful | hidden) from P(meaningful) and P(ordinary blank), both given the rest of the row.

    With P(hidden) = P = 1 - (1 - meaning) (1 - ordinary) this is (P - ordinary) / (P (1 - ordinary)).

    >>> given_hidden(np.array([0.0, 0.1, 1.0]), np.array([0.1, 0.1, 0.1])).round(3)
    array([0.   , 0.526, 1.   ])
    """
    hidden = 1 - (1 - meaning) * (1 - ordinary)
    return np.divide(meaning, hidden, out=np.zeros_like(hidden), where=hidden > 0)


def given_row(meaning: np.ndarray, ordinary: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """(m, n) probability of what is seen of a column, hidden (n,) or not."""
    seen = (1 - meaning) * (1 - ordinary)
    return np.clip(np.where(hidden, 1 - seen, seen), 1e-9, 1.0)


def by_row(meaning: np.ndarray, ordinary: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """(n,) P(meaningful | hidden), over completed tables (m, n) that count by how well each explains the blanks."""
    likelihood = given_row(meaning, ordinary, hidden)
    return (likelihood * given_hidden(meaning, ordinary)).sum(0) / likelihood.sum(0)


def log_likelihood_without(scores: np.ndarray, hidden: np.ndarray, constant: float | None) -> float:
    """Of a column's blanks without meaning: by its scores, at a rate of its own, or at the rate that is given."""
    if constant is not None:
        rate = np.clip(constant, 1e-9, 1 - 1e-9)
        return float(np.where(hidden, np.log(rate), np.log1p(-rate)).sum())
    linear = np.column_stack([np.ones(len(hidden)), scores]) @ blank_coefficients(scores, hidden)
    return float(-np.logaddexp(0, np.where(hidden, -linear, linear)).sum())


def rate_evidence(hidden: np.ndarray, prior: RatePrior) -> tuple[float, float]:
    """What speaks against a column's rate being an ordinary one, in nats, and the p-value that it is.

    Args:
        hidden: (n,) bool.
    """
    n, rate = len(hidden), float(np.clip(hidden.mean(), 0.5 / len(hidden), 1 - 0.5 / len(hidden)))
    sd = np.sqrt(prior.sds**2 + 1 / (n * rate * (1 - rate)))
    at = logit(rate)
    density = prior.masses @ norm.pdf(at, prior.means, sd)
    nats = -np.log(RATE_WIDTH * max(density, 1e-30)) if at > prior.mean else 0.0
    return float(np.clip(nats, 0.0, MOST_BY_RATE)), float(prior.masses @ norm.sf(at, prior.means, sd))


def probability_of_any(gain: float) -> float:
    """That a column has meaningful blanks, from the log likelihood that they add out of fold."""
    return float(expit(gain + LOG_PRIOR_ODDS))


def rate_interval(
    meaning: np.ndarray,
    ordinary: np.ndarray,
    masses: np.ndarray,
    hidden: np.ndarray,
    weight: float,
) -> tuple[float, float, float]:
    """Mean and ends of the 95% interval of the share of rows that are meaningful.

    Args:
        meaning: (n,) P(meaningful | rest of the row).
        ordinary: (k, n) P(ordinary blank) by each of k draws of its parameters.
        masses: (k,) of the draws.
        weight: probability that there are any.
    """
    n = len(hidden)
    telling = ordinary < SUREST_ORDINARY
    q = np.where(telling, ordinary, 0.0)
    left = np.where(telling, (hidden - q) / (1 - q) - meaning, 0.0)
    # the model of each row, and what it leaves of those that tell something
    shares = np.maximum(telling.mean(1), 1 / n)
    rates = meaning.mean() + left.mean(1) / shares
    sds = np.sqrt((meaning + left).var(1) / n)
    z = norm.ppf(QUANTILES)
    draws = np.clip(rates[:, None] + sds[:, None] * z, 0.0, float(hidden.mean()) * 1.0 + 3 * sds[:, None]).clip(0, 1)
    mass = np.repeat(masses / len(z), len(z)) * weight
    points = np.append(draws.ravel(), 0.0)
    order = np.argsort(points)
    points, mass = points[order], np.append(mass, 1 - weight)[order]
    at = np.minimum(np.searchsorted(mass.cumsum(), [0.025, 0.975]), len(points) - 1)
    return float(points @ mass), float(points[at[0]]), float(points[at[1]])
