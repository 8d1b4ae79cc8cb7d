"""Methods tried on one table within a time budget."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lacuna.comparison.again import hidden_again, without
from lacuna.comparison.result import Comparison, weighted
from lacuna.errors import UserError
from lacuna.methods.base import Method, Monitor
from lacuna.numerics.moments import column_moments
from lacuna.rng import stream
from lacuna.types import Incomplete, Problem, where

Make = Callable[[], Method]
PILOT = 300  # rows on which each method is timed first, where the table has more
ROUNDS = 2  # repetitions that the methods and rows are chosen for, at least
RESERVE = 0.7  # share of the budget that is planned with
USED = 0.9  # share of the budget after which nothing is begun


class OutOfTime(Exception):
    """A method is still at work when the budget is spent."""


class _Deadline(Monitor):
    """Ends a method that tells of its progress after the deadline."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def progress(self, phase: str, done: int, total: int, **info: float) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTime


@dataclass
class _Entrant:
    make: Make
    seconds: float = 0.0  # of its last trial
    errors: list[np.ndarray] = field(default_factory=list)  # of each repetition, (d,)


def compare_methods(
    rows: Incomplete, entrants: Mapping[str, Make], seconds: float, seed: int = 0, repetitions: int = 10
) -> Comparison:
    """Hide cells of ``rows`` again, let every method impute them, and repeat while time lasts.

    Each method is tried first on few rows. A repetition sees as many rows as let two of them end in time; where there
    is no time for all methods, those with the larger errors on the few rows are left out. What is carried out depends
    on the machine.

    Args:
        rows: n rows with blanks.
        entrants: by name what makes each method; the first ones are tried first.
        seconds: the budget; a method that does not tell of its progress may exceed it.
        seed: of what is hidden, and of the methods.
        repetitions: at most.

    Raises:
        UserError: no cell is blank, or no method could be tried.
    """
    deadline = time.monotonic() + USED * seconds
    racing = {name: _Entrant(make) for name, make in entrants.items()}
    left_out: dict[str, str] = {}
    n = len(rows)
    if n > PILOT:
        n = _pilot(rows, racing, left_out, deadline, seed)
    for repetition in range(repetitions):
        if repetition and time.monotonic() + sum(each.seconds for each in racing.values()) > deadline:
            break  # all methods have the same repetitions
        some = _some(rows, n, seed, "rows", repetition)
        lost = hidden_again(some, stream(seed, "again", repetition))
        for name in list(racing):
            if not repetition and time.monotonic() + racing[name].seconds > deadline:
                left_out[name] = "the time was over"
                del racing[name]
            else:
                _try(name, racing, left_out, some, lost, deadline, seed + repetition)
    return _result(rows, racing, left_out, n)


def column_errors(rows: Incomplete, lost: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(d,): root mean squared error of numbers in sds of the column, share of wrong levels; NaN where none is lost."""
    _, sd = column_moments(rows.values)
    discrete = where(rows.columns, discrete=True)
    wrong = np.where(discrete, values != rows.values, ((values - rows.values) / sd) ** 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without a lost cell
        mean: np.ndarray = np.nanmean(np.where(lost, wrong, np.nan), axis=0)
    return np.where(discrete, mean, np.sqrt(mean))


def _pilot(
    rows: Incomplete,
    racing: dict[str, _Entrant],
    left_out: dict[str, str],
    deadline: float,
    seed: int,
) -> int:
    """Try each method on few rows; the rows that a repetition may have. What there is no time for leaves the race.

    Time is given to the methods in the order of their errors.
    """
    few = _some(rows, PILOT, seed, "pilot")
    lost = hidden_again(few, stream(seed, "again", "pilot"))
    for waiting, name in zip(range(len(racing), 0, -1), list(racing), strict=True):
        share = RESERVE * (deadline - time.monotonic()) / waiting
        _try(name, racing, left_out, few, lost, time.monotonic() + share, seed)
    planned = RESERVE * (deadline - time.monotonic()) / ROUNDS
    taken, blanks = 0.0, few.hidden.sum(0) / max(few.hidden.sum(), 1)
    for name in sorted(racing, key=lambda name: weighted(np.array([racing[name].errors]), blanks)[0]):
        if taken + racing[name].seconds > planned:
            left_out[name] = f"too slow for the time: {racing.pop(name).seconds:.0f} s with {PILOT} rows"
        else:
            taken += racing[name].seconds
            racing[name].errors.clear()
    per_row = sum(each.seconds for each in racing.values()) / PILOT
    n = int(np.clip(planned / max(per_row, 1e-9), PILOT, len(rows)))
    for entrant in racing.values():
        entrant.seconds *= n / PILOT
    return n


def _some(rows: Incomplete, n: int, seed: int, *names: Any) -> Incomplete:
    """At most ``n`` random rows; every column has observed cells, as the whole table's has."""
    if n >= len(rows):
        return rows
    order = stream(seed, *names).permutation(len(rows))
    kept = order[:n].tolist()
    for seen in rows.observed.T:
        if not seen[kept].any():
            kept.append(next(i for i in order if seen[i]))
    return rows.take(np.sort(np.unique(kept)))


def _try(
    name: str,
    racing: dict[str, _Entrant],
    left_out: dict[str, str],
    rows: Incomplete,
    lost: np.ndarray,
    deadline: float,
    seed: int,
) -> None:
    """One fit and imputation; a method that cannot leaves the race, and says why."""
    entrant, started = racing[name], time.monotonic()
    seen = without(rows, lost)
    try:
        method = entrant.make()
        if reason := method.unsupported(Problem("table", seen, None, {})):
            raise UserError(reason)
        method.monitor = _Deadline(deadline)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = method.fit(seen, seed).impute(seen).values
    except OutOfTime:
        if not entrant.errors:
            left_out[name] = f"not done after {time.monotonic() - started:.0f} s with {len(rows):,} rows"
            del racing[name]
    except Exception as error:  # one method's trouble is not the others'
        left_out[name] = next(iter(str(error).splitlines()), "") or type(error).__name__
        del racing[name]
    else:
        entrant.seconds = time.monotonic() - started
        entrant.errors.append(column_errors(rows, lost, values))


def _result(rows: Incomplete, racing: Mapping[str, _Entrant], left_out: dict[str, str], n: int) -> Comparison:
    tried = {name: entrant for name, entrant in racing.items() if entrant.errors}
    if not tried:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise UserError(f"no method could be tried ({why}): give more minutes or other methods")
    common = min(len(entrant.errors) for entrant in tried.values())  # a repetition that all have
    errors = np.array([entrant.errors[:common] for entrant in tried.values()])
    scored = ~np.isnan(errors[0]).all(0)
    blanks = rows.hidden.sum(0)[scored].astype(float)
    weights = blanks / blanks.sum()
    order = np.argsort(weighted(errors[:, :, scored], weights), kind="stable")
    names = list(tried)
    return Comparison(
        tuple(names[i] for i in order),
        tuple(c.name for c, kept in zip(rows.columns, scored, strict=True) if kept),
        errors[order][:, :, scored],
        weights,
        tuple(tried[names[i]].seconds for i in order),
        min(n, len(rows)),
        left_out,
    )
