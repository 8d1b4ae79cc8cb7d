"""Comparisons of methods over tables: ranks, Elo, tests, ratios, shares of what is possible, speed against score."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from lacuna.errors import require
from lacuna.rng import stream
from lacuna.tables.arena.results import Losses

LEVEL = 0.05  # of tests


@dataclass(frozen=True)
class Elo:
    """A rating; 400 more mean ten wins for each loss."""

    rating: float
    low: float  # 95% interval over tables
    high: float


@dataclass(frozen=True)
class Differences:
    """Which methods differ over tables (Demsar 2006; Benavoli, Corani, Mangili 2016)."""

    methods: tuple[str, ...]  # by mean rank
    ranks: tuple[float, ...]
    p_friedman: float  # that all methods are alike; NaN for fewer than three methods or two tables
    p_pairs: dict[tuple[str, str], float]  # Wilcoxon's signed ranks, adjusted by Holm
    groups: tuple[tuple[str, ...], ...]  # neighbours in rank among which no pair differs


def ranks(losses: Losses) -> np.ndarray:
    """(t, m) ranks from 1, ties shared; NaN where a method has no loss."""
    return stats.rankdata(losses.values, axis=1, nan_policy="omit") if len(losses.problems) else losses.values


def by_table(losses: Losses, values: np.ndarray) -> np.ndarray:
    """(tables, m): the mean of values (t, m) over the problems of each table; NaN where there are none."""
    names, at = np.unique(losses.tables, return_inverse=True)
    known = ~np.isnan(values)
    sums, counts = np.zeros((len(names), values.shape[1])), np.zeros((len(names), values.shape[1]))
    np.add.at(sums, at, np.where(known, values, 0))
    np.add.at(counts, at, known)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def mean_ranks(losses: Losses) -> dict[str, float]:
    """By method: mean over tables of its mean rank there."""
    found = by_table(losses, ranks(losses))
    return {name: _mean(column) for name, column in zip(losses.methods, found.T, strict=True)}


def wins(losses: Losses) -> dict[str, float]:
    """By method: problems on which it is best, shared with those that tie."""
    best = losses.values == np.nanmin(losses.values, axis=1, initial=np.inf, keepdims=True)
    best &= np.isfinite(losses.values)
    shared = best / np.maximum(best.sum(1, keepdims=True), 1)
    return dict(zip(losses.methods, shared.sum(0).tolist(), strict=True))


def elo(losses: Losses, rounds: int = 200) -> dict[str, Elo]:
    """Bradley-Terry ratings by bencheval; every table has the same weight, and is what the bootstrap draws.

    A battle is two methods on one problem. Ratings average 1000; none where no two methods meet.

    Args:
        rounds: of the bootstrap; with one, intervals have no width.

    Raises:
        MissingPackage: bencheval is not installed.
    """
    require("Elo of the arena", "arena", "bencheval")
    import pandas as pd
    from bencheval.evaluator import BenchmarkEvaluator

    place = ranks(losses)  # order is all that battles see, and failures have no number
    t, m = np.nonzero(~np.isnan(place))
    met = np.flatnonzero((~np.isnan(place)).sum(1) > 1)
    kept = np.isin(t, met)
    if not kept.any():
        return {}
    split = [f"{losses.problems[i].mechanism} {losses.problems[i].ratio:g}" for i in t[kept]]
    battles = pd.DataFrame(
        {
            "method": [losses.methods[j] for j in m[kept]],
            "task": losses.tables[t[kept]],
            "split": split,
            "metric_error": place[t[kept], m[kept]],
        }
    )
    evaluator = BenchmarkEvaluator(method_col="method", task_col="task", seed_column="split", error_col="metric_error")
    found = evaluator.compute_elo(battles, BOOTSTRAP_ROUNDS=rounds, include_quantiles=rounds > 1, round_decimals=None)
    if rounds == 1:
        found = found.assign(**{"elo-": 0.0, "elo+": 0.0})
    rows = found[["elo", "elo-", "elo+"]].itertuples()
    return {str(name): Elo(float(at), float(at - below), float(at + above)) for name, at, below, above in rows}


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values of p (k,).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)[np.argsort(order)]


def differences(losses: Losses) -> Differences:
    """Friedman's test over tables, then pairs by Wilcoxon and Holm; methods that miss tables are left out.

    Of a pair the signed ranks are of its relative difference (a - b) / (|a| + |b|), its mean on each table.
    """
    whole = losses.complete()
    place = by_table(whole, ranks(whole))
    mean = place.mean(0) if len(place) else np.full(len(whole.methods), np.nan)
    order = np.argsort(mean, kind="stable")
    names = tuple(whole.methods[j] for j in order)
    testable = len(names) > 2 and len(place) > 1 and np.ptp(place) > 0
    p_friedman = float(stats.friedmanchisquare(*place.T).pvalue) if testable else np.nan
    pairs = list(combinations(names, 2))
    raw = np.array([_signed_ranks(whole, a, b) for a, b in pairs])
    adjusted = dict(zip(pairs, holm(raw).tolist(), strict=True)) if pairs else {}
    return Differences(names, tuple(mean[order].tolist()), p_friedman, adjusted, _groups(names, adjusted))


def _signed_ranks(losses: Losses, a: str, b: str) -> float:
    """Wilcoxon's p-value."""
    first, second = losses.of(a, b).values.T
    scale = np.abs(first) + np.abs(second)
    with np.errstate(invalid="ignore"):
        relative = np.where(np.isinf(first) | np.isinf(second), np.sign(first - second), (first - second) / scale)
    relative = np.where((scale == 0) | (first == second), 0.0, relative)
    found = by_table(losses, relative[:, None])[:, 0]
    return float(stats.wilcoxon(found).pvalue) if np.any(found) else 1.0


def _groups(names: tuple[str, ...], p: dict[tuple[str, str], float]) -> tuple[tuple[str, ...], ...]:
    """Longest runs of neighbours without a pair that differs; of one method alone too."""
    found: list[tuple[str, ...]] = []
    for i in range(len(names)):
        j = i + 1
        while j < len(names) and all(p[names[k], names[j]] >= LEVEL for k in range(i, j)):
            j += 1
        run = names[i:j]
        if not (found and set(run) <= set(found[-1])):
            found.append(run)
    return tuple(found)


def ratios(losses: Losses, others: tuple[str, ...] | None = None) -> dict[str, float]:
    """By method: its loss over the least loss of any other method, the mean over tables of its mean there.

    Args:
        losses: with a zero that means no loss.
        others: to compare with; None: all methods.
    """
    found = {}
    for j, name in enumerate(losses.methods):
        rivals = [k for k, other in enumerate(losses.methods) if k != j and (others is None or other in others)]
        if not rivals:
            continue
        best = np.nanmin(losses.values[:, rivals], axis=1, initial=np.inf)
        usable = np.isfinite(best) & (best > 0) & np.isfinite(losses.values[:, j])
        ratio = np.where(usable, losses.values[:, j] / np.where(usable, best, 1.0), np.nan)
        found[name] = _mean(by_table(losses, ratio[:, None])[:, 0])
    return found


def possible(losses: Losses, best: str = "oracle", floor: str = "mean_mode") -> dict[str, float]:
    """By method: how much it gains on the column means, as a share of what the law of the data allows.

    The oracle has 1 and the mean 0; problems without both, or on which the oracle gains nothing, do not count.
    """
    if best not in losses.methods or floor not in losses.methods:
        return {}
    top, bottom = losses.of(best, floor).values.T
    with np.errstate(invalid="ignore"):
        usable = bottom - top > 1e-9 * np.abs(bottom)
        gained = (bottom[:, None] - losses.values) / np.where(usable, bottom - top, 1.0)[:, None]
    share = np.where(usable[:, None] & np.isfinite(losses.values), gained, np.nan)
    found = {name: _mean(column) for name, column in zip(losses.methods, by_table(losses, share).T, strict=True)}
    return {name: value for name, value in found.items() if not np.isnan(value)}


def pareto(costs: np.ndarray) -> np.ndarray:
    """(m,) bool: no other of the rows (m, k) is at most as costly in everything and less so in something.

    >>> pareto(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [3.0, 1.0]])).tolist()
    [True, True, False, True]
    """
    no_worse = (costs[:, None] <= costs[None]).all(-1)
    better = (costs[:, None] < costs[None]).any(-1)
    return np.logical_not((no_worse & better).any(0))


def halves(losses: Losses, splits: int = 100, seed: int = 0) -> float:
    """Kendall's tau between the mean ranks in two halves of the tables, the mean over random halves."""
    whole = losses.complete()
    place = by_table(whole, ranks(whole))
    if len(place) < 4 or place.shape[1] < 2:
        return float("nan")
    rng, found = stream(seed, "arena", "halves"), []
    for _ in range(splits):
        order = rng.permutation(len(place))
        first, second = (place[part].mean(0) for part in np.array_split(order, 2))
        found.append(stats.kendalltau(first, second).statistic)
    return _mean(np.array(found))


def _mean(values: np.ndarray) -> float:
    """Of those that are no NaN; NaN where there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
