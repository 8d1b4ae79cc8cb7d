"""Intervals that hold: widths by column, set on cells that are hidden again.

Split conformal prediction around a method's own quantiles (Romano, Patterson, Candes, "Conformalized quantile
regression", 2019). Cells hidden at random stand for the blanks, so coverage is promised where blanks are as random,
about so where they depend on observed cells, and not where values hide themselves.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.rng import stream
from lacuna.types import Draws, Incomplete


def interval_margins(
    method: Method, rows: Incomplete, alpha: float = 0.05, draws: int = 200, share: float = 0.1, seed: int = 0
) -> np.ndarray:
    """By how much the intervals of each column must reach further, (d,) in its units, at both ends.

    A copy of the method is fitted to the rows without some of their observed cells, and its intervals are compared
    with these. A negative margin draws intervals in that were too wide.

    Args:
        method: any that gives draws.
        rows: to learn from; n rows.
        alpha: intervals are to cover 1 - alpha.
        draws: behind the intervals; as many as behind those that the margins will be used on.
        share: of the observed cells of each column to hide again. A column with fewer than 1 / alpha such cells gets
            the largest margin that any of them needs, which promises less.

    Returns:
        NaN for levels, and for a column of which no cell can be hidden again.

    Raises:
        UserError: the method gives no draws.
    """
    rng = stream(seed, "conformal")
    again = rows.observed & (rng.random(rows.observed.shape) < share)
    for j in range(again.shape[1]):
        if again[:, j].sum() == rows.observed[:, j].sum():
            again[:, j] = False
    fewer = Incomplete(rows.columns, np.where(again, np.nan, rows.values), rows.observed & ~again)
    found = copy.deepcopy(method).fit(fewer, seed).impute(fewer, draws).draws
    if found is None:
        raise UserError(f"{type(method).__name__} gives no draws, and so no intervals")
    low, high = found.interval(alpha)
    row, column = found.cells.T
    lacks = np.maximum(low - rows.values[row, column], rows.values[row, column] - high)
    margins = np.full(len(rows.columns), np.nan)
    for j, c in enumerate(rows.columns):
        known = np.sort(lacks[again[row, column] & (column == j)])
        if len(known) and not c.discrete:
            rank = int(np.ceil((len(known) + 1) * (1 - alpha)))
            margins[j] = known[min(rank, len(known)) - 1]
    return margins


def with_margins(draws: Draws, margins: np.ndarray) -> Draws:
    """Draws whose bounds reach further by margins (d,) of their columns; NaN margins change nothing.

    Intervals drawn in do not turn over: they end at their middle.
    """
    margin = np.nan_to_num(margins[draws.cells[:, 1]])
    middle = (draws.lower + draws.upper) / 2
    return replace(
        draws, lower=np.minimum(draws.lower - margin, middle), upper=np.maximum(draws.upper + margin, middle)
    )
