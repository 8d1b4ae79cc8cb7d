"""How much worse a blank is predicted than an observed cell that was left out.

What fills the other blanks of a row has been told by its observed cells, so that each of those is predicted too well
even by a model that never saw it. Cells hidden a second time, before anything is learned, have no such help.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lacuna.types import Incomplete

SHARE = 0.1  # of the observed cells, hidden a second time; more would leave less to predict them from
ENOUGH, PROBES = 250, 2  # small tables are asked again until so many cells have been hidden, or so often
KEPT = 30  # observed cells of a column that are not touched
PRIOR = 30  # cells that the common ratio of all columns counts in each


def hide_again(rows: Incomplete, columns: Sequence[int], rng: np.random.Generator) -> tuple[Incomplete, np.ndarray]:
    """The rows (n, d) with more blanks in these columns, and which those are, (n, d) bool."""
    again = np.zeros_like(rows.observed)
    again[:, columns] = rng.random((len(rows), len(columns))) < SHARE
    again &= rows.observed
    again[:, (rows.observed & ~again).sum(0) < KEPT] = False
    observed = rows.observed & ~again
    return Incomplete(rows.columns, np.where(observed, rows.values, np.nan), observed), again


def widths(left_out: Sequence[np.ndarray], hidden: Sequence[np.ndarray]) -> np.ndarray:
    """(c,) ratio of the errors of cells hidden again to those of cells left out, of each column; 1 at least.

    >>> widths([np.array([-1.0, 1.0])], [np.full(50, 1.5)]).tolist()
    [1.5]
    """
    scale = np.array([np.var(errors) for errors in left_out])  # their mean is known
    count = np.array([len(errors) for errors in hidden])
    square = np.array([(errors**2).sum() for errors in hidden]) / np.maximum(scale, 1e-12)
    if not count.sum():
        return np.ones(len(count))
    common = square.sum() / count.sum()
    return np.sqrt(np.maximum((square + PRIOR * common) / (count + PRIOR), 1.0))
