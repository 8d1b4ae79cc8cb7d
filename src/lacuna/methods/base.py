"""The method contract.

A method is a class whose constructor takes its hyper-parameters and nothing else, with two hooks:
``_fit(train, seed)`` learns from incomplete rows and ``_impute(rows, draws)`` completes rows. The public ``fit``
and ``impute`` are the door: they check what comes in, bring columns to a scale that any method can bear
(``lacuna.units``) and guarantee what goes out, so that the hooks can be plain array code. A method never sees an
Answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from lacuna.errors import UserError
from lacuna.types import Column, Imputation, Incomplete, Problem
from lacuna.units import Units


class Monitor:
    """What a running method may tell, and ask of, whoever runs it. This one listens to nothing.

    The runner replaces it to draw progress bars, score outer iterations and keep checkpoints; methods call it
    and never know.
    """

    def progress(self, phase: str, done: int, total: int, **info: float) -> None:
        """``done`` of ``total`` steps of ``phase`` are over; ``info`` holds numbers to show, such as the loss."""

    def iteration(self, index: int, impute: Callable[[Incomplete], Imputation]) -> None:
        """Outer iteration ``index`` (from 1) is over; ``impute`` answers with the model as it is now."""

    def save(self, state: dict[str, Any]) -> None:
        """Keep ``state`` (tensors, arrays, numbers, strings, containers of them) as the checkpoint."""

    def restore(self) -> dict[str, Any] | None:
        """The last checkpoint of this very run, or None."""
        return None


class Method(ABC):
    """Base of all imputation methods."""

    label: str = ""  # in tables and figures; "": the id of its configuration
    inductive: ClassVar[bool] = True  # rows imputed one at a time get the same point values as all at once
    seeded: ClassVar[bool] = True  # False: every seed gives the same point values
    needs_law: ClassVar[bool] = False  # True for oracles only: the runner hands them ``problem.law`` as ``self.law``
    monitor: Monitor = Monitor()

    columns_: tuple[Column, ...]  # of the training table as the hooks see it, set by ``fit``
    units_: Units | None = None  # of the training table; None: the hooks see columns as they are given

    def unsupported(self, problem: Problem) -> str | None:
        """Why this method cannot serve ``problem``, in a sentence; None when it can."""
        return None

    def fit(self, train: Incomplete, seed: int = 0) -> Self:
        """Learn from incomplete rows.

        Args:
            train: n rows; every column needs at least one observed cell.
            seed: root seed; the method draws from streams named after it.

        Raises:
            UserError: the table has no rows, or a column has no observed cell.
        """
        if not len(train):
            raise UserError("the training table has no rows")
        for column, seen in zip(train.columns, train.observed.T, strict=True):
            if not seen.any():
                raise UserError(f"column {column.name!r} has no observed value in the training rows: drop it")
        self.units_ = None if self.needs_law else Units.fit(train)  # a law has the units of its table
        seen = self._seen(train)
        self.columns_ = seen.columns
        self._fit(seen, seed)
        return self

    def impute(self, rows: Incomplete, draws: int = 0) -> Imputation:
        """Complete rows of the fitted columns, with ``draws`` posterior draws where the method can give them.

        Raises:
            UserError: the columns are not those of ``fit``, or the method gives no draws and some were asked for.
        """
        if not hasattr(self, "columns_"):
            raise UserError(f"{type(self).__name__}.impute was called before fit")
        if rows.columns != (self.columns_ if self.units_ is None else self.units_.columns):
            raise UserError(f"columns {[c.name for c in rows.columns]} are not the fitted {self.column_names}")
        done = self._impute(self._seen(rows), draws)
        if self.units_ is not None:
            done = self.units_.decode(done, self.open_ends())
        done = done.within(rows.columns)
        values = np.where(rows.observed, rows.values, done.values)
        if np.isnan(values).any():
            column = rows.columns[int(np.isnan(values).any(0).argmax())].name
            raise RuntimeError(f"{type(self).__name__} left hidden cells of column {column!r} without a value")
        meaningful = None if done.meaningful is None else done.meaningful & rows.hidden & rows.candidates
        return replace(done, values=values, meaningful=meaningful)

    @property
    def column_names(self) -> list[str]:
        return [c.name for c in self.columns_]

    def open_ends(self) -> np.ndarray:
        """(2, d) bool: where an imputed whole number may lie below, and above, all that were observed."""
        return np.zeros((2, len(self.columns_)), bool)

    def _seen(self, rows: Incomplete) -> Incomplete:
        """Rows as the hooks see them."""
        return rows if self.units_ is None else self.units_.encode(rows)

    @abstractmethod
    def _fit(self, train: Incomplete, seed: int) -> None: ...

    @abstractmethod
    def _impute(self, rows: Incomplete, draws: int) -> Imputation: ...
