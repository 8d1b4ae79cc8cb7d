"""The Bayes oracle: the exact posterior of every hidden cell, and so the ceiling in every synthetic table."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lacuna.errors import UserError
from lacuna.laws import HiddenLaw
from lacuna.methods.base import Method
from lacuna.rng import stream
from lacuna.types import Imputation, Incomplete, Problem, where


class Oracle(Method):
    """Impute by the law of the data and of the mask, which the runner puts into ``law`` before ``fit``.

    A cell is kept as NA where P(meaningful) exceeds 1/2. The value beside the flag is the most probable level
    or the mean (rounded in integer columns), given that the blank is not meaningful. In a categorical column NA can
    be the most probable state below 1/2; on ``bayesnet`` that rule is right in at most 0.2 points more of the cells.
    """

    label = "Bayes oracle (ceiling)"
    seeded: ClassVar[bool] = False
    at_random: ClassVar[bool] = False
    needs_law: ClassVar[bool] = True
    law: HiddenLaw | None = None

    def unsupported(self, problem: Problem) -> str | None:
        if problem.law is None:
            return "the law of this data set under this mask is not known: the oracle is for synthetic data"
        return None

    def _fit(self, train: Incomplete, seed: int) -> None:
        if self.law is None:
            raise UserError("the oracle was fitted without a law: set its attribute law to Problem.law first")
        self.seed_ = seed

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        assert self.law is not None  # _fit has seen to it
        found = self.law.posterior(rows, draws, stream(self.seed_, "oracle"))
        at = tuple(found.regular.cells.T)
        values, probability = rows.values.copy(), np.zeros(rows.values.shape)
        values[at] = np.where(where(rows.columns, discrete=True)[at[1]], found.levels.argmax(1), found.regular.mean)
        whole = where(rows.columns, kind="integer")
        values[:, whole] = values[:, whole].round()
        probability[at] = found.meaningful.clip(0, 1)  # a sum of weights may exceed 1 in its last digit
        return Imputation(values, self._flags(probability, rows), probability, found.regular if draws else None)

    def _flags(self, probability: np.ndarray, rows: Incomplete) -> np.ndarray:
        return probability > 0.5


class OracleF1(Oracle):
    """The oracle whose flags have the highest expected F1: the ceiling of F1, where ``oracle`` is that of accuracy.

    F1 wants a lower threshold than 1/2: of all thresholds on P(meaningful) that one is taken at which
    2 E[flagged and meaningful] / (flagged + E[meaningful]) is highest over the blanks of the candidate columns.
    """

    label = "Bayes oracle, best F1 (ceiling of F1)"
    inductive: ClassVar[bool] = False  # the threshold is that of all rows together

    def _flags(self, probability: np.ndarray, rows: Incomplete) -> np.ndarray:
        of_candidates = rows.hidden & rows.candidates
        p = np.sort(probability[of_candidates])[::-1]
        if not p.sum():
            return np.zeros_like(of_candidates)
        expected = 2 * np.cumsum(p) / (np.arange(1, len(p) + 1) + p.sum())
        return of_candidates & (probability >= p[expected.argmax()]) & (probability > 0)
