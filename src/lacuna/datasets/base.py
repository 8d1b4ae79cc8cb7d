"""The data set contract: ``Dataset(...).load(rng, split_rng) -> Table``."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from lacuna.types import Table


class Dataset(ABC):
    """A source of one table; its constructor takes options."""

    label: str = ""  # in tables and figures; "": the id of its configuration
    description: str = ""  # where the rows come from, in words
    stand_in_for: str = ""  # id of the data set in whose place these rows were generated
    seeded: bool = True  # False: every seed gives the same table
    credentialed = False  # True: rows may not leave the user's machine; of a run only numbers go to MLflow

    @abstractmethod
    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read or generate the table.

        Args:
            rng: for data that are generated.
            split_rng: for choosing ``train_rows`` where the source has no split of its own.
        """
