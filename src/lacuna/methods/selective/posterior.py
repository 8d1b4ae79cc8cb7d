"""How probable it is that a blank is meaningful: the constructive reading of Proposition 3.1 of Diff-Joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lacuna.crossfit import Boosting
from lacuna.methods.selective.diagnosis import ColumnDiagnosis, warnings_for
from lacuna.methods.selective.meaning import MeaningRate
from lacuna.methods.selective.observation import ColumnProcess, ObservationProcess, Ordinary
from lacuna.numerics.rows import RowLookup
from lacuna.rng import stream
from lacuna.types import Incomplete

PROCESS_ROWS = 20_000


@dataclass(frozen=True)
class CandidateColumn:
    """Both kinds of blanks of one candidate column."""

    index: int
    blanks: ColumnProcess
    meaning: MeaningRate


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

    def fit(self, train: Incomplete, seed: int = 0) -> Self:
        """Learn from n incomplete rows."""
        rng = stream(seed, "selective")
        # the process has few parameters: a random subset of the rows serves
        some = np.sort(rng.permutation(len(train))[:PROCESS_ROWS])
        sample = train.take(some)
        self.process_ = ObservationProcess.fit(sample, self.ordinary)
        self.lookup_ = RowLookup.of(train.values)
        first = self.lookup_.find(train.values)
        modelled = np.flatnonzero(train.candidates & train.hidden.any(0) & train.observed.any(0))
        meaningful = np.zeros(train.values.shape)
        self.columns_: list[CandidateColumn] = []
        self.diagnoses_: list[ColumnDiagnosis] = []
        # A driver that may be meaningful comes first: what it is where hidden bears on the others.
        for j in sorted(modelled, key=lambda j: j not in self.process_.drivers):
            blanks = self.process_.of_column(sample, int(j), meaningful[some], rng)
            ordinary = blanks.probability(train, meaningful)
            meaning = MeaningRate.fit(train, first, int(j), ordinary, self.boosting, rng)
            meaningful[:, j] = given_hidden(meaning.out_of_fold, ordinary)
            self.columns_.append(CandidateColumn(int(j), blanks, meaning))
            self.diagnoses_.append(
                ColumnDiagnosis.of(
                    train.columns[j].name,
                    train.hidden[:, j],
                    ordinary,
                    meaning.trees.out_of_fold[:, 0],
                    self.process_,
                )
            )
        self.warnings_ = warnings_for(train, self.process_, self.diagnoses_)
        return self

    def predict(self, rows: Incomplete) -> np.ndarray:
        """(n, d) probability that each hidden candidate cell is meaningful; 0 elsewhere.

        A row of the training table is judged by models that have not seen it.
        """
        probability = np.zeros(rows.values.shape)
        first = self.lookup_.find(rows.values)
        for column in self.columns_:
            at = np.flatnonzero(rows.hidden[:, column.index])
            if len(at):
                some = rows.take(at)
                ordinary = column.blanks.probability(some, probability[at])
                probability[at, column.index] = given_hidden(column.meaning.predict(some.values, first[at]), ordinary)
        return probability

    def diagnostics(self) -> dict[str, Any]:
        """How far the assumption carries, in numbers by column and in words; plain values."""
        return {
            "columns": {found.name: found.as_dict() for found in self.diagnoses_},
            "warnings": list(self.warnings_),
        }
