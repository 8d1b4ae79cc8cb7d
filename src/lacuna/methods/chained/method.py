"""`chained`: draws by chained equations that an analysis can be built on.

Rubin, "Multiple Imputation for Nonresponse in Surveys", 1987; van Buuren, "Flexible Imputation of Missing Data", 2018.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from lacuna.crossfit import fitting_threads
from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.methods.chained.analysis import Analysis
from lacuna.methods.chained.chain import Chain, Completion
from lacuna.methods.chained.chains import Recipe, run_chains
from lacuna.methods.chained.compatible import (
    FormulaOutcome,
    Outcome,
    ProductsOutcome,
    clearly_below_0,
    gain_of_weighing,
)
from lacuna.methods.chained.design import Design
from lacuna.methods.chained.plan import (
    DONORS,
    LEARNERS,
    Plan,
    finished,
    first_plan,
    gain_of_products,
    with_penalty,
    with_products,
    with_trees,
)
from lacuna.methods.mean_mode import column_center
from lacuna.numerics.diagnostics import LEAST_DRAWS, split_rhat
from lacuna.rng import stream
from lacuna.types import Column, Draws, Imputation, Incomplete

PILOT_SWEEPS = 4
FEWEST_VALUES = 20  # of a number whose errors may be normal
CLEARLY = 1.5  # standard errors by which its covariates' laws must be better for it
LEAST_GAIN = 0.15  # log of a ratio of squared errors, by which products make a column an outcome
FAMILIES = ("auto", "poisson")
EXACT = 50  # draws up to which each has a chain of its own
AT_LEAST_SEEN = 500  # rows that show a column, among those that learn, where there are that many


class Chained(Method):
    """Chains of conditional laws: ridge, and boosted trees on what it leaves as far as they help out of fold.

    Ridge is given squares and products of other columns where they help rows left out.

    Each chain starts from random observed values, and weighs the rows by a Bayesian bootstrap in each sweep. A draw
    is the predicted mean plus the left-out error of a donor near in predicted mean; a level, from its probabilities;
    in columns of counts, rounded, bounded or mostly equal values, the value of a donor. The point imputation is the
    mean, or mode, of the conditional means in the second half of all chains.

    Rows other than those of training are completed by the laws of the chains' last sweeps.

    Args:
        chains: behind a point imputation. Up to 50 draws have a chain each, and are draws of whole rows and of the
            laws. Of more, those past twice ``chains`` draw each cell anew given the rest of its row in a chain.
        sweeps: over the columns; three times as many where laws go with an outcome, see ``analysis``.
        max_rows: a random subset of so many rows learns where there are more.
        delta: of a column by name, how blanks differ from what the other columns say of them, for an analysis of
            sensitivity: in sds of the column; in log-odds of the second of two levels, or of each of several by its
            label, such as ``{"income": -0.1, "town": {"Bonn": 0.5}}``.
        analysis: formula of the regression that the completed tables are for, such as ``"y ~ x1 * x2 + I(x1**2)"``.
            Its outcome is then drawn from that regression (linear, or logistic or multinomial of levels), and its
            covariates in proportion to their law given all other columns but the outcome, times the outcome's density:
            products and squares are not diluted. Without one, a number that clearly goes with products or squares of
            others counts as such an outcome of these. Columns that the formula does not name count as covariates that
            tell nothing more of the outcome.
        learner: of a column's conditional law: "auto", as above; "linear", without products and trees; "cart", a tree
            whose leaf gives donors; or "forest" of ten such trees.
        donors: "values", a draw of a number is always the value of a donor: predictive mean matching; or "auto".
        family: "poisson" where the outcome is a count of Poisson's law; else "auto".
    """

    inductive: ClassVar[bool] = False

    def __init__(
        self,
        chains: int = 5,
        sweeps: int = 10,
        max_rows: int = 20_000,
        delta: Mapping[str, float | Mapping[str, float]] | None = None,
        learner: str = "auto",
        donors: str = "auto",
        analysis: str | None = None,
        family: str = "auto",
    ) -> None:
        for name, count in (("chains", chains), ("sweeps", sweeps), ("max_rows", max_rows)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        for name, choice, known in (
            ("learner", learner, LEARNERS),
            ("donors", donors, DONORS),
            ("family", family, FAMILIES),
        ):
            if choice not in known:
                raise ValueError(f"{name} must be one of {known}, got {choice!r}")
        self.chains, self.sweeps, self.max_rows, self.delta = chains, sweeps, max_rows, dict(delta or {})
        self.learner, self.donors = learner, donors
        self.analysis, self.family = analysis, family

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_ = seed
        self.shifts_ = _shifts(train.columns, self.delta)
        self.design_ = Design.fit(train)
        cells = [train.values[seen, j] for j, seen in enumerate(train.observed.T)]
        self.centers_ = [column_center(column, x) for column, x in zip(train.columns, cells, strict=True)]
        self.learn_ = _some_rows(train, self.max_rows, stream(seed, "chained", "rows"))
        state = self.design_.state(self.learn_.values)
        self.pools_ = [state[seen, j] for j, seen in enumerate(self.learn_.observed.T)]
        self.plans_: dict[int, Plan] = {}
        self.chains_: list[Chain] = []
        with fitting_threads(len(self.learn_)), threadpool_limits(1, "blas"):  # several threads add up in other ways
            self.pilot_ = self._pilot()
            for j in self.pilot_.completion.order():
                self.plans_[j] = self._ready(j, self.plans_[j])
            self.proposals_: dict[int, Plan] = {}  # of covariates, without the outcome
            self.outcome_: Outcome | None = self._products() if self.analysis is None else self._asked(self.analysis)
            self._run(self.chains)

    def _pilot(self) -> Chain:
        """A chain of equal weights and without trees, in which the plans are made."""
        rng = stream(self.seed_, "chained", "pilot")
        completion = Completion.start(self.design_, self.learn_, self.pools_, rng)
        pilot = Chain(completion, np.ones(len(self.learn_)))
        for sweep in range(PILOT_SWEEPS):
            for j in completion.order():
                shown = completion.shown(j)
                plan = self.plans_.get(j)
                if plan is None:
                    plan = self._first_plan(j, self.design_.others(j), *shown, rng)
                elif self.learner == "auto" and (not plan.n_levels or sweep == PILOT_SWEEPS - 1):  # levels are dear
                    plan = with_penalty(with_products(plan, *shown), *shown)
                self.plans_[j] = plan
                completion.fill(j, pilot.learn(j, plan, rng), rng)
        return pilot

    def _plan(self, j: int) -> Plan:
        """That of a column without blanks in training is made when new rows need it."""
        if (y := self.outcome_) is not None and (j in y.covariates or (y.strict and j != y.column)):
            if j not in self.proposals_:
                self.proposals_[j] = self._proposal(j, y.column)
            return self.proposals_[j]
        if j not in self.plans_:
            rng = stream(self.seed_, "chained", "plan", self.learn_.columns[j].name)
            shown = self.pilot_.completion.shown(j)
            plan = finished(self._first_plan(j, self.design_.others(j), *shown, rng), *shown)
            self.plans_[j] = replace(plan, shift=self.shifts_.get(j))
        return self.plans_[j]

    def _first_plan(
        self, j: int, predictors: np.ndarray, features: np.ndarray, target: np.ndarray, rng: np.random.Generator
    ) -> Plan:
        n_levels = self.learn_.columns[j].n_levels
        plan = first_plan(n_levels, predictors, features, target, rng, self.learner, self.donors)
        low, high = self._bounds(j)
        return replace(plan, low=max(plan.low, low), high=min(plan.high, high))

    def _bounds(self, j: int) -> tuple[float, float]:
        """Bounds of a column's state: those that it was given, and 0 where no observed number is on its other side."""
        low, high = self.learn_.columns[j].bounds
        mean, sd = self.design_.mean[j], self.design_.sd[j]
        if self.units_ is None or not self.units_.shift[j]:  # else 0 is far away
            observed = mean + sd * self.pools_[j]
            low = max(low, 0.0) if observed.min() >= 0 else low
            high = min(high, 0.0) if observed.max() <= 0 else high
        return (low - mean) / sd, (high - mean) / sd

    def _ready(self, j: int, plan: Plan) -> Plan:
        """What the pilot has no use for: trees, and the shift of blanks."""
        if self.learner == "auto":
            plan = with_trees(plan, *self.pilot_.completion.shown(j))
        return replace(plan, shift=self.shifts_.get(j))

    def _asked(self, formula: str) -> Outcome:
        """That of an analysis, over the table as the pilot completed it, in the units that were given."""
        shift, scale = (0.0, 1.0) if self.units_ is None else (self.units_.shift, self.units_.scale)
        mean, sd = self.design_.mean * scale + shift, self.design_.sd * scale
        analysis = Analysis.of(formula, self.learn_.columns, mean + sd * self.pilot_.completion.state)
        return FormulaOutcome(analysis, self.family == "poisson", mean, sd, self.shifts_.get(analysis.outcome))

    def _products(self) -> Outcome | None:
        """The number that goes most with squares or products of others, if the laws of these are better so.

        Given a product, a factor is of no simple form: neither products nor trees find it.
        """
        if self.learner != "auto":
            return None
        done, rng = self.pilot_.completion, stream(self.seed_, "chained", "products")
        blank = set(done.order())
        gains: dict[int, float] = {}
        plans: dict[int, Plan] = {}
        for j, column in enumerate(self.learn_.columns):
            if column.discrete or not self.design_.varied[j] or len(np.unique(self.pools_[j])) < FEWEST_VALUES:
                continue
            shown = done.shown(j)
            plan = self.plans_.get(j) or self._first_plan(j, self.design_.others(j), *shown, rng)
            plan = with_penalty(with_products(plan, *shown, sure=0.0), *shown)  # what they are good for is seen below
            plans[j], gains[j] = plan, gain_of_products(plan, *shown)
        if not gains or max(gains.values()) < LEAST_GAIN:
            return None
        y = max(gains, key=gains.__getitem__)
        owner = np.repeat(np.arange(len(self.learn_.columns)), [b.stop - b.start for b in self.design_.blocks])
        factors = {int(j) for j in owner[plans[y].inputs.pairs.ravel()]} & blank
        outcome = ProductsOutcome(y, frozenset(factors), replace(plans[y], extent=0.0))
        self.proposals_ = {j: self._proposal(j, y) for j in factors}
        found = {
            j: gain_of_weighing(j, self.plans_[j], self.proposals_[j], outcome, done, rng) for j in sorted(factors)
        }
        better = {j: gain for j, (gain, nearer) in found.items() if gain.sum() > 0 and not clearly_below_0(nearer)}
        error = np.sqrt(sum(len(gain) * gain.var() for gain in better.values()))
        clear = sum(gain.sum() for gain in better.values()) > CLEARLY * error
        if not better or not clear:
            self.proposals_ = {}
            return None
        self.proposals_ = {j: self.proposals_[j] for j in better}
        return replace(outcome, covariates=frozenset(better))

    def _proposal(self, j: int, y: int) -> Plan:
        """The plan of column j given all others but y, from all rows as the pilot completed them."""
        rows = self.pilot_.completion.rows_as_drawn()
        rng = stream(self.seed_, "chained", "proposal", self.learn_.columns[j].name)
        outcome = np.arange(self.design_.width)[self.design_.blocks[y]]
        predictors = np.setdiff1d(self.design_.others(j), outcome)
        shown = rows.features, rows.state[:, j]
        plan = finished(self._first_plan(j, predictors, *shown, rng), *shown)
        return replace(
            plan, matched=False, shift=self.shifts_.get(j), n_near=0
        )  # few donors would leave the outcome no choice

    def _run(self, n: int) -> None:
        """Add chains up to n."""
        if len(self.chains_) >= n:
            return
        if self.outcome_ is not None:
            for j in self.plans_:
                self._plan(j)  # of covariates too
        parts = self.design_, self.learn_, self.pools_, self.plans_, self.outcome_, self.proposals_
        recipe = Recipe(*parts, self.sweeps, self.seed_)
        tell = functools.partial(self.monitor.progress, "sweeps", total=n * recipe.n_sweeps)
        self.chains_.extend(run_chains(recipe, len(self.chains_), n, tell))

    def level_probabilities(self, rows: Incomplete) -> dict[int, np.ndarray]:
        """P(level | rest of the row), (h, levels), of the h hidden cells of each categorical column."""
        means = self._means(self._completions(rows, self.chains))
        probabilities = {}
        for j, column in enumerate(rows.columns):
            n_hidden = int(rows.hidden[:, j].sum())
            if column.discrete and n_hidden:
                sure = np.tile(np.eye(column.n_levels)[int(self.centers_[j])], (n_hidden, 1))
                probabilities[j] = means.get(j, sure)
        return probabilities

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        n = max(self.chains, draws if draws <= EXACT else 2 * self.chains)
        cells, values = np.argwhere(rows.hidden), rows.values.copy()
        of_column = {j: cells[:, 1] == j for j in range(len(rows.columns)) if rows.hidden[:, j].any()}
        samples = np.tile(np.array(self.centers_)[cells[:, 1]], (draws, 1))
        means = self._means(self._sampled(self._completions(rows, n), n, of_column, samples))
        for j in of_column:
            values[rows.hidden[:, j], j] = self._point(j, means[j]) if j in means else self.centers_[j]
        diagnostics = {"convergence": self._convergence()} if rows.same_as(self.learn_) else {}
        return Imputation(values, draws=Draws.from_samples(cells, samples) if draws else None, diagnostics=diagnostics)

    def _completions(self, rows: Incomplete, n: int) -> Iterator[Completion]:
        """Rows as n chains complete them, one after the other: there may be many rows."""
        with fitting_threads(len(self.learn_)):
            self._run(n)
            known = rows.same_as(self.learn_)
            for k in range(n):
                yield self.chains_[k].completion if known else self._completion(rows, k)

    def _sampled(
        self, completions: Iterator[Completion], n: int, of_column: dict[int, np.ndarray], samples: np.ndarray
    ) -> Iterator[Completion]:
        """Pass n completions on, and write draws of them into samples (m, k)."""
        rng = stream(self.seed_, "chained", "draws")
        for k, done in enumerate(completions):
            for j in done.means:
                law, rows = self.chains_[k].laws[j], done.rows_as_drawn(done.rows.hidden[:, j])
                for i in range(k, len(samples), n):
                    drawn = rows.state[:, j] if i == k else law.draw(done.predicted[j], rows, rng)[0]
                    samples[i, of_column[j]] = self._in_units(j, drawn)
            yield done

    def _means(self, completions: Iterable[Completion]) -> dict[int, np.ndarray]:
        """(h, k) by column that varies: conditional means, averaged over the first chains."""
        means: dict[int, np.ndarray] = {}
        for k, done in enumerate(completions):
            for j in done.means if k < self.chains else ():
                means[j] = means.get(j, 0.0) + done.average(j) / self.chains
        return means

    def _convergence(self) -> dict[str, dict[str, Any]]:
        """By column: mean and sd of the draws, (chains, sweeps) each, and split R-hat of the mean over the second half.

        Of levels, the share of the first one.
        """
        found = {}
        for j in self.chains_[0].completion.order():
            trace = np.array([chain.completion.moments[j] for chain in self.chains_])  # (chains, sweeps, 2)
            column = self.learn_.columns[j]
            mean, sd = trace[..., 0] * self.design_.sd[j] + self.design_.mean[j], trace[..., 1] * self.design_.sd[j]
            late = trace[:, trace.shape[1] // 2 :, :1]
            rhat = float(split_rhat(late)[0]) if late.shape[1] >= LEAST_DRAWS else float("nan")
            found[column.name] = {"mean": mean.tolist(), "sd": sd.tolist(), "rhat": rhat}
        return found

    def _completion(self, rows: Incomplete, k: int) -> Completion:
        """Rows that chain k has not learned from."""
        chain, rng = self.chains_[k], stream(self.seed_, "chained", "rows", k)
        completion = Completion.start(self.design_, rows, self.pools_, rng)
        order = completion.order()
        if self.outcome_ is not None:
            order.sort(key=self.outcome_.column.__eq__)
        for j in order:
            if j not in chain.laws:
                chain.learn(j, self._plan(j), rng)
        for sweep in range(self.sweeps):
            for j in order:
                completion.fill(j, chain.laws[j], rng)
            if sweep >= self.sweeps // 2:
                completion.keep()
        return completion

    def _point(self, j: int, mean: np.ndarray) -> np.ndarray:
        """(h,) values for conditional means (h, k), within the observed range."""
        if self.learn_.columns[j].discrete:
            return mean.argmax(1).astype(float)
        return self._in_units(j, mean[:, 0].clip(self.pools_[j].min(), self.pools_[j].max()))

    def _in_units(self, j: int, state: np.ndarray) -> np.ndarray:
        """Values (h,) of a state (h,)."""
        values = self.design_.mean[j] + self.design_.sd[j] * state
        return np.round(values) if self.learn_.columns[j].kind == "integer" else values


def _shifts(columns: tuple[Column, ...], delta: Mapping[str, float | Mapping[str, float]]) -> dict[int, np.ndarray]:
    """(k,) for each column that ``delta`` names: of its mean, or of the log-odds of its levels."""
    names = [column.name for column in columns]
    found = {}
    for name, asked in delta.items():
        if name not in names:
            raise UserError(f"delta names {name!r}, which is no column: there are {names}")
        j = names.index(name)
        levels = [str(level) for level in columns[j].levels]
        by_level = {levels[1]: asked} if len(levels) == 2 and not isinstance(asked, Mapping) else asked
        if not levels:
            if isinstance(asked, Mapping):
                raise UserError(f"delta of {name!r}, a column of numbers, must be a number of sds, not {asked}")
            found[j] = np.array([float(asked)])
        elif not isinstance(by_level, Mapping) or (set(map(str, by_level)) - set(levels)):
            raise UserError(f"delta of {name!r} must give log-odds by level, such as {{{levels[0]!r}: 0.5}}: {levels}")
        else:
            odds = {str(level): float(value) for level, value in by_level.items()}
            found[j] = np.array([odds.get(level, 0.0) for level in levels])
    return found


def _some_rows(train: Incomplete, at_most: int, rng: np.random.Generator) -> Incomplete:
    """A random part of the rows where there are more, and further ones that show a column that few do."""
    if len(train) <= at_most:
        return train
    chosen = np.zeros(len(train), bool)
    chosen[rng.choice(len(train), at_most, replace=False)] = True
    for seen in train.observed.T:
        lacking = min(AT_LEAST_SEEN, at_most // 2, int(seen.sum())) - int((seen & chosen).sum())
        if lacking > 0:
            chosen[rng.choice(np.flatnonzero(seen & ~chosen), lacking, replace=False)] = True
    return train.take(chosen)
