"""Concrete compressive strength (UCI 165): what 1,030 concretes are mixed of, and their age."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.uci import cached, fetch_frame, of_shape, standardised_table
from lacuna.types import Table

UCI_NUMBER = 165
NAMES = (
    "cement",
    "slag",
    "fly_ash",
    "water",
    "superplasticizer",
    "coarse_aggregate",
    "fine_aggregate",
    "age",
)


class Concrete(Dataset):
    """1,030 x 8, standardised; the strength is not part of the table.

    Args:
        folder: holds concrete.csv: a header, the eight components in the repository's order, then the strength.
    """

    label = "Concrete"
    description = "UCI Concrete"
    seeded = False

    def __init__(self, folder: str = "data/uci") -> None:
        self.folder = folder

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        import pandas as pd

        path = cached(Path(self.folder) / "concrete.csv", UCI_NUMBER, _fetch)
        frame = pd.read_csv(path).iloc[:, : len(NAMES)].apply(pd.to_numeric, errors="coerce")
        return standardised_table("concrete", of_shape(frame.to_numpy(np.float64), (1030, 8), path), NAMES)


def _fetch() -> bytes:
    content: bytes = fetch_frame(UCI_NUMBER).to_csv(index=False).encode()
    return content
