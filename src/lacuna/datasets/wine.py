"""Wine (UCI 109): 178 wines, 13 chemical measurements; scikit-learn ships the file."""

from __future__ import annotations

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.uci import standardised_table
from lacuna.types import Table


class Wine(Dataset):
    """178 x 13, standardised; the class label is not part of the table."""

    label = "Wine"
    description = "UCI Wine"
    seeded = False

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        from sklearn.datasets import load_wine

        wine = load_wine()
        return standardised_table("wine", wine.data, wine.feature_names)
