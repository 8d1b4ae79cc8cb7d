"""The tables that ``scripts/build_mimic_ed.py`` writes, with the meaningful missingness of the paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.mimic_ed.meaningful import draw_meaningful
from lacuna.datasets.mimic_ed.schema import COLUMNS, NAMES, TARGETS
from lacuna.errors import UserError, did_you_mean
from lacuna.types import Table

BUILD = "python scripts/build_mimic_ed.py --root DIR, where DIR is your PhysioNet download"


class MimicED(Dataset):
    """The user's own copy of MIMIC-IV-ED: 353,150 training and 88,287 test stays x 30 columns in the paper.

    Args:
        folder: holds train.parquet and test.parquet.
        n_train: that many training stays, chosen at random; None: all.
        n_test: the same of the test stays; 0: no test split.
    """

    label = "MIMIC-IV-ED"
    description = "MIMIC-IV-ED"
    credentialed = True

    def __init__(self, folder: str = "data/mimic_ed", n_train: int | None = None, n_test: int | None = None) -> None:
        if n_train is not None and n_train < 1:
            raise ValueError(f"n_train must be at least 1, got {n_train}")
        if n_test is not None and n_test < 0:
            raise ValueError(f"n_test must be at least 0, got {n_test}")
        self.folder, self.sizes = folder, {"train": n_train, "test": n_test}

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read the tables and draw what is meaningfully missing.

        Raises:
            UserError: the tables are not there, are not those of the build, or hold fewer stays than asked for.
        """
        parts = [read(Path(self.folder) / f"{split}.parquet") for split in self.sizes]
        truth = np.concatenate(parts)
        # drawn before rows are chosen: a stay has the same blanks in a table of any size
        meaningful = draw_meaningful(truth, rng)
        train_rows = np.arange(len(truth)) < len(parts[0])
        kept = np.concatenate(
            [self._choose(split, rows, split_rng) for split, rows in (("train", train_rows), ("test", ~train_rows))]
        )
        values = np.where(meaningful, np.nan, truth)[kept]
        split = train_rows[kept]
        both = None if split.all() else split
        return Table("mimic_ed", COLUMNS, values, meaningful[kept], both, targets=TARGETS)

    def _choose(self, split: str, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The numbers of the rows (n,) bool that are kept, in order."""
        numbers, size = np.flatnonzero(rows), self.sizes[split]
        if size is None:
            return numbers
        if size > len(numbers):
            raise UserError(f"dataset.n_{split}={size:,}, but {self.folder} has {len(numbers):,} {split} stays")
        return np.sort(rng.permutation(numbers)[:size])


def read(path: Path) -> np.ndarray:
    """The 30 columns (n, 30) of one table."""
    import pandas as pd
    import pyarrow

    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run {BUILD}") from None
    except (OSError, pyarrow.ArrowException, ValueError):
        raise UserError(f"{path} cannot be read: delete it and run {BUILD}") from None
    if missing := [name for name in NAMES if name not in frame]:
        known = did_you_mean(missing[0], map(str, frame))
        raise UserError(f"{path} has no column {missing[0]!r}{known}: delete it and run {BUILD}")
    values = frame[list(NAMES)].to_numpy(np.float64, na_value=np.nan)
    if not len(values) or np.isnan(values).any():
        raise UserError(f"{path} is empty or has blank cells, and the truth has none: delete it and run {BUILD}")
    return values
