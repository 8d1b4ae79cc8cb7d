"""Exact rules: conditions on another column under which a column is blank without exception (skip patterns)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lacuna.diagnosis.reading import Cells

CHANCE = 0.01  # that one of all conditions tried would hold without exception, if blanks fell at random
FEWEST_ROWS = 5
NEAR = 20  # rows beyond a limit that show whether the rate falls there


@dataclass(frozen=True)
class Rule:
    """``column`` is blank wherever the condition holds."""

    column: int
    driver: int
    condition: str  # such as "job = no" or "age < 18"
    coverage: float  # share of the column's blanks that it accounts for
    elsewhere: float  # blank rate in rows where the driver is observed and the condition does not hold
    rows: np.ndarray  # (n,) bool: where the condition holds
    chance: float  # bound on the probability of such a rule among all that were tried, were blanks at random


def find_rules(cells: Cells, column: int) -> list[Rule]:
    """The rules of one column's blanks, the one that accounts for most of them first.

    A condition is a set of levels, or numbers below or above a limit, in which every row is blank. To count, it must
    be unlikely at the column's overall blank rate; for numbers the rate must also fall at once beyond the limit, at
    least half of the way to that of all other rows: a rate that rises smoothly to one is no rule.
    """
    blank = cells.blank[:, column]
    codings = {k: coding for k, coding in enumerate(cells.codings) if coding is not None and k != column}
    tried = sum(len(coding.levels) or 2 for coding in codings.values())  # levels, or limits at both ends
    found = []
    for k, coding in codings.items():
        observed = ~cells.blank[:, k]
        values, hidden = cells.values[observed, k], blank[observed]
        if len(values) < 2 * FEWEST_ROWS or hidden.all() or hidden.sum() < FEWEST_ROWS:
            continue
        search = _levels if coding.levels else _limits
        for condition, holds, log_chance in search(cells, k, values, hidden, np.log(CHANCE / tried)):
            chance = float(min(1.0, tried * np.exp(log_chance)))
            if chance < CHANCE:
                rows = np.zeros(len(blank), bool)
                rows[observed] = holds
                coverage, elsewhere = float(holds.sum() / blank.sum()), float(hidden[~holds].mean())
                found.append(Rule(column, k, condition, coverage, elsewhere, rows, chance))
    return sorted(found, key=lambda rule: (-rule.coverage, rule.chance))


Found = tuple[str, np.ndarray, float]  # condition, where it holds (r,), log probability of no exception


def _levels(cells: Cells, k: int, values: np.ndarray, hidden: np.ndarray, enough: float) -> Iterator[Found]:
    codes = values.astype(int)
    n, n_blank = np.bincount(codes), np.bincount(codes, hidden)
    log_chance = n * np.log(hidden.mean())
    pure = np.flatnonzero((n == n_blank) & (n >= FEWEST_ROWS) & (log_chance < enough))
    if len(pure):
        shown = [cells.shown(k, code) for code in pure.tolist()]
        condition = f"{cells.names[k]} = {shown[0]}" if len(pure) == 1 else f"{cells.names[k]} in {', '.join(shown)}"
        yield condition, np.isin(codes, pure), float(log_chance[pure].max())


def _limits(cells: Cells, k: int, values: np.ndarray, hidden: np.ndarray, enough: float) -> Iterator[Found]:
    name, shown = cells.names[k], values[~hidden]
    for sign, first, outward in (("<", shown.min(), -values), (">", shown.max(), values)):
        holds = values < first if sign == "<" else values > first
        n = int(holds.sum())
        if n < FEWEST_ROWS:
            continue
        beyond = hidden[~holds]
        near = beyond[np.argsort(-outward[~holds], kind="stable")[:NEAR]].mean()
        if near <= (1 + beyond.mean()) / 2:
            yield f"{name} {sign} {cells.shown(k, first)}", holds, float(n * np.log(max(hidden.mean(), near)))
