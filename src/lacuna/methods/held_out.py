"""Cells held out of a table's observed ones, to choose a setting by, and the error there."""

from __future__ import annotations

import numpy as np

from lacuna.types import Incomplete

HELD_OUT = 0.1  # of the observed cells of each column


def held_out_cells(table: Incomplete, rng: np.random.Generator) -> np.ndarray:
    """(n, d) bool: a share of the observed cells of each column, of which two different ones stay."""
    held_out = np.zeros(table.observed.shape, bool)
    for j, seen in enumerate(table.observed.T):
        rows = rng.permutation(np.flatnonzero(seen))
        taken = rows[: round(HELD_OUT * len(rows))]
        rest = table.values[rows[len(taken) :], j]
        if len(rest) and np.ptp(rest) > 0:
            held_out[taken, j] = True
    return held_out


def normalised_error(table: Incomplete, completed: np.ndarray, cells: np.ndarray) -> float:
    """Mean over columns of the root mean square error in units of sd, or of the share of wrong levels.

    >>> from lacuna.types import Column
    >>> table = Incomplete((Column("x"),), np.array([[0.0], [2.0]]), np.ones((2, 1), bool))
    >>> normalised_error(table, table.values + 0.5, np.ones((2, 1), bool))
    0.5

    Args:
        completed: (n, d); cells: (n, d) bool, which count.
    """
    errors = []
    for j, column in enumerate(table.columns):
        truth, found = table.values[cells[:, j], j], completed[cells[:, j], j]
        if not len(truth):
            continue
        if column.discrete:
            errors.append(np.mean(truth != found))
        else:
            errors.append(np.sqrt(np.mean((truth - found) ** 2)) / np.nanstd(table.values[:, j]))
    return float(np.mean(errors)) if errors else 0.0
