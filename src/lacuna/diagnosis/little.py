"""Little's test of missing completely at random (Little 1988, Journal of the American Statistical Association 83)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from lacuna.numerics.moments import column_moments

SINGULAR = 1e-8  # smallest eigenvalue of a correlation matrix that the test divides by


@dataclass(frozen=True)
class LittleTest:
    """Do the means of the observed values differ between the patterns of blanks?"""

    statistic: float
    freedom: int
    patterns: int
    p_value: float  # exact for normal data as n grows


def gaussian_em(
    values: np.ndarray, tolerance: float = 1e-5, steps: int = 200
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Maximum-likelihood mean and covariance of normal rows with blanks, by the EM algorithm.

    Args:
        values: (n, p), NaN where blank; best standardised; no row and no column is wholly blank.
        tolerance: the largest change of a mean or covariance in the last step.
        steps: at most.

    Returns:
        mean (p,), covariance (p, p), the patterns of observed cells (q, p) bool, and the pattern (n,) of each row.
    """
    observed = ~np.isnan(values)
    patterns, of_row = np.unique(observed, axis=0, return_inverse=True)
    of_row = of_row.reshape(-1)
    counts = np.bincount(of_row)
    mean, sd = column_moments(values)
    covariance = np.diag(sd**2)
    for _ in range(steps):
        precision = np.linalg.inv(covariance)
        hidden, unknown = hidden_given_observed(precision, patterns)
        seen = np.where(observed, values - mean, 0.0)
        # the regression of the hidden cells on the observed ones, as the precision matrix gives it
        pull = np.append(seen @ precision, np.zeros((len(values), 1)), axis=1)
        filled = np.append(seen, np.zeros((len(values), 1)), axis=1)
        at = hidden[of_row]
        change = np.einsum("nij,nj->ni", unknown[of_row], np.take_along_axis(pull, at, axis=1))
        np.put_along_axis(filled, at, -change, axis=1)
        centred = filled[:, :-1]
        shift = centred.mean(0)
        # what is not known of the hidden cells of each pattern
        residual = np.zeros((len(shift) + 1, len(shift) + 1))
        np.add.at(residual, (hidden[:, :, None], hidden[:, None, :]), counts[:, None, None] * unknown)
        before = covariance
        mean = mean + shift
        covariance = (centred.T @ centred + residual[:-1, :-1]) / len(values) - np.outer(shift, shift)
        if max(np.abs(shift).max(), np.abs(covariance - before).max()) < tolerance:
            break
    return mean, covariance, patterns, of_row


def hidden_given_observed(precision: np.ndarray, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The covariance of the hidden cells of each pattern given its observed ones.

    Args:
        precision: (p, p) inverse of the covariance.
        patterns: (q, p) bool, True where observed.

    Returns:
        The hidden columns (q, h), filled up with p to the largest number h of them, and their covariance (q, h, h),
        0 where filled up.
    """
    p = patterns.shape[1]
    n_hidden = (~patterns).sum(1)
    h = max(1, int(n_hidden.max()))
    hidden = np.argsort(patterns, axis=1, kind="stable")[:, :h]
    extra = np.arange(h) >= n_hidden[:, None]
    hidden[extra] = p
    wide = np.zeros((p + 1, p + 1))
    wide[:p, :p] = precision
    among = wide[hidden[:, :, None], hidden[:, None, :]] + extra[:, :, None] * np.eye(h)
    return hidden, np.linalg.inv(among) * (~extra[:, :, None] & ~extra[:, None, :])


def little_test(values: np.ndarray) -> LittleTest | str:
    """Little's d2 statistic, chi-squared under missing completely at random.

    Args:
        values: (n, p) of numeric columns, NaN where blank.

    Returns:
        The test, or why there is none.
    """
    values = values[:, ~np.isnan(values).all(0)]
    values = values[~np.isnan(values).all(1)]
    if values.shape[1] < 2:
        return "it needs two numeric columns"
    if np.isnan(values).all(1).any() or not np.isnan(values).any():
        return "no numeric column has a blank beside an observed number"
    mean, sd = column_moments(values)
    standard = (values - mean) / sd
    if not (np.nanmax(standard, axis=0) > np.nanmin(standard, axis=0)).all():
        return "a numeric column is constant"
    center, covariance, patterns, of_row = gaussian_em(standard)
    if len(patterns) < 2:
        return "all rows have the same blanks"
    if np.linalg.eigvalsh(covariance)[0] < SINGULAR:
        return "a numeric column is a linear combination of others"
    counts = np.bincount(of_row)
    sums = np.zeros(patterns.shape)
    np.add.at(sums, of_row, np.where(patterns[of_row], standard - center, 0.0))
    means = sums / counts[:, None]
    # the quadratic form with the inverse covariance of the observed cells, from that of all cells
    precision = np.linalg.inv(covariance)
    hidden, unknown = hidden_given_observed(precision, patterns)
    pull = np.take_along_axis(np.append(means @ precision, np.zeros((len(means), 1)), axis=1), hidden, axis=1)
    form = ((means @ precision) * means).sum(1) - np.einsum("qi,qij,qj->q", pull, unknown, pull)
    statistic = float(counts @ form)
    freedom = int(patterns.sum() - patterns.shape[1])
    return LittleTest(statistic, freedom, len(patterns), float(chi2.sf(statistic, freedom)))
