"""The mask contract: ``Mask(...).draw(table, ratio, rng) -> OrdinaryMask``."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from lacuna.types import OrdinaryMask, Table


class Mask(ABC):
    """An observation process; its constructor takes options, ``draw`` applies it to a whole table."""

    label: str = ""  # in tables and figures; "": the id of its configuration
    seeded: bool = True  # False: every seed hides the same cells of a table
    equal_rates: bool = True  # False: columns that are lost differ in their rates; ``ratio`` is their mean, if scaled

    def unsupported(self, table: Table) -> str | None:
        """Why this mask cannot be applied to ``table``, in a sentence; None when it can."""
        return None

    def prepared(self, table: Table, rng: np.random.Generator) -> Table:
        """The table with the meaningful blanks that this process puts into it; the same table where it puts none."""
        return table

    @abstractmethod
    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        """Draw which cells are hidden; ``ratio`` in (0, 1) is the ordinary missing rate.

        Train and test rows share one mechanism: the same driving columns, weights and intercepts.
        """
