"""What methods share that complete a table while they learn from it."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from lacuna.methods.base import Method
from lacuna.methods.external.tables import point
from lacuna.methods.mean_mode import column_center
from lacuna.types import Draws, Imputation, Incomplete


class Transductive(Method):
    """Completes the training rows when it is fitted, other rows together with them.

    Columns with one observed value only are filled with it, and no package sees them: most cannot bear them.

    Args:
        samples: completions behind a point imputation, which is their mean or their most frequent level.
    """

    inductive: ClassVar[bool] = False
    generative: ClassVar[bool] = True  # completions differ, and are draws
    alone: ClassVar[bool] = False  # whether other rows can be completed without those of training

    def __init__(self, samples: int) -> None:
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        self.samples = samples

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_, self.train_ = seed, train
        cells = [train.values[seen, j] for j, seen in enumerate(train.observed.T)]
        self.centers_ = np.array([column_center(c, x) for c, x in zip(train.columns, cells, strict=True)])
        varied = np.array([np.ptp(x) > 0 for x in cells])
        self.modelled_ = varied & (varied.sum() > 1)  # a column without company has nothing to be predicted from
        self._learn(self._part(train))
        self.kept_ = self._samples(train, self.samples)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        if not rows.hidden.any():
            return Imputation(rows.values)
        n = max(self.samples, draws if self.generative else 0)
        if rows.same_as(self.train_):
            found = self.kept_ if n <= len(self.kept_) else self._samples(rows, n)
        elif self.alone:
            found = self._samples(rows, n)
        else:
            found = self._samples(_stacked(rows, self.train_), n)[:, : rows.hidden.sum()]
        values = point(rows, found)
        if not draws or not self.generative:
            return Imputation(values)
        return Imputation(values, draws=Draws.from_samples(np.argwhere(rows.hidden), found[:draws]))

    def _part(self, table: Incomplete) -> Incomplete:
        """The columns that are modelled."""
        columns = tuple(c for c, kept in zip(table.columns, self.modelled_, strict=True) if kept)
        return Incomplete(columns, table.values[:, self.modelled_], table.observed[:, self.modelled_])

    def _samples(self, table: Incomplete, n: int) -> np.ndarray:
        """(n, k) completions of the hidden cells; (1, k) of a method that is not generative."""
        part, column_of = self._part(table), np.argwhere(table.hidden)[:, 1]
        n = n if self.generative else 1
        samples = np.tile(self.centers_[column_of], (n, 1))
        if part.hidden.any():
            samples[:, self.modelled_[column_of]] = self._complete(part, n)
        return samples

    def _learn(self, train: Incomplete) -> None:
        """What is learned once, from the modelled columns of the training rows."""

    @abstractmethod
    def _complete(self, table: Incomplete, n: int) -> np.ndarray:
        """(n, k) values of the hidden cells of modelled columns, in ``np.argwhere`` order."""


def _stacked(first: Incomplete, second: Incomplete) -> Incomplete:
    values, observed = (np.concatenate([getattr(t, key) for t in (first, second)]) for key in ("values", "observed"))
    return Incomplete(first.columns, values, observed)
