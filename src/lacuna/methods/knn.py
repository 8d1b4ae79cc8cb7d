"""Nearest neighbours: Troyanskaya et al., "Missing value estimation methods for DNA microarrays", 2001."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from lacuna.backend.device import pick
from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.numerics.knn import knn_complete
from lacuna.types import Imputation, Incomplete


class KNN(Method):
    """Fill a hidden cell with the mean, or the most frequent level, over the nearest training rows that show it.

    Distances are Euclidean over what two rows both show, standardised, categories as 0/1 coordinates: scikit-learn's
    ``KNNImputer``.

    Args:
        neighbours: rows averaged for a cell.
    """

    label = "nearest neighbours"
    seeded: ClassVar[bool] = False

    def __init__(self, neighbours: int = 5, device: str = "auto") -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, got {neighbours}")
        self.neighbours, self.device = neighbours, device

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.encoder_ = Encoder.fit(train)
        self.donors_ = self._encoded(train)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        incomplete = np.flatnonzero(rows.hidden.any(1))
        cells, seen = self._encoded(rows.take(incomplete))
        means = torch.zeros(self.encoder_.width, device=cells.device)
        completed = knn_complete(cells, seen, *self.donors_, self.neighbours, means)
        values = rows.values.copy()
        values[incomplete] = self.encoder_.decode(completed).cpu().numpy()
        return Imputation(values)

    def _encoded(self, rows: Incomplete) -> tuple[torch.Tensor, torch.Tensor]:
        """Coordinates (n, width), 0 where hidden, and which are seen, (n, width) bool."""
        device = pick(self.device)
        cells = torch.from_numpy(self.encoder_.encode(rows.values)).to(device)
        return cells, torch.from_numpy(rows.observed[:, self.encoder_.column_of]).to(device)
