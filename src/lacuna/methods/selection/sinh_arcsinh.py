"""The sinh-arcsinh family (Jones and Pewsey 2009): a normal whose skewness and tails are free."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize


def max_log_likelihood(values: np.ndarray, symmetric: bool = False) -> float:
    """Of values (n,) with some spread, at the best location, scale, tail weight and, if not symmetric, skewness.

    z = sinh(tail asinh((x - location) / scale) - skewness) is standard normal.
    """
    start = np.array([values.mean(), np.log(values.std()), 0.0, 0.0])
    low, high = start[1] - 5, start[1] + 5
    bounds = [(None, None), (low, high), (0.0, 0.0) if symmetric else (-5.0, 5.0), (-3.0, 3.0)]
    fit = minimize(negative_log_likelihood, start, args=(values,), jac=True, method="L-BFGS-B", bounds=bounds)
    return -float(fit.fun)


def negative_log_likelihood(parameters: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray]:
    """At (location, log scale, skewness, log tail), and its gradient (4,)."""
    location, log_scale, skewness, log_tail = parameters
    tail, scale = np.exp(log_tail), np.exp(log_scale)
    u = (values - location) / scale
    bent = np.arcsinh(u)
    w = np.clip(tail * bent - skewness, -150.0, 150.0)
    z, cosh = np.sinh(w), np.cosh(w)
    square = 1 + u**2
    log_density = log_tail - log_scale - np.log(2 * np.pi) / 2 + np.log(cosh) - np.log(square) / 2 - z**2 / 2
    by_w = np.tanh(w) - z * cosh
    by_u = by_w * tail / np.sqrt(square) - u / square
    gradient = np.array(
        [-by_u.sum() / scale, -len(u) - by_u @ u, -by_w.sum(), len(u) + tail * (by_w @ bent)],
    )
    return -float(log_density.sum()), -gradient
