"""Finding the rows of one table in another."""

from __future__ import annotations

import numpy as np


class RowLookup:
    """Which row of a table (n, d) each row of another is equal to; NaN equals NaN."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table
        keys = row_keys(table)
        self.order = np.argsort(keys, kind="stable")  # the first of equal rows is found
        self.keys = keys[self.order]

    def find(self, rows: np.ndarray) -> np.ndarray:
        """(m,) row numbers for rows (m, d), -1 where there is none."""
        at = np.minimum(np.searchsorted(self.keys, row_keys(rows)), len(self.keys) - 1)
        found = self.order[at]
        same = ((rows == self.table[found]) | (np.isnan(rows) & np.isnan(self.table[found]))).all(1)
        return np.where(same, found, -1)


def row_keys(table: np.ndarray) -> np.ndarray:
    """(n,) uint64, equal for equal rows (n, d) of float64 and rarely for others.

    >>> keys = row_keys(np.array([[0.0, np.nan], [-0.0, np.nan], [np.nan, 0.0]]))
    >>> bool(keys[0] == keys[1]), bool(keys[0] == keys[2])
    (True, False)
    """
    bits = (np.where(np.isnan(table), np.nan, table) + 0.0).view(np.uint64)  # one NaN, one zero
    multipliers = np.random.default_rng(0).integers(1, 2**63, table.shape[1], dtype=np.uint64) * 2 + 1
    return ((bits ^ (bits >> np.uint64(32))) * multipliers).sum(1, dtype=np.uint64)
