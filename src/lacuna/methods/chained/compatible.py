"""Draws that go with an analysis: covariates are proposed without the outcome, and kept by the outcome's density.

Bartlett, Seaman, White, Carpenter, "Multiple imputation of covariates by fully conditional specification:
Accommodating the substantive model", Statistical Methods in Medical Research 24, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from lacuna.methods.boosting import sample_levels
from lacuna.methods.chained.analysis import Analysis
from lacuna.methods.chained.chain import Chain
from lacuna.methods.chained.law import ColumnLaw, LevelLaw, NumberLaw, Rows, fit_law
from lacuna.methods.chained.outcome import CountOutcome, LevelOutcome, LinearOutcome, OutcomeModel
from lacuna.methods.chained.plan import Plan

TRIES = (10, 50, 250)  # proposals for a cell, as long as none is accepted
MOST_PROPOSALS = 500_000  # at once


@dataclass(frozen=True)
class Question:
    """An analysis of d columns, put to the state of a chain."""

    analysis: Analysis
    poisson: bool  # the outcome is a count of Poisson's law
    mean: np.ndarray  # (d,): a column's value is mean + sd * state
    sd: np.ndarray  # (d,)
    shift: np.ndarray | None  # of blanks of the outcome, see ``Plan.shift``

    def terms(self, state: np.ndarray) -> np.ndarray:
        """(n, k) of the formula, for a state (n, d)."""
        return self.analysis.design(self.mean + self.sd * state)

    def outcome(self, state: np.ndarray) -> np.ndarray:
        """(n,) values of the outcome."""
        y = self.analysis.outcome
        return self.mean[y] + self.sd[y] * state[:, y]

    def drawn(self, rows: Rows, rng: np.random.Generator) -> OutcomeModel:
        """The model of the outcome, from the rows that show it: an imputed outcome adds nothing to what is known."""
        state = rows.state[rows.observed[:, self.analysis.outcome]]
        terms, y = self.terms(state), self.outcome(state)
        usable = np.isfinite(terms).all(1)
        n_levels = self.analysis.columns[self.analysis.outcome].n_levels
        if n_levels:
            return LevelOutcome.drawn(terms[usable], y[usable], n_levels, self.shift, rng)
        return (CountOutcome if self.poisson else LinearOutcome).drawn(terms[usable], y[usable], self.shift, rng)

    def log_density(self, model: OutcomeModel, rows: Rows) -> np.ndarray:
        """(n,) of the outcomes, at most 0; 0 where they are not known, -inf where the formula has no value."""
        terms = self.terms(rows.state)
        seen = rows.observed[:, self.analysis.outcome]
        found = np.where(seen, model.log_density(terms, np.where(seen, self.outcome(rows.state), 0.0)), 0.0)
        return np.where(np.isfinite(terms).all(1) & ~np.isnan(found), found, -np.inf)


@dataclass(frozen=True)
class OutcomeLaw:
    """The outcome given its covariates."""

    question: Question
    model: OutcomeModel

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, 1) of the state, or (h, k) probabilities."""
        found = self.model.mean(self.question.terms(rows.state))
        known = np.isfinite(found).all(1)
        found[~known] = found[known].mean(0) if known.any() else 0.0
        return (found - self._mean) / self._sd

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The state (h,), and its mean given all of the row, (h, k)."""
        return (self.model.draw(mean * self._sd + self._mean, rng) - self._mean) / self._sd, mean

    @property
    def _mean(self) -> float:
        return float(self.question.mean[self.question.analysis.outcome])

    @property
    def _sd(self) -> float:
        return float(self.question.sd[self.question.analysis.outcome])


@dataclass(frozen=True)
class CovariateLaw:
    """A covariate given all other columns: in proportion to its law without the outcome times the outcome's density."""

    question: Question
    model: OutcomeModel
    proposal: NumberLaw | LevelLaw
    j: int

    def mean(self, rows: Rows) -> np.ndarray:
        """(h, k) of the proposals."""
        return self.proposal.mean(rows)

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The state (h,), and its mean given all of the row, (h, k)."""
        if self.j not in self.question.analysis.covariates:
            return self.proposal.draw(mean, rows, rng)
        if isinstance(self.proposal, LevelLaw):
            return self._level(mean, rows, rng)
        drawn, expected = self.proposal.draw(mean, rows, rng)
        expected = expected.copy()
        pending = np.arange(len(mean))
        for tries in TRIES:
            at_once = max(1, MOST_PROPOSALS // tries)
            parts = [self._tried(mean, rows, part, tries, rng) for part in _parts(pending, at_once)]
            for part, accepted, chosen, average in parts:
                drawn[part], expected[part, 0] = chosen, average
            pending = np.concatenate([part[~accepted] for part, accepted, _, _ in parts]) if parts else pending
        return drawn, expected

    def _tried(
        self, mean: np.ndarray, rows: Rows, part: np.ndarray, tries: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows (p,), whether a proposal was accepted, the first that was, or one by its density, and the mean."""
        again = np.repeat(part, tries)
        proposed = self.proposal.draw(mean[again], rows, rng)[0]
        logs = self._log_density(rows, again, proposed).reshape(-1, tries)
        proposed = proposed.reshape(-1, tries)
        kept = np.log(rng.random(logs.shape)) < logs
        accepted, possible = kept.any(1), np.isfinite(logs).any(1)
        weights = softmax(np.where(possible[:, None], logs, 0.0), axis=1)
        chosen = np.where(accepted, kept.argmax(1), sample_levels(weights, 1, rng)[0])
        return part, accepted, proposed[np.arange(len(part)), chosen], (weights * proposed).sum(1)

    def _level(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Levels are few: their probabilities are computed."""
        every = np.arange(len(mean))
        logs = np.log(mean)
        for level in range(mean.shape[1]):
            logs[:, level] += self._log_density(rows, every, np.full(len(mean), float(level)))
        p = np.where(np.isfinite(logs).any(1)[:, None], softmax(np.maximum(logs, -1e300), axis=1), mean)
        return sample_levels(p, 1, rng)[0].astype(float), p

    def _log_density(self, rows: Rows, at: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """(p,) of the outcomes of rows ``at`` (p,), were their column j to hold ``cells`` (p,)."""
        state = rows.state[at]
        state[:, self.j] = cells
        return self.question.log_density(self.model, Rows(rows.features[:0], state, rows.observed[at]))


@dataclass(kw_only=True)
class CompatibleChain(Chain):
    """A chain whose laws go with an analysis.

    All rows teach the laws of covariates, blanks as drawn: that a covariate is blank may go with the outcome, which
    these laws do not see.
    """

    question: Question

    def learn(self, j: int, plan: Plan, rng: np.random.Generator, grow: bool = True) -> ColumnLaw:
        """The law of column j given the other columns as they stand; that of the outcome follows no plan."""
        rows = self.completion.rows_as_drawn()
        model = self.question.drawn(rows, rng)
        if j == self.question.analysis.outcome:
            self.laws[j] = OutcomeLaw(self.question, model)
        else:
            known = self.laws.get(j)
            earlier = known.proposal if isinstance(known, CovariateLaw) else None
            proposal = fit_law(plan, rows.features, rows.state[:, j], self.row_weights, earlier, grow)
            self.laws[j] = CovariateLaw(self.question, model, proposal, j)
        return self.laws[j]


def _parts(rows: np.ndarray, at_once: int) -> list[np.ndarray]:
    return [rows[i : i + at_once] for i in range(0, len(rows), at_once)]
