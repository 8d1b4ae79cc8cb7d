"""One chain: sweeps over the columns, each drawn from its conditional given the others as they stand."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lacuna.methods.chained.conditional import Conditional, Plan
from lacuna.methods.chained.design import Design
from lacuna.types import Incomplete


@dataclass
class Sweeper:
    """Rows that are being completed."""

    design: Design
    rows: Incomplete
    state: np.ndarray  # (n, d)
    features: np.ndarray  # (n, width), of the state
    means: dict[int, np.ndarray] = field(default_factory=dict)  # (h, k) by column, as last predicted

    @classmethod
    def start(cls, design: Design, rows: Incomplete, pools: list[np.ndarray], rng: np.random.Generator) -> Sweeper:
        """Blanks begin as random observed values out of ``pools``, one of state cells for each column."""
        state = design.state(rows.values)
        for j, pool in enumerate(pools):
            hidden = rows.hidden[:, j]
            state[hidden, j] = rng.choice(pool, hidden.sum())
        return cls(design, rows, state, design.features(state))

    def fill(self, j: int, model: Conditional, rng: np.random.Generator) -> None:
        """Draw the blanks of column j."""
        hidden = np.flatnonzero(self.rows.hidden[:, j])
        self.means[j] = model.mean(self.features[hidden])
        self.state[hidden, j] = model.draw(self.means[j], rng)
        self.features[hidden, self.design.blocks[j]] = self.design.coordinates(j, self.state[hidden, j])


@dataclass
class Chain:
    """A chain of the training rows: where they stand, and the models of its last sweep."""

    sweeper: Sweeper
    row_weights: np.ndarray  # (n,) Bayesian bootstrap
    models: dict[int, Conditional] = field(default_factory=dict)

    def learn(self, j: int, plan: Plan, grow: bool = True) -> Conditional:
        """The model of column j given the other columns as they stand."""
        seen = self.sweeper.rows.observed[:, j]
        features, target = self.sweeper.features[seen], self.sweeper.state[seen, j]
        self.models[j] = Conditional.fit(plan, features, target, self.row_weights[seen], self.models.get(j), grow)
        return self.models[j]

    def sweep(self, order: list[int], plans: dict[int, Plan], grow: bool, rng: np.random.Generator) -> None:
        for j in order:
            self.sweeper.fill(j, self.learn(j, plans[j], grow), rng)
