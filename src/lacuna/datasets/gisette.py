"""Gisette (UCI 170): 13,500 handwritten fours and nines, 5,000 features of pixels and distractors."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.uci import cached, fetch_archive, of_shape, standardised_table
from lacuna.errors import UserError
from lacuna.files import whole
from lacuna.types import Table

UCI_NUMBER = 170
N_FEATURES = 5000
PARTS = {"gisette_train.data": 6000, "gisette_valid.data": 1000, "gisette_test.data": 6500}  # rows


class Gisette(Dataset):
    """13,500 x 5,000, standardised: the training, validation and test parts one after the other.

    Args:
        folder: holds gisette.zip, the repository's archive; gisette.npy, its numbers, is made beside it.
    """

    label = "Gisette"
    description = "UCI Gisette"
    seeded = False

    def __init__(self, folder: str = "data/uci") -> None:
        self.folder = folder

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        numbers = Path(self.folder) / "gisette.npy"
        if not numbers.is_file():
            archive = cached(
                Path(self.folder) / "gisette.zip", UCI_NUMBER, lambda: fetch_archive(UCI_NUMBER, "gisette")
            )
            with whole(numbers) as temporary, temporary.open("wb") as file:
                np.save(file, _read(archive))
        matrix = of_shape(np.load(numbers), (sum(PARTS.values()), N_FEATURES), numbers)
        return standardised_table("gisette", matrix, [f"f{i + 1}" for i in range(N_FEATURES)])


def _read(archive: Path) -> np.ndarray:
    """The three parts (13,500, 5,000) uint16, wherever in the archive they lie."""
    blocks = []
    with ZipFile(archive) as files:
        for part, n_rows in PARTS.items():
            name = next((n for n in files.namelist() if n.endswith(part)), None)
            if name is None:
                raise UserError(f"{archive} does not hold {part}: delete it to fetch it again")
            numbers = np.array(files.read(name).split(), dtype=np.uint16)
            if numbers.size != n_rows * N_FEATURES:
                raise UserError(f"{archive}: {part} holds {numbers.size} numbers, not {n_rows} x {N_FEATURES}")
            blocks.append(numbers.reshape(n_rows, N_FEATURES))
    return np.concatenate(blocks)
