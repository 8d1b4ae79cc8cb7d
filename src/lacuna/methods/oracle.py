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
    or the mean (rounded in integer columns), given that the blank is not meaningful.
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
        return Imputation(values, probability > 0.5, probability, found.regular if draws else None)
