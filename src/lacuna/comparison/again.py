"""Cells of an incomplete table, hidden again in the manner of its own blanks."""

from __future__ import annotations

import numpy as np

from lacuna.errors import UserError
from lacuna.types import Incomplete

LEAST, MOST = 0.05, 0.15  # share of the observed cells that are hidden again, in columns with blanks
FEWEST = 2  # cells that a column keeps


def hidden_again(rows: Incomplete, rng: np.random.Generator) -> np.ndarray:
    """(n, d) bool: observed cells to hide.

    Some rows lose the cells that a random incomplete row misses, so that columns are lost as often, and together, as
    they are in the table. How many rows do is such that, of the observed cells of columns with blanks, about as large a
    share is hidden as was, but at least 5%, that there is something to score, and at most 15%, that the table stays
    nearly what it is. No row loses its last observed cell.

    Raises:
        UserError: nothing is blank.
    """
    hidden = rows.hidden
    incomplete = np.flatnonzero(hidden.any(1))
    if not len(incomplete):
        raise UserError("the table has no blank: there is nothing to compare methods by")
    lost = hidden[rng.choice(incomplete, len(rows))] & rows.observed
    lost[~(rows.observed & ~lost).any(1)] = False
    with_blanks = hidden.any(0)
    share = lost[:, with_blanks].sum() / max(int(rows.observed[:, with_blanks].sum()), 1)
    wanted = float(np.clip(hidden[:, with_blanks].mean(), LEAST, MOST))
    lost[rng.random(len(rows)) * share >= wanted] = False
    lost[:, (rows.observed & ~lost).sum(0) < FEWEST] = False
    return lost


def without(rows: Incomplete, lost: np.ndarray) -> Incomplete:
    """The rows, with the cells ``lost`` (n, d) hidden too."""
    observed = rows.observed & ~lost
    return Incomplete(rows.columns, np.where(observed, rows.values, np.nan), observed)
