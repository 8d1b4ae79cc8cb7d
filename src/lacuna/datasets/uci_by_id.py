"""Any table of the UCI repository by its number, such as 109 for Wine."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.csv import CSV, Name, Schema
from lacuna.datasets.uci import cached
from lacuna.types import Table

REPOSITORY = "https://archive.ics.uci.edu"


class UCI(Dataset):
    """Read as a CSV file of the user's would be: kinds and levels inferred, empty cells and ? blank.

    Args:
        id: number in the repository, as in https://archive.ics.uci.edu/dataset/109.
        schema: kind by column where the file misleads: continuous, integer, categorical, date, or ignore.
        mm_candidates: the columns that may hold meaningful missingness.
        test_fraction: share of the rows kept for testing, in [0, 1).
        folder: holds <id>.csv, fetched once.
    """

    description = "a table of the UCI repository"
    seeded = False

    def __init__(
        self,
        id: int,
        *,
        schema: Schema | str | None = None,
        mm_candidates: list[Name] | Name | None = None,
        test_fraction: float = 0.0,
        folder: str = "data/uci",
    ) -> None:
        if id < 1:
            raise ValueError(f"id is the number of a data set, 1 or more, got {id}")
        self.id, self.path = id, Path(folder) / f"{id}.csv"
        self.file = CSV(
            str(self.path), schema=schema, mm_candidates=mm_candidates, na_values="?", test_fraction=test_fraction
        )
        self.seeded = test_fraction > 0

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read the file, fetched where it is not there.

        Raises:
            UserError: it cannot be fetched, or is no table.
        """
        cached(self.path, self.id, lambda: fetch(self.id))
        return without_source(self.file.load(rng, split_rng), f"uci_{self.id}")


def fetch(number: int) -> bytes:
    """The CSV file that the repository gives out for a data set, all columns.

    Raises:
        OSError: it did not answer, or has no such file.
    """
    with urllib.request.urlopen(f"{REPOSITORY}/api/dataset?id={number}") as answer:
        about = json.load(answer).get("data") or {}
    if not (address := about.get("data_url")):
        raise OSError(f"the repository gives out no single file for data set {number}")
    with urllib.request.urlopen(address) as answer:
        content: bytes = answer.read()
    return content


def without_source(table: Table, name: str) -> Table:
    """A table that was read from a file of a cache: nobody wants that file completed."""
    return replace(table, name=name, source=None, meaningful_known=not np.isnan(table.values).any())
