"""Median of numeric columns, most frequent level of categorical ones."""

from __future__ import annotations

import numpy as np

from lacuna.methods.mean_mode import MeanMode, column_center
from lacuna.types import Incomplete


class Median(MeanMode):
    """Fill every hidden cell with its column's median or mode over the observed training cells."""

    label = "median"

    def _fit(self, train: Incomplete, seed: int) -> None:
        centers = []
        for column, cells in zip(train.columns, train.values.T, strict=True):
            seen = cells[~np.isnan(cells)]
            median = np.median(seen)
            numeric = np.round(median) if column.kind == "integer" else median
            centers.append(column_center(column, seen) if column.discrete else numeric)
        self.centers_ = np.array(centers)
