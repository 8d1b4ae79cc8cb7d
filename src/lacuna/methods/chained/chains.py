"""Several chains over the same rows: each on its own, so that they may run side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from lacuna.methods.chained.chain import Chain, Completion
from lacuna.methods.chained.compatible import CompatibleChain, Outcome
from lacuna.methods.chained.design import Design
from lacuna.methods.chained.plan import Plan
from lacuna.rng import stream
from lacuna.types import Incomplete

FIRST_SWEEPS = 3  # of a chain before those in which laws go with an outcome
SLOWER = 3  # times more of these: blanks teach the laws that they are drawn from
WORTH_WORKERS = 10.0  # CPU seconds of chains one after the other: workers take two or three to start


@dataclass(frozen=True)
class Recipe:
    """All that a chain is made from."""

    design: Design
    rows: Incomplete
    pools: list[np.ndarray]  # d: the observed state of each column
    plans: dict[int, Plan]  # of the columns with blanks
    outcome: Outcome | None
    proposals: dict[int, Plan]  # of its covariates
    sweeps: int
    seed: int

    @property
    def n_sweeps(self) -> int:
        """Of each chain, but for the first ones."""
        return self.sweeps if self.outcome is None else SLOWER * self.sweeps

    def chain(self, k: int, tell: Callable[[int], None] = lambda _: None) -> Chain:
        """Chain k, which is the same wherever it runs.

        Args:
            tell: is told the number of each sweep.
        """
        rng = stream(self.seed, "chained", k)
        completion = Completion.start(self.design, self.rows, self.pools, rng)
        chain, order, plans = Chain(completion, np.ones(len(self.rows))), completion.order(), self.plans
        n = self.n_sweeps
        growing = {min(1, n - 1), n // 2, n - 1}  # trees are kept in other sweeps
        with threadpool_limits(1, "blas"):  # sums of several threads have other last bits
            if self.outcome is not None:
                for _ in range(FIRST_SWEEPS):
                    chain.sweep(order, plans, False, rng)
                completion.moments.clear()
                chain = CompatibleChain(completion, np.ones(len(self.rows)), outcome=self.outcome)
                order.sort(key=self.outcome.column.__eq__)  # the outcome last
                plans = plans | self.proposals
            for sweep in range(n):
                tell(sweep)
                chain.sweep(order, plans, sweep in growing, rng)
                if sweep >= n // 2:
                    completion.keep()
        return chain


def run_chains(recipe: Recipe, first: int, n: int, tell: Callable[[int], None]) -> Iterator[Chain]:
    """Chains ``first`` to n - 1; on all cores where the first one takes long.

    Args:
        tell: is told how many sweeps of n chains are over.
    """
    started = time.process_time()
    yield recipe.chain(first, lambda sweep: tell(first * recipe.n_sweeps + sweep))
    if (time.process_time() - started) * (n - first - 1) < WORTH_WORKERS:
        for k in range(first + 1, n):
            yield recipe.chain(k, lambda sweep, k=k: tell(k * recipe.n_sweeps + sweep))  # type: ignore[misc]
        return
    workers = Parallel(n_jobs=-1, return_as="generator")
    for k, chain in enumerate(workers(delayed(recipe.chain)(k) for k in range(first + 1, n)), start=first + 1):
        chain.completion.design, chain.completion.rows = recipe.design, recipe.rows  # not a copy for each
        tell((k + 1) * recipe.n_sweeps)
        yield chain
