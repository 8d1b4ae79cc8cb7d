"""`chained`: draws by chained equations that an analysis can be built on.

Rubin, "Multiple Imputation for Nonresponse in Surveys", 1987; van Buuren, "Flexible Imputation of Missing Data", 2018.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lacuna.methods.base import Method
from lacuna.methods.chained.chain import Chain, Sweeper
from lacuna.methods.chained.conditional import Plan, first_plan, with_penalty, with_trees
from lacuna.methods.chained.design import Design
from lacuna.methods.mean_mode import column_center
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete

PILOT_SWEEPS = 4
EXACT = 50  # draws up to which each has a chain of its own
AT_LEAST_SEEN = 500  # rows that show a column, among those that learn, where there are that many


class Chained(Method):
    """Chains of conditional models: ridge, and boosted trees on what it leaves as far as they help out of fold.

    Each chain weighs the rows by a Bayesian bootstrap and starts from random observed values. A draw is the predicted
    mean plus the left-out error of a donor near in predicted mean; a level, from its probabilities; in columns of
    counts, rounded, bounded or mostly equal values, the value of a donor. The point imputation is the mean, or
    mode, of the chains' conditional means.

    Args:
        chains: behind a point imputation. Up to 50 draws have a chain each; of more, the rest repeat the last step
            of a chain.
        sweeps: over the columns.
        max_rows: a random subset of so many rows learns where there are more.
    """

    inductive: ClassVar[bool] = False

    def __init__(self, chains: int = 5, sweeps: int = 10, max_rows: int = 20_000) -> None:
        for name, count in (("chains", chains), ("sweeps", sweeps), ("max_rows", max_rows)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        self.chains, self.sweeps, self.max_rows = chains, sweeps, max_rows

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_, self.train_ = seed, train
        self.learn_ = _some_rows(train, self.max_rows, stream(seed, "chained", "rows"))
        self.design_ = Design.fit(train)
        state = self.design_.state(train.values)
        self.pools_ = [state[seen, j] for j, seen in enumerate(train.observed.T)]
        varied, hidden = self.design_.varied, self.learn_.hidden.sum(0)
        self.order_ = [int(j) for j in np.argsort(hidden, kind="stable") if varied[j] and hidden[j]]
        self.plans_: dict[int, Plan] = {}
        self._pilot()
        self.chains_: list[Chain] = []
        self.means_: list[dict[int, np.ndarray]] = []
        self._run(self.chains)

    def _pilot(self) -> None:
        """A chain of equal weights, on which the plans are made."""
        rng = stream(self.seed_, "chained", "pilot")
        self.pilot_ = Chain(Sweeper.start(self.design_, self.learn_, self.pools_, rng), np.ones(len(self.learn_)))
        for sweep in range(PILOT_SWEEPS):
            for j in self.order_:
                x, y = self._shown(j)
                plan = self.plans_.get(j)
                if plan is None:
                    plan = first_plan(self.learn_.columns[j].n_levels, self.design_.others(j), x, y, rng)
                elif not plan.n_levels or sweep == PILOT_SWEEPS - 1:
                    plan = with_penalty(plan, x, y)
                self.plans_[j] = plan
                self.pilot_.sweeper.fill(j, self.pilot_.learn(j, plan), rng)
        for j in self.order_:
            self.plans_[j] = with_trees(self.plans_[j], *self._shown(j))

    def _shown(self, j: int) -> tuple[np.ndarray, np.ndarray]:
        sweeper = self.pilot_.sweeper
        seen = self.learn_.observed[:, j]
        return sweeper.features[seen], sweeper.state[seen, j]

    def _plan(self, j: int) -> Plan:
        """That of a column without blanks in training is made when new rows need it."""
        if j not in self.plans_:
            rng = stream(self.seed_, "chained", "plan", self.learn_.columns[j].name)
            x, y = self._shown(j)
            plan = first_plan(self.learn_.columns[j].n_levels, self.design_.others(j), x, y, rng)
            self.plans_[j] = with_trees(with_penalty(plan, x, y), x, y)
        return self.plans_[j]

    def _run(self, n: int) -> None:
        """Add chains up to n."""
        for k in range(len(self.chains_), n):
            rng = stream(self.seed_, "chained", k)
            weights = rng.exponential(size=len(self.learn_))
            chain = Chain(Sweeper.start(self.design_, self.learn_, self.pools_, rng), weights)
            total: dict[int, np.ndarray] = {}
            first = self.sweeps // 2
            for sweep in range(self.sweeps):
                self.monitor.progress("sweeps", k * self.sweeps + sweep, n * self.sweeps)
                chain.sweep(self.order_, self.plans_, sweep in self._growing, rng)
                if sweep >= first:
                    for j, mean in chain.sweeper.means.items():
                        total[j] = total.get(j, 0.0) + mean / (self.sweeps - first)
            self.chains_.append(chain)
            self.means_.append(total)

    @property
    def _growing(self) -> set[int]:
        """Sweeps in which trees are grown; the others keep them."""
        return {min(1, self.sweeps - 1), self.sweeps // 2, self.sweeps - 1}

    def level_probabilities(self, rows: Incomplete) -> dict[int, np.ndarray]:
        """P(level | rest of the row), (h, levels), of the h hidden cells of each categorical column."""
        means = self._answers(rows, self.chains)[1]
        return {j: means[j] for j, c in enumerate(rows.columns) if c.discrete and rows.hidden[:, j].any()}

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        n = max(self.chains, draws if draws <= EXACT else 2 * self.chains)
        sweepers, means, models = self._answers(rows, n)
        cells = np.argwhere(rows.hidden)
        values = rows.values.copy()
        samples = np.empty((draws, len(cells)))
        rng = stream(self.seed_, "chained", "draws")
        for j, column in enumerate(rows.columns):
            hidden = rows.hidden[:, j]
            if not hidden.any():
                continue
            of_column = cells[:, 1] == j
            if j not in means:
                values[hidden, j] = column_center(column, self.train_.values[self.train_.observed[:, j], j])
                samples[:, of_column] = values[hidden, j]
                continue
            values[hidden, j] = self._point(j, means[j])
            for i in range(draws):
                k = i % len(sweepers)
                drawn = sweepers[k].state[hidden, j] if i < n else models[k][j].draw(sweepers[k].means[j], rng)
                samples[i, of_column] = self._in_units(j, drawn)
        return Imputation(values, draws=Draws.from_samples(cells, samples) if draws else None)

    def _answers(self, rows: Incomplete, n: int):
        """Rows as n chains complete them, means of the first chains, and the models."""
        self._run(n)
        chains = self.chains_[:n]
        if rows.same_as(self.learn_):
            sweepers = [c.sweeper for c in chains]
            found = self.means_[: self.chains]
        else:
            sweepers, found = [], []
            hidden = rows.hidden.sum(0)
            order = [int(j) for j in np.argsort(hidden, kind="stable") if self.design_.varied[j] and hidden[j]]
            for k, chain in enumerate(chains):
                rng = stream(self.seed_, "chained", "rows", k)
                for j in order:
                    if j not in chain.models:
                        chain.learn(j, self._plan(j))
                sweeper = Sweeper.start(self.design_, rows, self.pools_, rng)
                sweeps = max(1, self.sweeps // 2)
                first = sweeps // 2
                total: dict[int, np.ndarray] = {}
                for sweep in range(sweeps):
                    for j in order:
                        sweeper.fill(j, chain.models[j], rng)
                        if sweep >= first:
                            total[j] = total.get(j, 0.0) + sweeper.means[j] / (sweeps - first)
                sweepers.append(sweeper)
                found.append(total)
            found = found[: self.chains]
        means = {j: np.mean([m[j] for m in found], axis=0) for j in (found[0] if found else {})}
        return sweepers, means, [c.models for c in chains]

    def _point(self, j: int, means: np.ndarray) -> np.ndarray:
        if self.learn_.columns[j].discrete:
            return means.argmax(1).astype(float)
        pool = self.pools_[j]
        values = self.design_.mean[j] + self.design_.sd[j] * means[:, 0].clip(pool.min(), pool.max())
        return np.round(values) if self.learn_.columns[j].kind == "integer" else values

    def _in_units(self, j: int, state: np.ndarray) -> np.ndarray:
        """Draws (h,) as values; those that are values of donors, exactly."""
        column = self.learn_.columns[j]
        if column.discrete:
            return state
        values = self.design_.mean[j] + self.design_.sd[j] * state
        if column.kind == "integer":
            return np.round(values)
        return values


def _some_rows(train: Incomplete, at_most: int, rng: np.random.Generator) -> Incomplete:
    """A random part of the rows where there are more, and of rows that show a column that few do."""
    if len(train) <= at_most:
        return train
    chosen = np.zeros(len(train), bool)
    chosen[rng.choice(len(train), at_most, replace=False)] = True
    for seen in train.observed.T:
        lacking = min(AT_LEAST_SEEN, int(seen.sum())) - int((seen & chosen).sum())
        if lacking > 0:
            chosen[rng.choice(np.flatnonzero(seen & ~chosen), lacking, replace=False)] = True
    return train.take(chosen)
