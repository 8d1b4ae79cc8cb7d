"""Which columns drive the blanks of others: forward selection by score tests of logistic models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import chi2

from lacuna.numerics.logistic import fit_logistic

RIDGE = 1.0  # prior precision of a coefficient: keeps fits finite where blanks are separable
COLLINEAR = 1e-8  # share of a feature's information


def blank_coefficients(features: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """Intercept and coefficients (1 + f,) of a lightly penalised logistic regression.

    Args:
        features: (n, f)
        blank: (n,) bool
    """
    design = np.column_stack([np.ones(len(blank)), features])
    penalty = np.r_[1e-6, np.full(features.shape[1], RIDGE)]
    start = np.zeros(design.shape[1])
    start[0] = logit(np.clip(blank.mean(), 0.5 / len(blank), 1 - 0.5 / len(blank)))
    return fit_logistic(design, blank, penalty, start, lambda step: np.clip(step, -2.0, 2.0), 1e-6, 25).coefficients


def score_statistics(known: np.ndarray, added: Sequence[np.ndarray], outcome: np.ndarray) -> list[float]:
    """Chi-squared statistics, of rank(added) degrees of freedom, for adding features to a logistic regression.

    Args:
        known: (n, f) features already in the model.
        added: each (n, g), tested one by one.
        outcome: (n,) bool
    """
    design = np.column_stack([np.ones(len(outcome)), known])
    p = expit(design @ blank_coefficients(known, outcome))
    variance = (p * (1 - p))[:, None]
    weighted = variance * design
    inverse = np.linalg.pinv(weighted.T @ design)
    found = []
    for codes in added:
        cross, alone = weighted.T @ codes, (variance * codes).T @ codes
        information, axes = np.linalg.eigh(alone - cross.T @ inverse @ cross)
        new = information > COLLINEAR * np.trace(alone)  # the rest is what the known features say already
        slope = axes.T @ (codes.T @ (outcome - p))
        found.append(float((slope[new] ** 2 / information[new]).sum()))
    return found


def find_drivers(
    features: Sequence[np.ndarray],
    observed: np.ndarray,
    targets: Sequence[int],
    level: float,
    at_most: int,
) -> list[int]:
    """The columns whose values move the blanks of the target columns, strongest first.

    Each step adds the column with the clearest effect beside the columns chosen so far, all targets taken
    together, on rows in which those are observed: where a driver is hidden, any column that goes with it would
    stand in for it.

    Args:
        features: by column, (n, f) codes with 0 where hidden.
        observed: (n, d) bool
        targets: columns with ordinary blanks only.
        level: of the test for each step, divided by the number of columns.
        at_most: how many columns to choose.
    """
    chosen: list[int] = []
    n_columns = len(features)
    widths = np.array([codes.shape[1] for codes in features])
    while len(chosen) < at_most:
        rows = observed[:, chosen].all(1)
        shown = [codes[rows] for codes in features]
        statistic, freedom = np.zeros(n_columns), np.zeros(n_columns)
        for j in targets:
            hidden = ~observed[rows, j]
            if hidden.any() and not hidden.all():
                known = np.column_stack([np.empty((len(hidden), 0)), *(shown[i] for i in chosen if i != j)])
                others = [k for k in range(n_columns) if k != j and k not in chosen]
                statistic[others] += score_statistics(known, [shown[k] for k in others], hidden)
                freedom[others] += widths[others]
        log_p = np.where(freedom > 0, chi2.logsf(statistic, np.maximum(freedom, 1)), 0.0)
        # many log p are too small for a number: of those, the one with the largest statistic
        best = int(np.lexsort((freedom - statistic, log_p))[0])
        if log_p[best] > np.log(level / n_columns):
            break
        chosen.append(best)
    return chosen


def leading_directions(
    features: Sequence[np.ndarray], observed: np.ndarray, targets: Sequence[int], drivers: Sequence[int]
) -> dict[int, np.ndarray]:
    """How each driver's codes combine into one score, (f,) by driver, learned from all targets together.

    The targets' coefficients on a driver's codes are taken to be multiples of one vector: their leading right
    singular vector, at a length that makes the multiples 1 in root mean square.
    """
    rows = observed[:, list(drivers)].all(1)
    found: dict[int, list[np.ndarray]] = {k: [] for k in drivers}
    for j in targets:
        others = [k for k in drivers if k != j]
        if not others:
            continue
        coefficients = blank_coefficients(np.column_stack([features[k][rows] for k in others]), ~observed[rows, j])
        ends = np.cumsum([features[k].shape[1] for k in others])
        for k, part in zip(others, np.split(coefficients[1:], ends[:-1]), strict=True):
            found[k].append(part)
    directions = {}
    for k, parts in found.items():
        _, sizes, vectors = np.linalg.svd(np.array(parts))
        directions[k] = vectors[0] * sizes[0] / np.sqrt(len(parts))
    return directions
