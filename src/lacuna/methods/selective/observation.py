"""The observation process: how probable an ordinary blank is, by row, in each column that may hold others too.

What is known: columns that cannot be meaningful show the process bare, its dependence included. From them come its
rate, the columns whose values drive it, and the blanks that come together. In a candidate column the blanks of the
process are logistic in the drivers and in the blanks of reference columns that go with its own, with weights of its
own, and average to about the rate of the reference columns, as far as those agree; ``ordinary`` parts them from the
meaningful ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from scipy.special import logit

from lacuna.crossfit import Boosting, CrossFitted, categorical_columns, cross_fit
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
DRIVER_BOOSTING = Boosting(rounds=50, leaves=8, folds=2)


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
class Driver:
    """A column that moves the blanks of one other, by a score whose weight is about 1 in size."""

    code: ColumnCode
    direction: np.ndarray  # (f,) of the codes
    drop: np.ndarray  # columns that do not help to guess a hidden score: the driver's own and the one it moves
    guess: CrossFitted | None  # of the score where it is hidden; None: never hidden in training
    variance: float  # of the guess

    @classmethod
    def fit(
        cls,
        train: Incomplete,
        code: ColumnCode,
        direction: np.ndarray,
        target: int,
        rng: np.random.Generator,
    ) -> Self:
        seen = train.observed[:, code.index]
        drop = np.array([code.index, target])
        if seen.all():
            return cls(code, direction, drop, None, float((code(train.values) @ direction).var()))
        score = code(train.values[seen]) @ direction
        categorical = np.delete(categorical_columns(train.columns), drop)
        features = np.delete(train.values[seen], drop, axis=1)
        guess = cross_fit(features, score, 0, categorical, DRIVER_BOOSTING, rng)
        return cls(code, direction, drop, guess, float(((score - guess.out_of_fold[:, 0]) ** 2).mean()))

    def score(self, rows: Incomplete, meaningful: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (n,) of the score; where the driver is meaningfully missing it is 0.

        Args:
            meaningful: (n,) probability of that, for rows in which the driver is hidden.
        """
        mean, variance = self.code(rows.values) @ self.direction, np.zeros(len(rows))
        hidden = rows.hidden[:, self.code.index]
        if hidden.any():
            regular = 1 - meaningful[hidden]
            guess = np.zeros(hidden.sum())
            if self.guess is not None:
                guess = self.guess.predict(np.delete(rows.values[hidden], self.drop, axis=1))[:, 0]
            mean[hidden] = regular * guess
            variance[hidden] = regular * (self.variance + guess**2) - mean[hidden] ** 2
        return mean, variance


@dataclass(frozen=True)
class ColumnProcess:
    """Ordinary blanks of one candidate column: logistic in values of drivers and in blanks of reference columns."""

    column: int
    drivers: tuple[Driver, ...]
    blanks: BlankScores | None
    rate: OrdinaryRate

    def scores(self, rows: Incomplete, meaningful: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance, (n, f) each, those of drivers first; ``meaningful`` (n, d) is needed in drivers only."""
        mean, variance = driver_scores(self.drivers, rows, meaningful)
        if self.blanks is None:
            return mean, variance
        of_blanks = self.blanks(rows.hidden)
        return np.column_stack([mean, of_blanks]), np.column_stack([variance, np.zeros(of_blanks.shape)])

    def probability(self, rows: Incomplete, meaningful: np.ndarray) -> np.ndarray:
        """(n,)"""
        return self.rate.probability(*self.scores(rows, meaningful))


def driver_scores(
    drivers: tuple[Driver, ...], rows: Incomplete, meaningful: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance, (n, f) each, of the scores of f drivers."""
    both = np.zeros((2, len(rows), len(drivers)))
    for i, driver in enumerate(drivers):
        both[:, :, i] = driver.score(rows, meaningful[:, driver.code.index])
    return both[0], both[1]


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

    def drivers_of(self, train: Incomplete, column: int, rng: np.random.Generator) -> tuple[Driver, ...]:
        """The columns that move the blanks of one other."""
        return tuple(
            Driver.fit(train, code, direction, column, rng)
            for code, direction in zip(self.codes, self.directions, strict=True)
            if code.index != column
        )

    def blank_scores(
        self, train: Incomplete, column: int, drivers: tuple[Driver, ...], meaningful: np.ndarray
    ) -> BlankScores | None:
        """Which blanks of reference columns go with those of a candidate."""
        if self.blanks is None:
            return None
        blank = train.hidden
        # where a driver is hidden, whatever goes with it would stand in for it
        rows = np.asarray(~blank[:, [driver.code.index for driver in drivers]].any(1))
        if rows.sum() < FEWEST_ROWS:
            rows = np.ones(len(blank), bool)
        known = driver_scores(drivers, train, meaningful)[0][rows]
        return self.blanks.choose(blank[rows], blank[rows, column], known)

    def of_column(
        self,
        train: Incomplete,
        column: int,
        drivers: tuple[Driver, ...],
        blanks: BlankScores | None,
        meaningful: np.ndarray,
        shown: np.ndarray,
        rng: np.random.Generator,
    ) -> ColumnProcess:
        """Its ordinary blanks in one candidate column.

        Args:
            blanks: of reference columns, that go with its own.
            meaningful: (n, d) P(meaningful) where a driver is hidden.
            shown: (n, d) what tells how probable a meaningful blank is.
        """
        if self.constant is not None:
            rate = OrdinaryRate(np.empty((1, 0)), np.array([logit(self.constant)]), np.ones(1))
            return ColumnProcess(column, (), None, rate)
        hidden = train.hidden[:, column]
        process = ColumnProcess(column, drivers, blanks, OrdinaryRate(np.empty((1, 0)), np.zeros(1), np.ones(1)))
        mean, variance = process.scores(train, meaningful)
        known = surest(variance)
        strata = np.full(len(train), -1)
        strata[known] = crossed_strata(np.delete(shown[known], column, axis=1), hidden[known], rng)
        spared = SPARED_DRIVER if column in self.drivers else SPARED
        return replace(
            process, rate=fit_ordinary_rate(hidden, mean, variance, strata, self.references.prior, spared, rng)
        )
