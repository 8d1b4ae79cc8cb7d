"""Tables of the UCI repository as the benchmarks use them: every column continuous and standardised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lacuna.types import Column, Table


def standardised_table(name: str, matrix: np.ndarray, names: Sequence[str]) -> Table:
    """A complete numeric matrix (n, d) as a Table with mean 0 and population sd 1 in each column.

    A constant column becomes 0. There is no test split.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    sd = matrix.std(axis=0)
    values = (matrix - matrix.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return Table(name, tuple(map(Column, names)), values, np.zeros(values.shape, dtype=bool))
