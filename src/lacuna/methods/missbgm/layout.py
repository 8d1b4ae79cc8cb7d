"""How a mixed table becomes the state that MissBGM works on, and back.

State coordinates: the numeric columns in their order, one each, then every categorical column as a block of as
many coordinates as the widest has levels, probabilities of its levels, 0 past its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lacuna.encoding import Encoder
from lacuna.types import Incomplete, where


@dataclass(frozen=True)
class Layout:
    """N numeric columns, C categorical ones of at most L levels; width = N + C L."""

    encoder: Encoder
    numeric: np.ndarray  # (N,) table columns
    categorical: np.ndarray  # (C,) table columns
    levels: np.ndarray  # (C,) how many each has
    place: np.ndarray  # (encoder width,) where each encoded coordinate stands in the state

    @classmethod
    def fit(cls, train: Incomplete, standardise: bool) -> Layout:
        """Numeric columns are standardised on the observed cells, or left on their own scale."""
        encoder = Encoder.fit(train)
        discrete = where(train.columns, discrete=True)
        own_scale = discrete[encoder.column_of] | (not standardise)
        encoder = replace(encoder, mean=np.where(own_scale, 0.0, encoder.mean), sd=np.where(own_scale, 1.0, encoder.sd))
        numeric, categorical = np.flatnonzero(~discrete), np.flatnonzero(discrete)
        levels = np.array([train.columns[j].n_levels for j in categorical], dtype=np.intp)
        place = np.empty(encoder.width, dtype=np.intp)
        place[~discrete[encoder.column_of]] = np.arange(len(numeric))
        for i, j in enumerate(categorical):
            block = encoder.blocks[j]
            start = len(numeric) + i * levels.max()
            place[block] = np.arange(start, start + levels[i])
        return cls(encoder, numeric, categorical, levels, place)

    @property
    def n_numeric(self) -> int:
        return len(self.numeric)

    @property
    def max_levels(self) -> int:
        return int(self.levels.max()) if len(self.levels) else 0

    @property
    def width(self) -> int:
        return self.n_numeric + len(self.categorical) * self.max_levels

    @property
    def order(self) -> np.ndarray:
        """(d,) table columns in the state's order"""
        return np.concatenate([self.numeric, self.categorical])

    def encode(self, rows: Incomplete) -> np.ndarray:
        """(n, width) float32, 0 at hidden cells"""
        state = np.zeros((len(rows), self.width), dtype=np.float32)
        state[:, self.place] = self.encoder.encode(rows.values)
        return state

    def seen(self, rows: Incomplete) -> np.ndarray:
        """(n, d) bool: observed, columns in the state's order"""
        # numpy picks columns column by column, and a sweep takes a tenth longer over a mask that lies so in memory
        return np.ascontiguousarray(rows.observed[:, self.order])

    def spread(self, per_column: np.ndarray) -> np.ndarray:
        """(n, d) in the state's order -> (n, width), each column's value at all of its coordinates"""
        n = self.n_numeric
        return np.concatenate([per_column[:, :n], np.repeat(per_column[:, n:], self.max_levels, axis=1)], axis=1)

    def decode(self, state: Tensor) -> np.ndarray:
        """(n, width) -> (n, d) values, columns in the table's order"""
        return self.encoder.decode(state[:, torch.from_numpy(self.place).to(state.device)]).cpu().numpy()
