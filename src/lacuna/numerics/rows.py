"""Finding the rows of one table in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class RowLookup:
    """The first row of a table that each row of another is equal to; NaN equals NaN.

    Rows are sorted and compared by all of their bytes. A hash would be little faster, and takes some rows for others.
    """

    content: np.ndarray  # (u,) bytes of each distinct row, ascending
    first: np.ndarray  # (u,) int: the first row of that content

    @classmethod
    def of(cls, table: np.ndarray) -> Self:
        """``table`` (n, d), float64.

        >>> RowLookup.of(np.array([[0.0, np.nan], [np.nan, 0.0]])).find(np.array([[np.nan, -0.0], [0.0, 0.0]]))
        array([ 1, -1])
        """
        return cls(*np.unique(_content(table), return_index=True))

    def find(self, rows: np.ndarray) -> np.ndarray:
        """(m,) row numbers for rows (m, d), -1 where there is none."""
        wanted = _content(rows)
        at = np.minimum(np.searchsorted(self.content, wanted), len(self.content) - 1)
        return np.where(self.content[at] == wanted, self.first[at], -1)


def _content(rows: np.ndarray) -> np.ndarray:
    """(n,) bytes of each of rows (n, d), which have one NaN and one zero."""
    plain = np.ascontiguousarray(np.where(np.isnan(rows), np.nan, rows + 0.0))
    return plain.view(f"V{8 * rows.shape[1]}")[:, 0]
