"""One chain: sweeps over the columns, each drawn from its law given the others as they stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from lacuna.methods.chained.design import Design
from lacuna.methods.chained.law import fit_law
from lacuna.methods.chained.plan import Plan
from lacuna.methods.chained.rows import ColumnLaw, Rows
from lacuna.types import Incomplete


@dataclass
class Completion:
    """Rows whose blanks are drawn again and again."""

    design: Design
    rows: Incomplete
    state: np.ndarray  # (n, d)
    features: np.ndarray  # (n, width), of the state
    predicted: dict[int, np.ndarray] = field(default_factory=dict)  # (h, k) by column, what draws are made from
    means: dict[int, np.ndarray] = field(default_factory=dict)  # (h, k) by column, of the last draws
    totals: dict[int, np.ndarray] = field(default_factory=dict)  # (h, k) by column, of the means that were kept
    n_kept: int = 0
    moments: dict[int, list[tuple[float, float]]] = field(default_factory=dict)  # mean and sd of draws, by sweep

    @classmethod
    def start(cls, design: Design, rows: Incomplete, pools: list[np.ndarray], rng: np.random.Generator) -> Completion:
        """Blanks begin as random observed values out of ``pools``, one of state cells for each column."""
        state = design.state(rows.values)
        for j, pool in enumerate(pools):
            hidden = rows.hidden[:, j]
            state[hidden, j] = rng.choice(pool, hidden.sum())
        return cls(design, rows, state, design.features(state))

    def order(self) -> list[int]:
        """The columns with blanks, the fewest first; those of one value have nothing to be drawn."""
        n_hidden = self.rows.hidden.sum(0)
        return [int(j) for j in np.argsort(n_hidden, kind="stable") if n_hidden[j] and self.design.varied[j]]

    def shown(self, j: int) -> tuple[np.ndarray, np.ndarray]:
        """Features (k, width) of the rows that show column j, and its state (k,)."""
        seen = self.rows.observed[:, j]
        return self.features[seen], self.state[seen, j]

    def rows_as_drawn(self, at: np.ndarray | slice = slice(None)) -> Rows:
        """Some rows, or all."""
        return Rows(self.features[at], self.state[at], self.rows.observed[at])

    def fill(self, j: int, law: ColumnLaw, rng: np.random.Generator) -> None:
        """Draw the blanks of column j."""
        hidden = np.flatnonzero(self.rows.hidden[:, j])
        rows = self.rows_as_drawn(hidden)
        self.predicted[j] = law.mean(rows)
        drawn, self.means[j] = law.draw(self.predicted[j], rows, rng)
        self.state[hidden, j] = drawn
        counted = drawn == 0 if self.design.columns[j].discrete else drawn
        self.moments.setdefault(j, []).append((float(counted.mean()), float(counted.std())))
        self.features[hidden, self.design.blocks[j]] = self.design.coordinates(j, self.state[hidden, j])

    def keep(self) -> None:
        """Let the means of the last sweep count in the average."""
        self.n_kept += 1
        for j, mean in self.means.items():
            self.totals[j] = self.totals.get(j, 0.0) + mean

    def average(self, j: int) -> np.ndarray:
        """(h, k) of the means that were kept."""
        return self.totals[j] / self.n_kept


@dataclass
class Chain:
    """The training rows as one chain completes them, and the laws of its last sweep."""

    completion: Completion
    row_weights: np.ndarray  # (n,) of the sweep
    laws: dict[int, ColumnLaw] = field(default_factory=dict)

    def learn(self, j: int, plan: Plan, rng: np.random.Generator, grow: bool = True) -> ColumnLaw:
        """The law of column j given the other columns as they stand."""
        weights = self.row_weights[self.completion.rows.observed[:, j]]
        self.laws[j] = fit_law(plan, *self.completion.shown(j), weights, rng, self.laws.get(j), grow)
        return self.laws[j]

    def sweep(self, order: Iterable[int], plans: dict[int, Plan], grow: bool, rng: np.random.Generator) -> None:
        """Learn and draw each column in turn, by a Bayesian bootstrap of the rows: the laws are drawn too."""
        self.row_weights = rng.exponential(size=len(self.row_weights))
        for j in order:
            self.completion.fill(j, self.learn(j, plans[j], rng, grow), rng)
