"""The observation process: how probable an ordinary blank is, by row, in each column that may hold others too.

What is known: columns that cannot be meaningful show the process bare. From them come its rate and the columns
that drive it. In a candidate column the blanks of the process are logistic in the drivers, with weights of its
own, and average to about the common rate; ``numerics.ordinary`` parts them from the meaningful ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from scipy.special import logit

from lacuna.errors import UserError
from lacuna.methods.selective.blanks import BlankScores
from lacuna.methods.selective.drivers import find_drivers, leading_directions
from lacuna.methods.selective.ordinary import OrdinaryRate, crossed_strata, fit_ordinary_rate
from lacuna.methods.selective.references import References
from lacuna.types import Column, Incomplete

Ordinary = Literal["common", "per_row"] | float

LEVEL = 1e-3  # of the tests that look for drivers
MAX_DRIVERS = 10

SPARED = 1e-12  # prior probability that the process has a rate of its own on a column: the data have to insist
SPARED_DRIVER = 0.5  # on one that drives it
FEWEST_ROWS = 100  # with all drivers observed, that blanks which come together are looked for in
SUREST = 0.25  # share of the rows that the process is learned from, at least
SCORE_LIMIT = 5.0  # standard scores beyond are drawn in


@dataclass(frozen=True)
class ColumnCode:
    """One column as numbers with mean 0 and sd 1: standard scores, or indicators of levels."""

    index: int
    centre: np.ndarray  # (f,)
    sd: np.ndarray  # (f,)
    discrete: bool

    @classmethod
    def of(cls, column: Column, index: int, cells: np.ndarray) -> Self:
        """``cells`` (k,) are the observed ones. The last level needs no indicator."""
        raw = (cells[:, None] == np.arange(column.n_levels - 1)) if column.discrete else cells[:, None]
        sd = raw.std(0)
        return cls(index, raw.mean(0), np.where(sd > 0, sd, 1.0), column.discrete)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(n, f) of values (n, d); 0, the mean, where hidden."""
        cells = values[:, self.index, None]
        raw = np.where(np.isnan(cells), np.nan, cells == np.arange(len(self.centre))) if self.discrete else cells
        return np.nan_to_num((raw - self.centre) / self.sd).clip(-SCORE_LIMIT, SCORE_LIMIT)


@dataclass(frozen=True)
class ColumnProcess:
    """Ordinary blanks of one candidate column: logistic in values of drivers and in blanks of reference columns."""

    column: int
    codes: tuple[ColumnCode, ...]  # of the drivers
    directions: tuple[np.ndarray, ...]
    blanks: BlankScores | None
    rate: OrdinaryRate

    def scores(self, shown: np.ndarray, blank: np.ndarray) -> np.ndarray:
        """(m, n, f) of completed tables (m, n, d), NaN where meaningful, of rows with blanks (n, d)."""
        return all_scores(self.codes, self.directions, self.blanks, shown, blank)

    def probability(self, shown: np.ndarray, blank: np.ndarray) -> np.ndarray:
        """(m, n)"""
        scores = self.scores(shown, blank)
        m, n, f = scores.shape
        flat = scores.reshape(m * n, f)
        return self.rate.probability(flat, np.zeros_like(flat)).reshape(scores.shape[:2])


def all_scores(
    codes: tuple[ColumnCode, ...],
    directions: tuple[np.ndarray, ...],
    blanks: BlankScores | None,
    shown: np.ndarray,
    blank: np.ndarray,
) -> np.ndarray:
    """(m, n, f); a driver that is meaningfully missing scores 0."""
    m, n, _ = shown.shape
    parts = [
        (code(shown.reshape(m * n, -1)) @ direction).reshape(m, n, 1)
        for code, direction in zip(codes, directions, strict=True)
    ]
    if blanks is not None:
        of_blanks = blanks(blank)
        parts.append(np.broadcast_to(of_blanks, (m, *of_blanks.shape)))
    return np.concatenate(parts, axis=2) if parts else np.empty((m, n, 0))


def surest(variances: np.ndarray) -> np.ndarray:
    """(n,) bool: the rows without an uncertain score (variances (n, f)), or else the least uncertain share of them.

    A hidden driver may move both kinds of blanks, which then cannot be told apart by rows where it is hidden.
    """
    total = variances.sum(1)
    return total <= np.quantile(total, SUREST)


@dataclass(frozen=True)
class ObservationProcess:
    """What the other columns tell of the process, and how it bears on a candidate column."""

    references: References
    constant: float | None  # probability of an ordinary blank, the same everywhere; None: by column and row
    drivers: tuple[int, ...]  # columns that move the process
    codes: tuple[ColumnCode, ...]  # of the drivers
    directions: tuple[np.ndarray, ...]  # of the drivers
    blanks: BlankScores | None

    @property
    def given(self) -> bool:
        """Whether the rate came from the user rather than from other columns."""
        return self.constant is not None and self.constant != self.references.mean

    @property
    def identified(self) -> bool:
        """Whether anything says how probable an ordinary blank is."""
        return self.given or self.references.mean is not None

    @classmethod
    def fit(cls, train: Incomplete, ordinary: Ordinary) -> Self:
        """Learn the process.

        Args:
            ordinary: a rate, ``common`` (that of the other columns), or ``per_row``.

        Raises:
            UserError: ``common`` without a column that cannot be meaningful.
        """
        references = References.of(train.hidden, train.candidates, ())
        if ordinary == "common" and references.mean is None:
            raise UserError(
                "every column may hold meaningful missingness, so none shows the rate of ordinary blanks: "
                "give it (method.ordinary=0.1) or use method.ordinary=per_row"
            )
        if ordinary != "per_row":
            constant = references.mean if isinstance(ordinary, str) else float(ordinary)
            return cls(references, constant, (), (), (), None)
        codes = [ColumnCode.of(c, j, train.values[train.observed[:, j], j]) for j, c in enumerate(train.columns)]
        encoded = [code(train.values) for code in codes]
        targets = np.flatnonzero(~train.candidates & train.hidden.any(0) & train.observed.any(0))
        drivers = find_drivers(encoded, train.observed, list(targets), LEVEL, MAX_DRIVERS)
        directions = leading_directions(encoded, train.observed, list(targets), drivers)
        return cls(
            References.of(train.hidden, train.candidates, tuple(drivers)),
            None,
            tuple(drivers),
            tuple(codes[k] for k in drivers),
            tuple(directions[k] for k in drivers),
            BlankScores.of(train.hidden, targets) if len(targets) else None,
        )

    def blank_scores(self, column: int, scored: np.ndarray, blank: np.ndarray) -> BlankScores | None:
        """Which blanks of reference columns go with those of a candidate."""
        if self.blanks is None:
            return None
        by_value = all_scores(*self._drivers(column), None, scored, blank).mean(0)
        # where a driver is hidden, whatever goes with it would stand in for it
        rows = ~blank[:, [k for k in self.drivers if k != column]].any(1)
        if rows.sum() < FEWEST_ROWS:
            rows[:] = True
        return self.blanks.choose(blank[rows], blank[rows, column], by_value[rows])

    def _drivers(self, column: int) -> tuple[tuple[ColumnCode, ...], tuple[np.ndarray, ...]]:
        used = [i for i, code in enumerate(self.codes) if code.index != column]
        return tuple(self.codes[i] for i in used), tuple(self.directions[i] for i in used)

    def of_column(
        self,
        column: int,
        blanks: BlankScores | None,
        scored: np.ndarray,
        shown: np.ndarray,
        blank: np.ndarray,
        rng: np.random.Generator,
    ) -> ColumnProcess:
        """Its ordinary blanks in one candidate column.

        Args:
            blanks: of reference columns, that go with its own.
            scored: (m, n, d) completed tables, NaN where meaningful.
            shown: (k, n, d) what tells how probable a meaningful blank is.
            blank: (n, d) bool.
        """
        if self.constant is not None:
            rate = OrdinaryRate(np.empty((1, 0)), np.array([logit(self.constant)]), np.ones(1))
            return ColumnProcess(column, (), (), None, rate)
        codes, directions = self._drivers(column)
        hidden = blank[:, column]
        scores = all_scores(codes, directions, blanks, scored, blank)
        mean, variance = scores.mean(0), scores.var(0)
        variance[variance < 1e-12] = 0  # of rounding
        known = surest(variance + blank[:, [code.index for code in codes]].any(1)[:, None] * 1e-6)
        strata = np.full(len(blank), -1)
        strata[known] = crossed_strata(np.delete(shown[0, known], column, axis=1), hidden[known], rng)
        spared = SPARED_DRIVER if column in self.drivers else SPARED
        rate = fit_ordinary_rate(hidden, mean, variance, strata, self.references.prior, spared, rng)
        return ColumnProcess(column, codes, directions, blanks, rate)
