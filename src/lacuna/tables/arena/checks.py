"""What must hold in any arena whose scores are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.tables.arena.results import Results
from lacuna.tables.arena.scores import BY_ID
from lacuna.tables.arena.statistics import elo, halves, mean_ranks, pareto

CHANCE = 0.02  # by so much, relative, the oracle may lose: it is best on average only
STABLE = 0.9
AGAIN = "the same once more"


@dataclass(frozen=True)
class Check:
    """A sentence and whether it holds; None where records cannot tell."""

    says: str
    holds: bool | None
    details: tuple[str, ...] = ()


def checks(results: Results) -> tuple[Check, ...]:
    """All of them, by RMSE and energy distance."""
    return oracle_first(results), mean_loses_on_energy(results), twice_ties(results), stable(results)


def oracle_first(results: Results) -> Check:
    """No method beats the Bayes oracle where the law is known."""
    says = "the Bayes oracle comes first by RMSE wherever the law is known"
    losses = results.losses(BY_ID["rmse"])
    if "oracle" not in losses.methods:
        return Check(says, None)
    losses = losses.where(np.isfinite(losses.of("oracle").values[:, 0]))
    oracle = losses.of("oracle").values
    ahead = (losses.values < (1 - CHANCE) * oracle) & np.isfinite(losses.values)
    found = [f"{losses.methods[j]} on {_named(losses.problems[i])}" for i, j in np.argwhere(ahead)]
    return Check(says, not found, tuple(found))


def mean_loses_on_energy(results: Results) -> Check:
    """Column means never have the least energy distance."""
    says = "column means never have the least energy distance"
    losses = results.losses(BY_ID["energy"])
    if "mean_mode" not in losses.methods or len(losses.methods) < 2:
        return Check(says, None)
    others = losses.without("mean_mode").values
    mean = losses.of("mean_mode").values[:, 0]
    won = mean <= np.nanmin(others, axis=1, initial=np.inf)
    won &= np.isfinite(others).any(1)
    return Check(says, not won.any(), tuple(_named(losses.problems[i]) for i in np.flatnonzero(won)))


def twice_ties(results: Results) -> Check:
    """A method that enters twice has the same rank and rating both times."""
    says = "a method that enters twice ties with itself"
    losses = results.losses(BY_ID["rmse"])
    if len(losses.methods) < 2:
        return Check(says, None)
    place = mean_ranks(losses)
    first = min(place, key=lambda name: place[name])
    doubled = losses.doubled(first, AGAIN)
    place, rating = mean_ranks(doubled), elo(doubled, rounds=1)
    apart = abs(rating[first].rating - rating[AGAIN].rating)
    alone = pareto(np.array([[place[first], 1.0], [place[AGAIN], 1.0]]))
    return Check(says, bool(np.isclose(place[first], place[AGAIN]) and apart < 0.1 and alone.all()))


def stable(results: Results) -> Check:
    """Ranks are alike in two halves of the tables."""
    tau = halves(results.losses(BY_ID["rmse"]))
    says = f"ranks by RMSE agree between halves of the tables: Kendall's tau at least {STABLE}"
    return Check(says, None if np.isnan(tau) else tau >= STABLE, () if np.isnan(tau) else (f"tau {tau:.2f}",))


def _named(problem: object) -> str:
    return " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in vars(problem).values())
