"""Draws that go with an analysis: covariates are proposed without the outcome, and kept by the outcome's density.

Bartlett, Seaman, White, Carpenter, "Multiple imputation of covariates by fully conditional specification:
Accommodating the substantive model", Statistical Methods in Medical Research 24, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import logsumexp, softmax

from lacuna.methods.boosting import sample_levels
from lacuna.methods.chained.analysis import Analysis
from lacuna.methods.chained.chain import Chain, Completion
from lacuna.methods.chained.design import Design
from lacuna.methods.chained.law import Law, NumberLaw, fit_law
from lacuna.methods.chained.levels import SMALLEST, log_loss
from lacuna.methods.chained.outcome import CountOutcome, LevelOutcome, LinearOutcome, OutcomeModel
from lacuna.methods.chained.plan import Plan, left_out
from lacuna.methods.chained.rows import ColumnLaw, Rows

TRIES = (10, 50, 250)  # proposals for a cell, as long as none is accepted
MOST_PROPOSALS = 500_000  # at once
ENOUGH_ROWS = 2_000  # to compare laws
PROPOSED = 50  # for a cell


class DrawnOutcome(ColumnLaw, Protocol):
    """The outcome given its covariates, as one draw of its model has it."""

    def log_density(self, rows: Rows) -> np.ndarray:
        """(n,) of the outcomes of rows, but for a constant."""


class Outcome(Protocol):
    """A column whose model is given, so that the laws of its covariates follow from it."""

    @property
    def column(self) -> int:
        """Its index."""

    @property
    def covariates(self) -> frozenset[int]:
        """The columns whose draws are weighed by the outcome's density."""

    @property
    def strict(self) -> bool:
        """Whether the outcome itself is drawn from its model, and no other column's law sees it."""

    def drawn(self, rows: Rows, row_weights: np.ndarray, rng: np.random.Generator) -> DrawnOutcome:
        """From the rows that show the outcome: an imputed one adds nothing to what is known."""


@dataclass(frozen=True)
class FormulaOutcome:
    """The outcome of an analysis of d columns."""

    analysis: Analysis
    poisson: bool  # it is a count of Poisson's law
    mean: np.ndarray  # (d,): a column's value is mean + sd * state
    sd: np.ndarray  # (d,)
    shift: np.ndarray | None  # of blanks of the outcome, see ``Plan.shift``
    strict: bool = True

    @property
    def column(self) -> int:
        return self.analysis.outcome

    @property
    def covariates(self) -> frozenset[int]:
        return frozenset(self.analysis.covariates)

    def terms(self, state: np.ndarray) -> np.ndarray:
        """(n, k) of the formula, for a state (n, d)."""
        return self.analysis.design(self.mean + self.sd * state)

    def values(self, state: np.ndarray) -> np.ndarray:
        """(n,) of the outcome."""
        return self.mean[self.column] + self.sd[self.column] * state[:, self.column]

    def drawn(self, rows: Rows, row_weights: np.ndarray, rng: np.random.Generator) -> DrawnOutcome:
        """See ``Outcome``; from the posterior."""
        state = rows.state[rows.observed[:, self.column]]
        terms, y = self.terms(state), self.values(state)
        usable = np.isfinite(terms).all(1)
        n_levels = self.analysis.columns[self.column].n_levels
        model: OutcomeModel
        if n_levels:
            model = LevelOutcome.drawn(terms[usable], y[usable], n_levels, self.shift, rng)
        else:
            family = CountOutcome if self.poisson else LinearOutcome
            model = family.drawn(terms[usable], y[usable], self.shift, rng)
        return DrawnFormula(self, model)


@dataclass(frozen=True)
class DrawnFormula:
    """See ``DrawnOutcome``."""

    outcome: FormulaOutcome
    model: OutcomeModel

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, 1) of the state, or (h, k) probabilities."""
        found = self.model.mean(self.outcome.terms(rows.state))
        known = np.isfinite(found).all(1)
        found[~known] = found[known].mean(0) if known.any() else 0.0
        return (found - self._mean) / self._sd

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See ``ColumnLaw``."""
        return (self.model.draw(mean * self._sd + self._mean, rng) - self._mean) / self._sd, mean

    def log_density(self, rows: Rows) -> np.ndarray:
        """(n,), at most 0; -inf where the formula has no value."""
        terms = self.outcome.terms(rows.state)
        found = self.model.log_density(terms, self.outcome.values(rows.state))
        return np.where(np.isfinite(terms).all(1) & ~np.isnan(found), found, -np.inf)

    @property
    def _mean(self) -> float:
        return float(self.outcome.mean[self.outcome.column])

    @property
    def _sd(self) -> float:
        return float(self.outcome.sd[self.outcome.column])


@dataclass(frozen=True)
class ProductsOutcome:
    """A number that goes with squares or products of other columns."""

    column: int
    covariates: frozenset[int]
    plan: Plan  # with products and without trees
    strict: bool = False

    def drawn(self, rows: Rows, row_weights: np.ndarray, rng: np.random.Generator) -> DrawnOutcome:
        """See ``Outcome``."""
        seen = rows.observed[:, self.column]
        law = fit_law(self.plan, rows.features[seen], rows.state[seen, self.column], row_weights[seen], rng)
        assert isinstance(law, NumberLaw)
        return DrawnProducts(self.column, law)


@dataclass(frozen=True)
class DrawnProducts:
    """See ``DrawnOutcome``."""

    column: int
    law: NumberLaw

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, 1)"""
        return self.law.mean(rows)

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See ``ColumnLaw``."""
        return self.law.draw(mean, rows, rng)

    def log_density(self, rows: Rows) -> np.ndarray:
        """(n,), at most 0, of normal errors."""
        variance = np.average(self.law.errors**2, weights=self.law.row_weights)
        return -0.5 * (rows.state[:, self.column] - self.law.mean(rows)[:, 0]) ** 2 / max(variance, 1e-12)


@dataclass(frozen=True)
class CovariateLaw:
    """A covariate given all other columns: in proportion to its law without the outcome times the outcome's density."""

    j: int
    proposal: Law
    outcome: DrawnOutcome
    y: int  # the outcome's column
    design: Design

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, k) of the proposals."""
        return self.proposal.mean(rows)

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The state (h,), and its mean given all of the row, (h, k)."""
        if self.proposal.plan.n_levels:
            return self._level(mean, rows, rng)
        drawn, expected = self.proposal.draw(mean, rows, rng)
        expected = expected.copy()
        pending = np.arange(len(mean))
        for tries in TRIES:
            at_once = max(1, MOST_PROPOSALS // tries)
            parts = [self._tried(mean, rows, part, tries, rng) for part in _parts(pending, at_once)]
            for part, _, chosen, average in parts:
                drawn[part], expected[part, 0] = chosen, average
            pending = np.concatenate([part[~accepted] for part, accepted, _, _ in parts]) if parts else pending
        return drawn, expected

    def _tried(
        self, mean: np.ndarray, rows: Rows, part: np.ndarray, tries: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows (p,), whether a proposal was accepted, the first that was, or one by its density, and the mean."""
        again = np.repeat(part, tries)
        proposed = self.proposal.draw(mean[again], rows, rng)[0]
        logs = self.log_density(rows, again, proposed).reshape(-1, tries)
        proposed = proposed.reshape(-1, tries)
        kept = np.log(rng.random(logs.shape)) < logs
        accepted = np.asarray(kept.any(1))
        possible = np.isfinite(logs).any(1)
        weights = softmax(np.where(possible[:, None], logs, 0.0), axis=1)
        chosen = np.where(accepted, kept.argmax(1), sample_levels(weights, 1, rng)[0])
        return part, accepted, proposed[np.arange(len(part)), chosen], (weights * proposed).sum(1)

    def _level(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Levels are few: their probabilities are computed."""
        every = np.arange(len(mean))
        logs = np.log(np.maximum(mean, SMALLEST))
        for level in range(mean.shape[1]):
            logs[:, level] += self.log_density(rows, every, np.full(len(mean), float(level)))
        p = np.where(np.isfinite(logs).any(1)[:, None], softmax(np.maximum(logs, -1e300), axis=1), mean)
        return sample_levels(p, 1, rng)[0].astype(float), p

    def log_density(self, rows: Rows, at: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """(p,) of the outcomes of rows ``at`` (p,), were their column j to hold ``cells`` (p,); 0 if not known."""
        features, state = rows.features[at], rows.state[at]
        state[:, self.j], features[:, self.design.blocks[self.j]] = cells, self.design.coordinates(self.j, cells)
        observed = rows.observed[at]
        found = self.outcome.log_density(Rows(features, state, observed))
        return np.where(observed[:, self.y] | np.isinf(found), found, 0.0)


@dataclass(kw_only=True)
class CompatibleChain(Chain):
    """A chain in which the laws of an outcome's covariates follow from its model.

    All rows teach these laws, blanks as drawn: that a covariate is blank may go with the outcome, which their
    proposals do not see.
    """

    outcome: Outcome

    def learn(self, j: int, plan: Plan, rng: np.random.Generator, grow: bool = True) -> ColumnLaw:
        """The law of column j given the other columns as they stand."""
        strict, y = self.outcome.strict, self.outcome.column
        if not strict and j not in self.outcome.covariates:
            return super().learn(j, plan, rng, grow)
        rows = self.completion.rows_as_drawn()
        if j == y:
            self.laws[j] = self.outcome.drawn(rows, self.row_weights, rng)
            return self.laws[j]
        known = self.laws.get(j)
        earlier = known.proposal if isinstance(known, CovariateLaw) else known
        proposal = fit_law(plan, rows.features, rows.state[:, j], self.row_weights, rng, earlier, grow)
        if j in self.outcome.covariates:
            drawn = self.outcome.drawn(rows, self.row_weights, rng)
            self.laws[j] = CovariateLaw(j, proposal, drawn, y, self.completion.design)
        else:
            self.laws[j] = proposal
        return self.laws[j]


def gain_of_weighing(
    j: int, direct: Plan, proposal: Plan, outcome: ProductsOutcome, done: Completion, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """How much better the log-density (n,), and the squared error (n,), of observed cells of column j are.

    By proposals that the outcome weighs, compared with their own law given all other columns, in the n rows that show
    the outcome too; errors of either count as normal. Of levels, the log-loss is both.

    Args:
        direct: plan of the law given all other columns.
        proposal: plan of the law given all but the outcome.
        done: rows without blanks.
    """
    rows, even = done.rows_as_drawn(), np.ones(len(done.rows))
    at = np.flatnonzero(rows.observed[:, j] & rows.observed[:, outcome.column])
    at = at[:: max(1, len(at) // ENOUGH_ROWS)]
    offered = fit_law(proposal, rows.features, rows.state[:, j], even, rng)
    law = CovariateLaw(j, offered, outcome.drawn(rows, even, rng), outcome.column, done.design)
    some, every = done.rows_as_drawn(at), np.arange(len(at))
    truth, predicted = some.state[:, j], law.mean(some)
    before = left_out(direct, *done.shown(j))
    place = np.cumsum(rows.observed[:, j])[at] - 1  # among the rows that show the column
    if direct.n_levels:
        gain = before[place] - log_loss(law.draw(predicted, some, rng)[1], truth)
        return gain, gain
    again = np.repeat(every, PROPOSED)
    proposed = law.log_density(some, again, offered.draw(predicted[again], some, rng)[0]).reshape(-1, PROPOSED)
    assert isinstance(offered, NumberLaw)
    weighed = law.log_density(some, every, truth) - logsumexp(proposed, axis=1) + np.log(PROPOSED)
    error, variance = truth - predicted[:, 0], float(np.mean(offered.errors**2))
    own = -0.5 * (np.log(before.mean()) + before[place] / before.mean())
    nearer = before[place] - (truth - law.draw(predicted, some, rng)[1][:, 0]) ** 2
    return weighed - 0.5 * (np.log(variance) + error**2 / variance) - own, nearer


def clearly_below_0(gains: np.ndarray) -> bool:
    """Whether the sum of gains (n,) is, by more than chance alone."""
    return bool(gains.sum() < -1.5 * gains.std() * np.sqrt(len(gains)))


def _parts(rows: np.ndarray, at_once: int) -> list[np.ndarray]:
    return [rows[i : i + at_once] for i in range(0, len(rows), at_once)]
