"""Breast cancer Wisconsin, original (UCI 15): cytology of 683 fine needle aspirates, scores from 1 to 10."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.uci import cached, fetch_frame, of_shape, standardised_table
from lacuna.types import Table

UCI_NUMBER = 15
NAMES = (
    "clump_thickness",
    "uniformity_of_cell_size",
    "uniformity_of_cell_shape",
    "marginal_adhesion",
    "single_epithelial_cell_size",
    "bare_nuclei",
    "bland_chromatin",
    "normal_nucleoli",
    "mitoses",
)


class Breast(Dataset):
    """683 x 9, standardised, without number and class; 16 rows of the file with a blank are left out.

    Args:
        folder: holds breast-cancer-wisconsin.data as the repository has it: number, nine scores, class, ? for blanks.
    """

    label = "Breast"
    description = "UCI Breast Cancer Wisconsin"
    seeded = False

    def __init__(self, folder: str = "data/uci") -> None:
        self.folder = folder

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        import pandas as pd

        path = cached(Path(self.folder) / "breast-cancer-wisconsin.data", UCI_NUMBER, _fetch)
        frame = pd.read_csv(path, header=None, na_values="?").iloc[:, 1:-1].dropna()
        matrix = frame.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
        return standardised_table("breast", of_shape(matrix, (683, 9), path), NAMES)


def _fetch() -> bytes:
    content: bytes = fetch_frame(UCI_NUMBER).to_csv(header=False, index=False, na_rep="?").encode()
    return content
