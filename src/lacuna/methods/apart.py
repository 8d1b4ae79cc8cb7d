"""Columns that are imputed from the others and never predict them: labels made later, or text of poor quality."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.types import Draws, Imputation, Incomplete, Problem


class Apart(Method):
    """Impute by another method, which sees some columns only to impute them.

    The method is fitted to the other columns alone, and once more for each of these, to the others and it. Draws of
    such a column are draws given the observed cells of a row, independent of the draws of its other blanks.

    Args:
        base: the method; copies of it are fitted.
        names: of the columns that predict nothing.
    """

    def __init__(self, base: Method, names: Sequence[str]) -> None:
        self.base, self.names = base, tuple(names)

    @property
    def inductive(self) -> bool:  # type: ignore[override]
        """As the base."""
        return self.base.inductive

    @property
    def at_random(self) -> bool:  # type: ignore[override]
        """As the base."""
        return self.base.at_random

    def unsupported(self, problem: Problem) -> str | None:
        """As the base."""
        return self.base.unsupported(problem)

    def open_ends(self) -> np.ndarray:
        """As the base, column by column."""
        ends = np.zeros((2, len(self.columns_)), bool)
        for part, at in reversed(self.parts_):  # the first one has the last word on the columns that all share
            ends[:, at] = part.open_ends()
        return ends

    def _fit(self, train: Incomplete, seed: int) -> None:
        known = [column.name for column in train.columns]
        if unknown := [name for name in self.names if name not in known]:
            raise UserError(f"impute_only: there is no modelled column {unknown[0]!r}: there are {known}")
        self.main_ = np.array([j for j, name in enumerate(known) if name not in self.names], int)
        if not len(self.main_):
            raise UserError("impute_only names every column: none is left to predict them")
        alone = [j for j, name in enumerate(known) if name in self.names]
        self.parts_: list[tuple[Method, np.ndarray]] = []
        for at in (self.main_, *(np.append(self.main_, j) for j in alone)):
            part = copy.deepcopy(self.base)
            part.monitor = self.monitor
            self.parts_.append((part.fit(_some(train, at), seed), at))

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        done = [(part.impute(_some(rows, at), draws), at) for part, at in self.parts_]
        values, shape = rows.values.copy(), rows.values.shape
        flags, chance = np.zeros(shape, bool), np.zeros(shape)
        for found, at, own in self._owned(done):
            values[:, at] = found.values[:, own]
            if found.meaningful is not None:
                flags[:, at] = found.meaningful[:, own]
            if found.meaningful_probability is not None:
                chance[:, at] = found.meaningful_probability[:, own]
        first = done[0][0]
        return Imputation(
            values,
            None if first.meaningful is None else flags,
            None if first.meaningful_probability is None else chance,
            self._draws(rows, done),
            first.diagnostics,
        )

    def _owned(self, done: list[tuple[Imputation, np.ndarray]]) -> list[tuple[Imputation, np.ndarray, np.ndarray]]:
        """What each part says of the columns that it is there for: all of the first, of the others the last."""
        n_main = len(self.main_)
        owned = [np.arange(n_main), *([np.array([n_main])] * (len(done) - 1))]
        return [(found, at[own], own) for (found, at), own in zip(done, owned, strict=True)]

    def _draws(self, rows: Incomplete, done: list[tuple[Imputation, np.ndarray]]) -> Draws | None:
        drawn = [found.draws for found, _ in done]
        if any(draws is None for draws in drawn):
            return None
        cells = np.argwhere(rows.hidden)
        place = np.full(rows.values.shape, -1)
        place[rows.hidden] = np.arange(len(cells))
        summary = {key: np.empty(len(cells)) for key in ("mean", "sd", "lower", "upper")}
        kept = [draws.samples for draws in drawn if draws is not None]
        samples = None if any(s is None for s in kept) else np.empty((len(kept[0]), len(cells)))  # type: ignore[arg-type]
        for found, at, own in self._owned(done):
            draws = found.draws
            assert draws is not None
            mine = np.isin(draws.cells[:, 1], own)
            to = place[draws.cells[mine, 0], at[np.searchsorted(own, draws.cells[mine, 1])]]
            for key, numbers in summary.items():
                numbers[to] = getattr(draws, key)[mine]
            if samples is not None and draws.samples is not None:
                samples[:, to] = draws.samples[:, mine]
        alpha = next(draws.alpha for draws in drawn if draws is not None)
        return Draws(cells, **summary, alpha=alpha, samples=samples)


def _some(rows: Incomplete, at: np.ndarray) -> Incomplete:
    """Some of the columns."""
    columns = tuple(rows.columns[j] for j in at)
    return replace(rows, columns=columns, values=rows.values[:, at], observed=rows.observed[:, at])
