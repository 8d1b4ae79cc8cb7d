"""Any table of OpenML by its number, such as 61 for Iris."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.csv import CSV, Name, Schema
from lacuna.datasets.uci import time_out
from lacuna.datasets.uci_by_id import without_source
from lacuna.errors import UserError
from lacuna.files import whole
from lacuna.types import Table

SECONDS = 30.0  # without an answer before OpenML counts as out of reach


class OpenML(Dataset):
    """Features and target; nominal attributes have their levels, the kinds of all others are inferred.

    Args:
        id: number of the data set, as in https://www.openml.org/d/61.
        schema: kind by column where the table misleads: continuous, integer, categorical, date, or ignore.
        mm_candidates: the columns that may hold meaningful missingness.
        test_fraction: share of the rows kept for testing, in [0, 1).
        folder: holds <id>.parquet, fetched once.
    """

    description = "a table of OpenML"

    def __init__(
        self,
        id: int,
        *,
        schema: Schema | str | None = None,
        mm_candidates: list[Name] | Name | None = None,
        test_fraction: float = 0.0,
        folder: str = "data/openml",
    ) -> None:
        if id < 1:
            raise ValueError(f"id is the number of a data set, 1 or more, got {id}")
        self.id, self.path = id, Path(folder) / f"{id}.parquet"
        self.file = CSV(str(self.path), schema=schema, mm_candidates=mm_candidates, test_fraction=test_fraction)
        self.seeded = test_fraction > 0

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read the file, fetched where it is not there.

        Raises:
            UserError: it cannot be fetched, or is no table.
            StorageError: it cannot be written.
        """
        if not self.path.is_file():
            content = fetch(self.id)
            with whole(self.path) as temporary:
                temporary.write_bytes(content)
        return without_source(self.file.load(rng, split_rng), f"openml_{self.id}")


def fetch(number: int) -> bytes:
    """A data set as Parquet.

    Raises:
        UserError: OpenML did not answer, or has no such data set.
    """
    from sklearn.datasets import fetch_openml

    try:  # as features all: the target of a classification may not have blanks
        with tempfile.TemporaryDirectory() as folder, time_out(SECONDS):
            found = fetch_openml(data_id=number, target_column=None, data_home=folder, as_frame=True, n_retries=1)
            content: bytes = found.frame.to_parquet(index=False)
    except Exception as error:  # whatever a half answer, or none, leads to
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(
            f"data set {number} of OpenML is not cached and could not be fetched ({reason}): "
            "run it once where https://www.openml.org answers, or copy the cached file here"
        ) from error
    return content
