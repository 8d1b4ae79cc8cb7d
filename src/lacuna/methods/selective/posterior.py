"""How probable it is that a blank is meaningful: the constructive reading of Proposition 3.1 of Diff-Joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import expit

from lacuna.crossfit import Boosting
from lacuna.methods.selective.diagnosis import ColumnDiagnosis
from lacuna.methods.base import Method
from lacuna.methods.chained import Chained
from lacuna.methods.selective.drivers import blank_coefficients
from lacuna.methods.selective.meaning import MeaningRate
from lacuna.methods.selective.observation import ColumnProcess, ObservationProcess, Ordinary
from lacuna.numerics.rows import RowLookup
from lacuna.rng import stream
from lacuna.types import Incomplete

MAX_ROWS = 20_000  # that the posterior is learned from
COPIES = 5  # completed tables
CHEAP_SWEEPS = 5
PASSES = 2
N_FITS = 2  # of a column to completed tables
LOG_PRIOR_ODDS = -1.0
TRACE = False


@dataclass(frozen=True)
class CandidateColumn:
    """Both kinds of blanks of one candidate column."""

    index: int
    native: np.ndarray  # (d,) bool: columns whose blanks its model sees as they are
    blanks: ColumnProcess
    meaning: MeaningRate
    weight: float  # probability that the column has meaningful blanks at all


def given_hidden(meaning: np.ndarray, ordinary: np.ndarray) -> np.ndarray:
    """P(meaningful | hidden) from P(meaningful) and P(ordinary blank), both given the rest of the row.

    With P(hidden) = P = 1 - (1 - meaning) (1 - ordinary) this is (P - ordinary) / (P (1 - ordinary)).

    >>> given_hidden(np.array([0.0, 0.1, 1.0]), np.array([0.1, 0.1, 0.1])).round(3)
    array([0.   , 0.526, 1.   ])
    """
    hidden = 1 - (1 - meaning) * (1 - ordinary)
    return np.divide(meaning, hidden, out=np.zeros_like(hidden), where=hidden > 0)


class MeaningfulPosterior:
    """P(meaningful | hidden, rest of the row) for the candidate columns of a table.

    A blank's propensity, from boosted trees with native blanks, is divided into its ordinary part, from the
    observation process, and the rest. It needs no imputation and can be put beside any imputer.

    Args:
        ordinary: probability of an ordinary blank. ``per_row``: it averages to the rate of the columns that
            cannot be meaningful and may depend on the columns that are found to drive it; ``common``: that rate
            for every cell; a number in [0, 1): the rate.
        boosting: of the propensities.

    >>> from lacuna.datasets.bayesnet import BayesNet
    >>> from lacuna.masks.mcar import MCAR
    >>> from lacuna.problem import hide
    >>> table = BayesNet(2_000, 0).load(stream(0, "dataset"), stream(0, "split"))
    >>> train = hide(table, MCAR().draw(table, 0.1, stream(0, "mask"))).train
    >>> MeaningfulPosterior().fit(train).predict(train).shape
    (2000, 5)
    """

    def __init__(self, ordinary: Ordinary = "per_row", boosting: Boosting | None = None) -> None:
        if isinstance(ordinary, str):
            if ordinary not in ("common", "per_row"):
                raise ValueError(f"ordinary must be common, per_row or a rate, got {ordinary!r}")
        elif not 0 <= ordinary < 1:
            raise ValueError(f"the rate of ordinary blanks must lie in [0, 1), got {ordinary}")
        self.ordinary, self.boosting = ordinary, boosting or Boosting()

    def fit(self, train: Incomplete, seed: int = 0, completer: Method | None = None) -> Self:
        """Learn from n incomplete rows.

        Args:
            completer: fitted to them, gives draws of hidden cells; None: ``Chained``, at a cheap setting.
        """
        rng = stream(seed, "selective")
        some = np.sort(rng.permutation(len(train))[:MAX_ROWS])
        sample = train.take(some)
        self.process_ = ObservationProcess.fit(sample, self.ordinary)
        self.lookup_ = RowLookup.of(sample.values)
        first = self.lookup_.find(sample.values)
        modelled = np.flatnonzero(sample.candidates & sample.hidden.any(0) & sample.observed.any(0))
        self.columns_: list[CandidateColumn] = []
        self.diagnoses_: list[ColumnDiagnosis] = []
        self.warnings_: list[str] = []
        if not len(modelled):
            return self
        self.completer_ = Chained(chains=COPIES, sweeps=CHEAP_SWEEPS).fit(train, seed) if completer is None else completer
        completed = self._completed(sample)
        # A driver that may be meaningful comes first: what it is where hidden bears on the others.
        order = sorted(modelled.tolist(), key=lambda j: j not in self.process_.drivers)
        # What values and reference columns say of each column comes first. Blanks of other candidates count where
        # that has shown that they are meant; at once, columns that are lost together would vouch for each other.
        state = np.zeros(completed.shape, bool)
        meant = np.zeros(len(sample.columns), bool)
        self.passes_: list[list[CandidateColumn]] = []
        for _ in range(PASSES):
            columns, new_state, new_meant = [], np.zeros(completed.shape, bool), np.zeros(len(meant), bool)
            scored = np.where(state, np.nan, completed)
            for j in order:
                hidden = sample.hidden[:, j]
                found = self.process_.blank_scores(j, scored, sample.hidden)
                lost_together = found is not None and bool(found.chosen)
                native = meant | (~sample.candidates & (not lost_together))
                if self.process_.constant is not None:
                    native[:] = True
                shown = shown_to(j, native, completed, sample.hidden)
                blanks = self.process_.of_column(j, found, scored, shown, sample.hidden, rng)
                ordinary = blanks.probability(scored, sample.hidden).mean(0)[None]
                copy_weights = np.full(shown.shape[:2], 1 / len(shown))
                for _ in range(N_FITS if len(shown) > 1 else 1):
                    meaning = MeaningRate.fit(
                        sample.columns, shown, hidden, first, j, np.tile(ordinary, (len(shown), 1)), copy_weights, self.boosting, rng
                    )
                    likelihood = given_row(meaning.out_of_fold, ordinary, hidden)
                    copy_weights = likelihood / likelihood.sum(0)
                gain = np.log(likelihood.mean(0)).sum() - null_log_likelihood(blanks, scored, sample.hidden, self.process_.constant)
                weight = float(expit(gain + LOG_PRIOR_ODDS))
                columns.append(CandidateColumn(j, native, blanks, meaning, weight))
                if TRACE:
                    print(sample.columns[j].name, "gain", round(float(gain), 1), "w", round(weight, 3), "q", ordinary.mean().round(3), "blank", hidden.mean().round(3), "scores", blanks.rate.weights.mean(0).round(2), "chosen", blanks.blanks and blanks.blanks.chosen, "rounds", meaning.rounds, "copies", len(shown))
                p = (likelihood * given_hidden(meaning.out_of_fold, ordinary)).sum(0) / likelihood.sum(0)
                new_state[:, :, j] = hidden & (rng.random(completed.shape[:2]) < weight * p)
                new_meant[j] = weight > 0.5
            self.passes_.append(columns)
            state, meant = new_state, new_meant
        self.columns_ = self.passes_[-1]
        return self

    def _completed(self, rows: Incomplete) -> np.ndarray:
        """(m, n, d)"""
        draws = self.completer_.impute(rows, COPIES).draws
        completed = np.tile(rows.values, (COPIES, 1, 1))
        completed[:, draws.cells[:, 0], draws.cells[:, 1]] = draws.samples
        return completed

    def predict(self, rows: Incomplete) -> np.ndarray:
        """(n, d) probability that each hidden candidate cell is meaningful; 0 elsewhere.

        A row of the training table is judged by models that have not seen it.
        """
        probability = np.zeros(rows.values.shape)
        asked = np.flatnonzero((rows.hidden & rows.candidates).any(1))
        for start in range(0, len(asked) if self.columns_ else 0, MAX_ROWS):
            at = asked[start : start + MAX_ROWS]
            probability[at] = self._predict(rows.take(at))
        return probability

    def _predict(self, rows: Incomplete) -> np.ndarray:
        probability = np.zeros(rows.values.shape)
        rng = stream(0, "selective", "predict")
        first = self.lookup_.find(rows.values)
        completed = self._completed(rows)
        state = np.zeros(completed.shape, bool)
        for columns in self.passes_:
            scored = np.where(state, np.nan, completed)
            state = np.zeros(completed.shape, bool)
            for column in columns:
                j = column.index
                hidden = rows.hidden[:, j]
                shown = shown_to(j, column.native, completed, rows.hidden)
                ordinary = column.blanks.probability(scored, rows.hidden).mean(0)[None]
                meaning = column.meaning.predict(shown, first)
                likelihood = given_row(meaning, ordinary, hidden)
                p = (likelihood * given_hidden(meaning, ordinary)).sum(0) / likelihood.sum(0)
                probability[:, j] = np.where(hidden, column.weight * p, 0.0)
                state[:, :, j] = rng.random(completed.shape[:2]) < probability[:, j]
        return probability

    def diagnostics(self) -> dict[str, Any]:
        """How far the assumption carries, in numbers by column and in words; plain values."""
        return {
            "columns": {found.name: found.as_dict() for found in self.diagnoses_},
            "warnings": list(self.warnings_),
        }


def given_row(meaning: np.ndarray, ordinary: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """(m, n) probability of what is seen of a column, hidden (n,) or not."""
    seen = (1 - meaning) * (1 - ordinary)
    return np.clip(np.where(hidden, 1 - seen, seen), 1e-9, 1.0)


def shown_to(j: int, native: np.ndarray, completed: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """(m, n, d) what the model of column j sees: blanks of ``native`` columns (d,), and completed values of others.

    One table where none differs.
    """
    filled = ~native & (np.arange(len(native)) != j)
    some = completed if blank[:, filled].any() else completed[:1]
    return np.where(blank & ~filled, np.nan, some)


def null_log_likelihood(blanks: ColumnProcess, scored: np.ndarray, blank: np.ndarray, constant: float | None) -> float:
    """Of a column's blanks by the scores of its ordinary ones alone, at the rate that is given or one of its own."""
    hidden = blank[:, blanks.column]
    if constant is not None:
        rate = np.clip(constant, 1e-9, 1 - 1e-9)
        return float(np.where(hidden, np.log(rate), np.log1p(-rate)).sum())
    scores = blanks.scores(scored, blank).mean(0)
    linear = np.column_stack([np.ones(len(hidden)), scores]) @ blank_coefficients(scores, hidden)
    return float(-np.logaddexp(0, np.where(hidden, -linear, linear)).sum())
