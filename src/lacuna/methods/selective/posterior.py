"""How probable it is that a blank is meaningful: the constructive reading of Proposition 3.1 of Diff-Joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.stats import norm

from lacuna.crossfit import Boosting
from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.methods.chained import Chained
from lacuna.methods.selective.dependence import dependence_p_value
from lacuna.methods.selective.diagnosis import ColumnDiagnosis, Together, warnings_for
from lacuna.methods.selective.evidence import (
    by_row,
    given_row,
    log_likelihood_without,
    probability_of_any,
    rate_evidence,
    rate_interval,
)
from lacuna.methods.selective.meaning import MeaningRate
from lacuna.methods.selective.observation import ColumnCode, ColumnProcess, Driver, ObservationProcess, Ordinary
from lacuna.numerics.rows import RowLookup
from lacuna.rng import stream
from lacuna.types import Incomplete

MAX_ROWS = 20_000  # that are learned from; a random subset where there are more
COPIES = 3  # completed tables
CHEAP_SWEEPS = 5  # of the chains that complete them where nothing else does
PASSES = 2
N_FITS = 2  # of a column's model to completed tables, which the first fit weighs
SURE = 0.01  # p-value below which blanks depend on values
TOGETHER = 5.0  # standard errors beyond which blanks of two candidates come together


@dataclass(frozen=True)
class CandidateColumn:
    """Both kinds of blanks of one candidate column."""

    index: int
    native: np.ndarray  # (d,) bool: columns whose blanks the model of meaning sees as they are
    blanks: ColumnProcess
    meaning: MeaningRate
    probability: float  # that the column has meaningful blanks at all


class MeaningfulPosterior:
    """P(meaningful | hidden, rest of the row) for the candidate columns of a table.

    A blank's propensity is divided into its ordinary part, logistic in values and in blanks of the columns that cannot
    be meaningful, and the rest, by boosted trees on the rest of the row. Where a column's blanks go with those of
    reference columns, or with those of another candidate that nothing shows to be meant, the trees see completed
    values in their place: what blanks share is ordinary. Elsewhere they see blanks as they are.

    All of it counts with the probability that the column has meaningful blanks at all: by how much they explain its
    blanks, out of fold, beyond the ordinary ones at a rate of its own. So no blank is kept on the rate alone, unless
    the rate is given.

    Args:
        ordinary: probability of an ordinary blank. ``per_row``: it averages to about the rate of the columns that
            cannot be meaningful, as far as those agree, and may depend on the columns that are found to drive it;
            ``common``: that rate for every cell; a number in [0, 1): the rate.
        boosting: of the propensities.

    >>> from lacuna.datasets.bayesnet import BayesNet
    >>> from lacuna.masks.mcar import MCAR
    >>> from lacuna.problem import hide
    >>> table = BayesNet(500, 0).load(stream(0, "dataset"), stream(0, "split"))
    >>> train = hide(table, MCAR().draw(table, 0.1, stream(0, "mask"))).train
    >>> MeaningfulPosterior().fit(train).predict(train).shape
    (500, 5)
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
        sample = train.take(np.sort(rng.permutation(len(train))[:MAX_ROWS]))
        self.process_ = ObservationProcess.fit(sample, self.ordinary)
        self.lookup_ = RowLookup.of(sample.values)
        self.passes_: list[list[CandidateColumn]] = []
        self.diagnoses_: list[ColumnDiagnosis] = []
        self.warnings_: list[str] = []
        modelled = np.flatnonzero(sample.candidates & sample.hidden.any(0) & sample.observed.any(0))
        if not len(modelled):
            return self
        self.features_, self.feature_of_ = value_features(sample)
        self.completer_ = completer or Chained(chains=COPIES, sweeps=CHEAP_SWEEPS).fit(train, seed)
        first, completed = self.lookup_.find(sample.values), self._completed(sample)
        # A driver that may be meaningful comes first: what it is where hidden bears on the others.
        order = sorted(modelled.tolist(), key=lambda j: j not in self.process_.drivers)
        # What values and reference columns say of each column comes first. Blanks of other candidates count where
        # that has shown that they are meant: else columns that are lost together would vouch for each other.
        meant = np.full(len(sample.columns), self.process_.constant is not None)
        meaningful = np.zeros(sample.values.shape)
        drivers = {j: self.process_.drivers_of(sample, j, rng) for j in order}
        for last in np.arange(PASSES) == PASSES - 1:
            columns, next_meant = [], meant.copy()
            for j in order:
                column, meaningful[:, j] = self._fit_column(
                    j, sample, first, completed, drivers[j], meaningful, meant, last, rng
                )
                next_meant[j] = column.probability > 0.5 or self.process_.constant is not None
                columns.append(column)
            self.passes_.append(columns)
            meant = next_meant
        self.warnings_ = self._warnings(sample)
        del self.features_
        return self

    def _fit_column(
        self,
        j: int,
        sample: Incomplete,
        first: np.ndarray,
        completed: np.ndarray,
        drivers: tuple[Driver, ...],
        meaningful: np.ndarray,
        meant: np.ndarray,
        diagnose: bool,
        rng: np.random.Generator,
    ) -> tuple[CandidateColumn, np.ndarray]:
        """A column and its (n,) P(meaningful and hidden), out of fold.

        Args:
            completed: (m, n, d).
            drivers: of its ordinary blanks.
            meaningful: (n, d) that probability of the other columns.
            meant: (d,) bool: columns that are known to have meaningful blanks.
        """
        process, hidden = self.process_, sample.hidden[:, j]
        together = process.blank_scores(sample, j, drivers, meaningful)
        native = meant | (~sample.candidates & (together is None or not together.chosen))
        shown = shown_to(j, native, completed, sample.hidden)
        blanks = process.of_column(sample, j, drivers, together, meaningful, shown[0], rng)
        scores, variances = blanks.scores(sample, meaningful)
        ordinary = blanks.rate.probability(scores, variances)[None]
        copy_weights = np.full(shown.shape[:2], 1 / len(shown))
        for _ in range(N_FITS if len(shown) > 1 else 1):
            meaning = MeaningRate.fit(
                sample.columns, shown, hidden, first, j, ordinary, copy_weights, self.boosting, rng
            )
            likelihood = given_row(meaning.out_of_fold, ordinary, hidden)
            copy_weights = likelihood / likelihood.sum(0)
        gain = np.log(likelihood.mean(0)).sum() - log_likelihood_without(scores, hidden, process.constant)
        depends, by_rate, p_rate = self._tests(j, hidden, scores, len(blanks.drivers), rng)
        # a rate above those of the references speaks for meaning where values move the blanks, and not by itself
        if depends[1] is not None and depends[1] < SURE and process.references.agree and process.constant is None:
            gain += by_rate
        column = CandidateColumn(j, native, blanks, meaning, probability_of_any(gain))
        if diagnose:
            found = self._diagnosis(column, sample, scores, variances, depends[0], p_rate, by_rate)
            self.diagnoses_.append(found)
        p = column.probability * by_row(meaning.out_of_fold, ordinary, hidden)
        return column, np.where(hidden, p, 0.0)

    def _tests(
        self, j: int, hidden: np.ndarray, scores: np.ndarray, n_drivers: int, rng: np.random.Generator
    ) -> tuple[tuple[float | None, float | None], float, float | None]:
        """P-values of no dependence on values, beyond drivers and at all; evidence and p-value of the rate."""
        process = self.process_
        features = self.features_[:, self.feature_of_ != j]
        by_value, by_blanks = np.split(scores, [n_drivers], axis=1)
        beyond = dependence_p_value(features, hidden, by_value, by_blanks, rng)
        at_all = dependence_p_value(features, hidden, by_value[:, :0], by_blanks, rng) if n_drivers else beyond
        if process.constant is not None:
            variance = process.constant * (1 - process.constant) / len(hidden)
            z = (hidden.mean() - process.constant) / np.sqrt(variance) if variance else np.inf
            return (beyond, at_all), 0.0, float(norm.sf(z))
        if process.references.prior is None:
            return (beyond, at_all), 0.0, None
        return (beyond, at_all), *rate_evidence(hidden, process.references.prior)

    def _diagnosis(
        self,
        column: CandidateColumn,
        sample: Incomplete,
        scores: np.ndarray,
        variances: np.ndarray,
        p_pattern: float | None,
        p_rate: float | None,
        by_rate: float,
    ) -> ColumnDiagnosis:
        j, w = column.index, column.probability
        hidden = sample.hidden[:, j]
        meaning = column.meaning.out_of_fold.mean(0)
        rate = column.blanks.rate
        by_draw = rate.by_draw(scores, variances)
        ordinary = rate.masses @ by_draw
        mean, low, high = rate_interval(meaning, by_draw, rate.masses, hidden, w)
        blank = float(hidden.mean())
        given, identified = self.process_.constant is not None, self.process_.identified
        references = self.process_.references
        more = bool(references.mean is not None and blank > references.mean and (by_rate > 0 or not references.agree))
        return ColumnDiagnosis(
            sample.columns[j].name,
            blank,
            float(w * ordinary.mean() + (1 - w) * blank),
            mean,
            low,
            high,
            w,
            _combined([p_rate, p_pattern] if given else [p_pattern]) if identified else None,
            p_rate if identified else None,
            p_pattern if identified else None,
            identified,
            rate_alone=not given and w <= 0.5 and more and (p_rate or 0.0) < 0.025 + 0.2 * (not references.agree),
        )

    def _warnings(self, sample: Incomplete) -> list[str]:
        names = [c.name for c in sample.columns]
        process, blank = self.process_, sample.hidden
        columns = self.passes_[-1]
        ordinary = [c.index for c in columns if c.probability <= 0.5]
        groups = []
        for column in columns:
            j, scores = column.index, column.blanks.blanks
            partners = [] if scores is None else [names[k] for k in scores.partners(blank, j)]
            others = (
                [
                    names[k]
                    for k in (c.index for c in columns)
                    if k != j and j in ordinary and _excess(blank[:, j], blank[:, k]) > TOGETHER
                ]
                if not partners and process.constant is None
                else []
            )
            groups.append(Together(names[j], tuple(partners), tuple(others)))
        drivers = [(names[k], float(blank[:, k].mean())) for k in process.drivers]
        return warnings_for(
            process.references, process.constant is not None and process.given, drivers, groups, self.diagnoses_
        )

    @property
    def meant(self) -> list[int]:
        """Columns that have meaningful blanks, as far as one can tell."""
        return sorted(c.index for c in (self.passes_[-1] if self.passes_ else ()) if c.probability > 0.5)

    def _completed(self, rows: Incomplete) -> np.ndarray:
        """(m, n, d)"""
        draws = self.completer_.impute(rows, COPIES).draws
        if draws is None or draws.samples is None:
            raise UserError(f"{COPIES} draws of {len(rows)} rows do not fit in memory: give fewer rows")
        completed = np.tile(rows.values, (COPIES, 1, 1))
        completed[:, draws.cells[:, 0], draws.cells[:, 1]] = draws.samples
        return completed

    def predict(self, rows: Incomplete) -> np.ndarray:
        """(n, d) probability that each hidden candidate cell is meaningful; 0 elsewhere.

        A row of the training table is judged by models that have not seen it.
        """
        probability = np.zeros(rows.values.shape)
        asked = np.flatnonzero((rows.hidden & rows.candidates).any(1))
        for start in range(0, len(asked) if self.passes_ else 0, MAX_ROWS):
            at = asked[start : start + MAX_ROWS]
            probability[at] = self._predict(rows.take(at))
        return probability

    def _predict(self, rows: Incomplete) -> np.ndarray:
        probability = np.zeros(rows.values.shape)
        first, completed = self.lookup_.find(rows.values), self._completed(rows)
        for columns in self.passes_:
            for column in columns:
                j, hidden = column.index, rows.hidden[:, column.index]
                ordinary = column.blanks.probability(rows, probability)[None]
                meaning = column.meaning.predict(shown_to(j, column.native, completed, rows.hidden), first)
                probability[:, j] = np.where(hidden, column.probability * by_row(meaning, ordinary, hidden), 0.0)
        return probability

    def diagnostics(self) -> dict[str, Any]:
        """How far the assumption carries, in numbers by column and in words; plain values."""
        return {
            "columns": {found.name: found.as_dict() for found in self.diagnoses_},
            "warnings": list(self.warnings_),
        }


def shown_to(j: int, native: np.ndarray, completed: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """(m, n, d) what the model of column j sees: blanks of ``native`` columns (d,), and completed values of others.

    One table where all are the same.
    """
    filled = ~native & (np.arange(len(native)) != j)
    some = completed if blank[:, filled].any() else completed[:1]
    return np.where(blank & ~filled, np.nan, some)


def value_features(rows: Incomplete) -> tuple[np.ndarray, np.ndarray]:
    """(n, f) codes of all values and squares of numbers, each with mean 0, and 0 where hidden; (f,) their columns."""
    parts, of = [], []
    for j, column in enumerate(rows.columns):
        seen = rows.observed[:, j]
        code = ColumnCode.of(column, j, rows.values[seen, j])(rows.values)
        if not column.discrete:
            code = np.column_stack([code, code**2])
        code[seen] -= code[seen].mean(0)
        code[~seen] = 0
        parts.append(code)
        of += [j] * code.shape[1]
    return np.column_stack(parts), np.array(of)


def _combined(p_values: list[float | None]) -> float | None:
    """By Bonferroni's rule, of those that there are."""
    known = [p for p in p_values if p is not None]
    return min(1.0, len(known) * min(known)) if known else None


def _excess(one: np.ndarray, other: np.ndarray) -> float:
    """Standard errors by which two columns are blank in the same rows more often than by chance."""
    n, expected = len(one), one.mean() * other.mean()
    return float(
        (np.mean(one & other) - expected) / np.sqrt(max(expected * (1 - one.mean()) * (1 - other.mean()) / n, 1e-12))
    )
