"""Mixed columns as standardised float64 coordinates, in which the conditional models are linear."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Self

import numpy as np

from lacuna.types import Column, Incomplete


@dataclass(frozen=True)
class Design:
    """One coordinate for a number or for two levels, one a level for more; none for a column of one value.

    Numbers are standardised on their observed cells, and codes are kept: together they are the *state* (n, d).
    """

    columns: tuple[Column, ...]
    mean: np.ndarray  # (d,) of observed cells; 0 for levels
    sd: np.ndarray  # (d,) of observed cells; 1 for levels and constants
    varied: np.ndarray  # (d,) bool: columns with more than one observed value
    blocks: tuple[slice, ...]  # d: the coordinates of each column
    centers: tuple[np.ndarray, ...]  # d: of the coordinates of each column, over observed cells
    scales: tuple[np.ndarray, ...]  # d: their sds, 1 where they are constant

    @classmethod
    def fit(cls, train: Incomplete) -> Self:
        mean, sd = np.zeros(len(train.columns)), np.ones(len(train.columns))
        varied = np.zeros(len(train.columns), bool)
        widths, centers, scales = [], [], []
        for j, column in enumerate(train.columns):
            cells = train.values[train.observed[:, j], j]
            varied[j] = np.ptp(cells) > 0
            if not column.discrete:
                mean[j] = cells.mean()
                sd[j] = cells.std() if varied[j] else 1.0
            raw = _coordinates(column, (cells - mean[j]) / sd[j])[:, : None if varied[j] else 0]
            spread = raw.std(0)
            widths.append(raw.shape[1])
            centers.append(raw.mean(0))
            scales.append(np.where(spread > 0, spread, 1.0))
        edges = np.concatenate([[0], np.cumsum(widths)]).tolist()
        blocks = tuple(slice(a, b) for a, b in itertools.pairwise(edges))
        return cls(train.columns, mean, sd, varied, blocks, tuple(centers), tuple(scales))

    @property
    def width(self) -> int:
        return self.blocks[-1].stop

    def state(self, values: np.ndarray) -> np.ndarray:
        """(n, d) of values (n, d), NaN where they are."""
        return (values - self.mean) / self.sd

    def coordinates(self, j: int, cells: np.ndarray) -> np.ndarray:
        """(n, width of block j) of a column's state (n,)."""
        raw = _coordinates(self.columns[j], cells)[:, : len(self.centers[j])]
        return (raw - self.centers[j]) / self.scales[j]

    def features(self, state: np.ndarray) -> np.ndarray:
        """(n, width) of a state (n, d) without NaN."""
        return np.concatenate([self.coordinates(j, cells) for j, cells in enumerate(state.T)], axis=1)

    def others(self, j: int) -> np.ndarray:
        """(f,) indices of the coordinates of all columns but j."""
        return np.delete(np.arange(self.width), self.blocks[j])


def _coordinates(column: Column, cells: np.ndarray) -> np.ndarray:
    if column.n_levels > 2:
        return (cells[:, None] == np.arange(column.n_levels)).astype(float)
    return cells[:, None].astype(float)
