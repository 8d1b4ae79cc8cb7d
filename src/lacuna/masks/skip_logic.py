"""Skip logic: a question that another answer makes idle is blank for good; other cells are lost at random."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.special import expit

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.logistic import intercept, standardised
from lacuna.masks.mcar import ConstantHiding
from lacuna.numerics.moments import column_moments
from lacuna.types import OrdinaryMask, Table

Cause = Literal["rule", "logistic", "hidden"]
SLOPE = 3.0  # of the log-odds of being meaningful, per sd of the score
N_DRIVERS = 3  # columns that a score is made of, at most
TOLERATED = 0.5  # a rule's share may differ from the wanted one by this part of it


class SkipLogic(Mask):
    """Some columns get meaningful blanks, and become candidates; then every cell is lost with probability ``ratio``.

    All of these columns are meaningfully missing in the same rows, as questions behind one filter are. The columns, and
    what decides on the rows, are drawn at random; the rows come closest to ``share`` of all.

    Args:
        cause: "rule": one other column, by its levels or a limit. "logistic": by chance, given a score of up to three
            other columns, slope 3. "hidden": a rule by a column that is then taken out of the table.
        share: of the rows, whose cells in these columns are meaningfully missing.
        skipped: share of the columns that get such blanks (rounded, at least one).
    """

    def __init__(self, cause: Cause = "rule", share: float = 0.3, skipped: float = 0.25) -> None:
        for name, value in (("share", share), ("skipped", skipped)):
            if not 0 < value < 1:
                raise ValueError(f"{name} must lie in (0, 1), got {value}")
        self.cause, self.share, self.skipped = cause, share, skipped

    def unsupported(self, table: Table) -> str | None:
        if len(table.columns) < 3:
            return f"table {table.name!r} has {len(table.columns)} columns, and skip logic needs 3"
        if np.isnan(table.values).any():
            return f"table {table.name!r} has blanks of its own, and which are meaningful is not known: use mask=none"
        return None

    def prepared(self, table: Table, rng: np.random.Generator) -> Table:
        if reason := self.unsupported(table):
            raise UserError(reason)
        d = len(table.columns)
        order = rng.permutation(d)
        if self.cause == "logistic":
            skipped, others = self._split(order)
            rows = self._by_chance(table.values[:, others[:N_DRIVERS]], rng)
        else:
            gate, rows = self._by_rule(table, order, rng)
            skipped, _ = self._split(order[order != gate])
        meaningful = np.zeros(table.values.shape, bool)
        meaningful[np.ix_(rows, skipped)] = True
        columns = tuple(replace(c, mm_candidate=True) if j in skipped else c for j, c in enumerate(table.columns))
        kept = np.arange(d) if self.cause != "hidden" else np.delete(np.arange(d), gate)
        return replace(
            table,
            columns=tuple(columns[j] for j in kept),
            values=np.where(meaningful, np.nan, table.values)[:, kept],
            meaningful=meaningful[:, kept],
            law=None,
            source=None,
            targets=(),
        )

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        return OrdinaryMask(rng.random(table.values.shape) < ratio, ConstantHiding(ratio))

    def _split(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The columns that get meaningful blanks, and all others."""
        n = max(1, round(self.skipped * len(order)))
        return order[:n], order[n:]

    def _by_chance(self, drivers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n,) bool"""
        score = standardised(drivers, *column_moments(drivers)) @ rng.standard_normal(drivers.shape[1])
        score *= SLOPE / (score.std() or 1.0)
        return rng.random(len(score)) < expit(score + intercept(score[:, None], self.share))

    def _by_rule(self, table: Table, order: np.ndarray, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """The first column in ``order`` whose levels or limits come near the share, and its rows (n,) bool."""
        best: tuple[float, int, np.ndarray] | None = None
        for j in map(int, order):
            rows = self._of_column(table.values[:, j], table.columns[j].discrete, rng)
            miss = abs(rows.mean() - self.share)
            if best is None or miss < best[0]:
                best = miss, j, rows
            if miss <= TOLERATED * self.share:
                break
        assert best is not None  # there are columns
        return best[1:]

    def _of_column(self, values: np.ndarray, discrete: bool, rng: np.random.Generator) -> np.ndarray:
        """Rows with some of the levels, or beyond a limit, whichever come nearest to the share."""
        levels, row_level, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranked = rng.permutation(len(levels)) if discrete else np.arange(len(levels))[:: rng.choice([-1, 1])]
        shares = counts[ranked].cumsum() / len(values)
        chosen = ranked[: int(np.abs(shares - self.share).argmin()) + 1]
        return np.isin(row_level, chosen)
