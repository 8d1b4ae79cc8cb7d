"""Blank patterns of a real table, laid on rows that have nothing to do with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import softmax

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.types import OrdinaryMask, Table


class Pattern(Mask):
    """Each row of the table loses the cells that a random row of another table misses.

    Columns of the pattern that have blanks are laid on random columns of the table, in the same way for all rows; the
    table's other columns are never lost. Whole rows are drawn, with replacement, so that blanks that come together
    in the pattern come together here. The blanks have nothing to do with the values. Cells of one row are not lost
    independently, so that the process has no ``hide_probability``.

    Args:
        blanks: the pattern: a .csv or .parquet file, whose blank cells count (in a text file as in pandas), or an
            array (m, q) bool, True where blank.
        scaled: True: rows of the pattern with more or fewer blanks are drawn more often, as little as possible (by
            exponential tilting), so that the columns of the pattern are lost at ``ratio`` on average. False: rows are
            drawn alike, and ``ratio`` is ignored.
    """

    equal_rates = False

    def __init__(self, blanks: str | Path | np.ndarray, scaled: bool = True) -> None:
        if not isinstance(blanks, str | Path):
            blanks = np.asarray(blanks)
            if blanks.ndim != 2 or blanks.dtype != bool:
                raise ValueError(f"blanks must be a file or a bool array (m, q), got {blanks.dtype} {blanks.shape}")
        self.blanks, self.scaled = blanks, scaled

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        blank = self.blanks if isinstance(self.blanks, np.ndarray) else read_blanks(Path(self.blanks))
        blank = blank[:, blank.any(0)]
        if not blank.size:
            where = "the array" if isinstance(self.blanks, np.ndarray) else self.blanks
            raise UserError(f"mask.blanks: no cell of {where} is blank; give a table that has blanks")
        n, d = table.values.shape
        width = min(d, blank.shape[1])
        columns, of_pattern = rng.permutation(d)[:width], rng.permutation(blank.shape[1])[:width]
        blank = blank[:, of_pattern]
        weights = tilted(blank.mean(1), ratio) if self.scaled else None
        ordinary = np.zeros((n, d), bool)
        ordinary[:, columns] = blank[rng.choice(len(blank), n, p=weights)]
        return OrdinaryMask(ordinary)


def tilted(shares: np.ndarray, ratio: float) -> np.ndarray:
    """Weights (m,), sum 1, proportional to exp(t * share), under which ``shares`` (m,) have the mean ``ratio``.

    Of all weights with that mean they are nearest to equal ones, in Kullback-Leibler divergence.

    Raises:
        UserError: every row has a larger, or every row a smaller share.

    >>> tilted(np.array([0.0, 1.0, 0.0]), 0.5).round(6)
    array([0.25, 0.5 , 0.25])
    """
    if not shares.min() < ratio < shares.max():
        raise UserError(
            f"the rows of the pattern have between {shares.min():.1%} and {shares.max():.1%} of blanks: "
            f"ratio {ratio} cannot be reached; give one in between, or set mask.scaled=false"
        )
    reach = 100 / min(ratio - shares.min(), shares.max() - ratio)
    t = brentq(lambda t: softmax(t * shares) @ shares - ratio, -reach, reach, xtol=1e-12)
    return softmax(t * shares)


def read_blanks(path: Path) -> np.ndarray:
    """(m, q) bool, True where a cell of the file is blank.

    Raises:
        UserError: it cannot be read.
    """
    try:
        # text cells: what they hold beside blanks does not count
        frame = pd.read_parquet(path) if path.suffix in (".parquet", ".pq") else pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise UserError(f"mask.blanks={path} cannot be read: {' '.join(str(error).split())}") from None
    return frame.isna().to_numpy()
