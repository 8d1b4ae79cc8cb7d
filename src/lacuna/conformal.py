"""Intervals that cover as often as they say: their widths are set by column on observed cells that are hidden again.

Split conformal prediction around a method's own intervals (Romano, Patterson, Candes, "Conformalized quantile
regression", 2019). Cells hidden at random stand for the blanks, so coverage is promised where blanks are as random,
about so where they depend on observed cells, and not where values hide themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.numerics.moments import column_moments
from lacuna.rng import stream
from lacuna.types import Column, Draws, Incomplete

ENOUGH_CELLS = 400  # of a column, to set its widths on
FEWEST_CELLS = 40  # of a column that has fewer blanks
LEAST_SHARE, MOST_SHARE = 0.1, 0.2  # of the observed cells of a column that are hidden again
FLOOR = 0.1  # sds of the column, that count besides the half width of an interval: it may be 0
MOST_ROWS = 20_000  # that are learned from again


@dataclass(frozen=True)
class Margins:
    """By how much the intervals of each of d columns reach further, at both ends.

    In shares of half the interval's width plus ``floor``: an interval that is wider than others, or whose method has
    learned from more cells, is changed in proportion.
    """

    columns: tuple[Column, ...]
    share: np.ndarray  # (d,) NaN for levels, and for a column without blanks or with one value
    floor: np.ndarray  # (d,) in units of the column
    n_cells: np.ndarray  # (d,) int, cells that it rests on
    low: np.ndarray  # (d,) what no interval reaches below: a bound, or 0 for a column without negative numbers
    high: np.ndarray  # (d,) nor above
    alpha: float
    seed: int

    def widened(self, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """(k,) lower and upper bounds set anew; intervals drawn in do not turn over, but end at their middle.

        Bounds of whole numbers are whole. Each is rounded up or down at random, as coverage wants it on average:
        between the two, intervals of counts would nearly all cover more often than they say.

        Args:
            draws: with ``interval(alpha)``.
        """
        column = draws.cells[:, 1]
        lower, upper = draws.interval(self.alpha)
        margin = np.nan_to_num(self.share)[column] * ((upper - lower) / 2 + self.floor[column])
        whole = np.array([c.whole for c in self.columns])[column]
        at_low, at_high = _at_ends(lower, upper, self.low[column], self.high[column], whole)
        middle = np.where(at_low, lower, np.where(at_high, upper, (lower + upper) / 2))
        lower = np.where(at_low, lower, np.minimum(lower - margin, middle))
        upper = np.where(at_high, upper, np.maximum(upper + margin, middle))
        rough = whole & ~np.isnan(self.share)[column]
        shift = stream(self.seed, "conformal", "rounding").uniform(-0.5, 0.5, len(column))
        first, last = np.ceil(lower - shift), np.floor(upper - shift)
        empty, nearest = first > last, np.round(middle)
        lower = np.where(rough, np.where(empty, nearest, first), lower)
        upper = np.where(rough, np.where(empty, nearest, last), upper)
        ends = self.low[column], self.high[column]
        return lower.clip(*ends), upper.clip(*ends)


def interval_margins(
    method: Method, rows: Incomplete, known: Draws, alpha: float = 0.05, draws: int = 200, seed: int = 0
) -> Margins:
    """Margins found by fitting a method to the rows without some of their observed cells.

    Its intervals are compared with these cells. A negative margin draws intervals in that were too wide: less so where
    the method, having learned from fewer cells, gives wider ones than it does otherwise.

    Args:
        method: any that gives draws; it is fitted here.
        rows: to learn from; of more than ``MOST_ROWS`` a random part.
        known: draws of the method as fitted to all of the rows, for these rows.
        alpha: intervals are to cover 1 - alpha. A column of which fewer than 1 / alpha - 1 cells are hidden again gets
            the largest margin that any of them needs, which covers less.
        draws: behind the intervals; as many as behind those that the margins will be used on.

    Raises:
        UserError: the method gives no draws.
    """
    rng = stream(seed, "conformal")
    low, high = _ends(rows)
    if len(rows) > MOST_ROWS:
        rows = rows.take(np.sort(rng.choice(len(rows), MOST_ROWS, replace=False)))
    again = hidden_again(rows, rng)
    fewer = Incomplete(rows.columns, np.where(again, np.nan, rows.values), rows.observed & ~again)
    asked = again.any(1)
    found = method.fit(fewer, seed).impute(fewer if not method.inductive else fewer.take(asked), draws).draws
    if found is None:
        raise UserError(f"{type(method).__name__} gives no draws, and so no intervals")
    truth, at = (rows.values, again) if not method.inductive else (rows.values[asked], again[asked])
    lower, upper = found.interval(alpha)
    row, column = found.cells.T
    whole = np.array([c.whole for c in rows.columns])[column]
    truth = truth[row, column] + rng.uniform(-0.5, 0.5, len(row)) * whole
    at_low, at_high = _at_ends(lower, upper, low[column], high[column], whole)
    lacks = np.maximum(np.where(at_low, -np.inf, lower - truth), np.where(at_high, -np.inf, truth - upper))
    floor, half = FLOOR * column_moments(rows.values)[1], (upper - lower) / 2
    lacks /= half + floor[column]
    share, n_cells = np.full(len(rows.columns), np.nan), np.zeros(len(rows.columns), int)
    known_half, known_column = np.subtract(*known.interval(alpha)[::-1]) / 2, known.cells[:, 1]
    for j, c in enumerate(rows.columns):
        of_column, tried = column == j, at[row, column]
        scores = np.sort(lacks[tried & of_column])
        if not len(scores) or c.discrete:
            continue
        rank = (len(scores) + 1) * (1 - alpha)  # of k cells the i-th covers a further one with chance i / (k + 1)
        share[j], n_cells[j] = np.interp(rank, np.arange(1, len(scores) + 1), scores), len(scores)
        now, fewer_known = known_half[known_column == j], half[of_column & ~tried]
        if share[j] < 0 and len(now) and len(fewer_known):
            share[j] *= min(1.0, float(np.median(now) + floor[j]) / float(np.median(fewer_known) + floor[j]))
    return Margins(rows.columns, share, floor, n_cells, low, high, alpha, seed)


def hidden_again(rows: Incomplete, rng: np.random.Generator) -> np.ndarray:
    """(n, d) bool: observed cells of the columns that have blanks, spread over rows: as far as can be, one in a row.

    Of each column about as many as it has blanks, within limits: rows of many more blanks than the others, and
    columns that are blank much more often than before, would make a harder problem than the one at hand.
    """
    n_seen, n_blank = rows.observed.sum(0), rows.hidden.sum(0)
    share = (ENOUGH_CELLS / np.maximum(n_seen, 1)).clip(LEAST_SHARE, MOST_SHARE)
    wanted = np.minimum(share * n_seen, np.maximum(n_blank, FEWEST_CELLS)) * (n_blank > 0)
    again, in_row = np.zeros(rows.observed.shape, bool), rng.random(len(rows))
    for j in rng.permutation(len(rows.columns)):
        seen = np.flatnonzero(rows.observed[:, j])
        n_again = min(int(wanted[j]), len(seen) - 1)
        chosen = seen[np.argsort(in_row[seen], kind="stable")[:n_again]]
        again[chosen, j] = True
        in_row[chosen] += 1
    return again


def _at_ends(
    lower: np.ndarray, upper: np.ndarray, low: np.ndarray, high: np.ndarray, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(k,) bool each: bounds at an end of what is possible, which stay there.

    Many values may lie just there, such as zeros: drawn in, the bound would miss them all.
    """
    return (lower <= low) & ~whole, (upper >= high) & ~whole


def _ends(rows: Incomplete) -> tuple[np.ndarray, np.ndarray]:
    """(d,) each: given bounds; and 0 below a column that has no negative number."""
    low, high = np.array([c.bounds for c in rows.columns]).T
    natural = np.where((rows.values >= 0) | rows.hidden, 0.0, -np.inf).min(0)
    return np.maximum(low, natural), high
