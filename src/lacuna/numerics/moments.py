"""Mean and spread of columns with blanks."""

from __future__ import annotations

import numpy as np


def column_moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population sd (d,) over the non-NaN cells of values (n, d).

    The sd of a constant column is given as 1, so that one can divide by it; a column of NaN alone has mean 0.

    >>> column_moments(np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan]]))
    (array([2., 5., 0.]), array([1., 1., 1.]))
    """
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0.0).sum(0) / count
    sd = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(0) / count)
    # Rounding gives a constant column a spread of its own.
    return mean, np.where(sd > 1e-12 * np.abs(mean), sd, 1.0)
