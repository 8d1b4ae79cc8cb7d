"""Logistic regression with a normal prior, by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit


class LogisticFit(NamedTuple):
    """Coefficients, and the curvature of minus the log posterior where the last step began."""

    coefficients: np.ndarray  # (q,)
    curvature: np.ndarray  # (q, q)


def fit_logistic(
    design: np.ndarray,
    outcome: np.ndarray,
    penalty: np.ndarray,
    start: np.ndarray,
    shortened: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
    steps: int,
    ridge: float = 0.0,
) -> LogisticFit:
    """The most probable coefficients.

    Args:
        design: (n, q), with a column of ones where there is an intercept.
        outcome: (n,) bool.
        penalty: (q,) precision of each coefficient's normal prior around 0.
        start: (q,) coefficients to start from.
        shortened: the part of a step (q,) that is taken; where outcomes are nearly separable, whole steps go too far.
        tolerance: the search ends with a step that is smaller in every coefficient.
        steps: at most.
        ridge: added to the curvature, which keeps it invertible without moving the solution.
    """
    coefficients = start
    for _ in range(steps):
        p = expit(design @ coefficients)
        gradient = design.T @ (outcome - p) - penalty * coefficients
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty) + ridge * np.eye(len(penalty))
        step = np.linalg.solve(curvature, gradient)
        coefficients = coefficients + shortened(step)
        if np.abs(step).max() < tolerance:
            break
    return LogisticFit(coefficients, curvature)
