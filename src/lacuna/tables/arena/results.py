"""Records -> for each score, the losses of every method on every problem."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lacuna.records.record import Record
from lacuna.tables.arena.scores import SCORES, Score, metric_of, number
from lacuna.tables.cell_statistics import one_for_each_seed

FAILURES = ("failed", "timeout", "out_of_memory")  # lose to every method with a score


@dataclass(frozen=True, order=True)
class Problem:
    """A table with blanks."""

    table: str
    mechanism: str
    ratio: float


@dataclass(frozen=True)
class Entry:
    """One method on one problem, all seeds."""

    problem: Problem
    method: str
    scores: dict[str, float]  # by id: the mean over seeds; what it does not have is absent
    failed: str | None = None  # why it has none at all
    seeds: int = 0


@dataclass(frozen=True)
class Losses:
    """One score of t problems and m methods, the lower the better."""

    problems: tuple[Problem, ...]
    methods: tuple[str, ...]
    values: np.ndarray  # (t, m); NaN where not run, or not scored; inf where failed

    @property
    def tables(self) -> np.ndarray:
        """(t,) names"""
        return np.array([problem.table for problem in self.problems])

    def of(self, *methods: str) -> Losses:
        """These methods only."""
        return Losses(self.problems, methods, self.values[:, [self.methods.index(name) for name in methods]])

    def where(self, kept: np.ndarray) -> Losses:
        """Some of the problems, by a (t,) mask."""
        problems = tuple(problem for problem, keep in zip(self.problems, kept, strict=True) if keep)
        return Losses(problems, self.methods, self.values[kept])

    def without(self, *methods: str) -> Losses:
        """All methods but these."""
        return self.of(*(name for name in self.methods if name not in methods))

    def doubled(self, method: str, name: str) -> Losses:
        """With ``method`` a second time, under another name."""
        again = self.values[:, [self.methods.index(method)]]
        return Losses(self.problems, (*self.methods, name), np.hstack([self.values, again]))

    def complete(self, share: float = 0.9) -> Losses:
        """Methods that were run on this share of the problems, and the problems on which all of these were."""
        if not len(self.problems):
            return self
        run = ~np.isnan(self.values)
        kept = [name for name, often in zip(self.methods, run.mean(0), strict=True) if often >= share]
        found = self.of(*kept)
        return found.where(~np.isnan(found.values).any(1))


@dataclass(frozen=True)
class Results:
    """Everything that records say."""

    entries: tuple[Entry, ...]
    sizes: dict[str, dict[str, int]]  # by table: rows, numbers, levels, as far as records tell

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(sorted({entry.problem for entry in self.entries}))

    @cached_property
    def methods(self) -> tuple[str, ...]:
        return tuple(sorted({entry.method for entry in self.entries}))

    def where(self, kept: Callable[[Problem], bool]) -> Results:
        """Some of the problems."""
        return replace(self, entries=tuple(entry for entry in self.entries if kept(entry.problem)))

    def losses(self, score: Score) -> Losses:
        """Of methods and problems that have this score; a method that failed lost."""
        place = {problem: i for i, problem in enumerate(self.problems)}
        column = {method: j for j, method in enumerate(self.methods)}
        values = np.full((len(place), len(column)), math.nan)
        failed = np.zeros(values.shape, bool)
        for entry in self.entries:
            at = place[entry.problem], column[entry.method]
            values[at] = -(score.better or -1) * entry.scores.get(score.id, math.nan)
            failed[at] = entry.failed is not None
        scored = np.isfinite(values)
        values[failed & scored.any(1, keepdims=True) & scored.any(0)] = math.inf
        rows, columns = scored.any(1), scored.any(0)
        methods = tuple(name for name, kept in zip(self.methods, columns, strict=True) if kept)
        return Losses(self.problems, self.methods, values).where(rows).of(*methods)


def results(records: Iterable[Record]) -> Results:
    """The mean over seeds of what records say; of a method that failed with a seed, only that it failed."""
    runs: dict[Problem, dict[str, list[Record]]] = {}
    sizes: dict[str, dict[str, int]] = {}
    for record in records:
        problem = problem_of(record)
        runs.setdefault(problem, {}).setdefault(record.config["names"]["method"], []).append(record)
        if record.size:
            sizes[problem.table] = record.size
    entries = [entry for problem, by_method in runs.items() for entry in _entries(problem, by_method)]
    return Results(tuple(sorted(entries, key=lambda entry: (entry.problem, entry.method))), sizes)


def problem_of(record: Record) -> Problem:
    """What a record is about.

    A data set of many tables names the one; a file is called by its name.
    """
    config, names = record.config, record.config["names"]
    return Problem(_table(config["dataset"], names["dataset"]), names["mask"], float(config["ratio"]))


def _table(dataset: dict[str, Any], name: str) -> str:
    for key in ("table", "item", "name", "id"):
        if isinstance(found := dataset.get(key), str | int):
            return str(found) if key == "table" else f"{name}/{found}"
    if isinstance(path := dataset.get("path"), str):
        return path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return name


def _entries(problem: Problem, by_method: dict[str, list[Record]]) -> Iterable[Entry]:
    chosen = {method: one_for_each_seed(runs) for method, runs in by_method.items()}
    finished = [run for runs in chosen.values() for run in runs if run.status == "finished"]
    metrics = {score.id: metric_of(finished, score) for score in SCORES}
    for method, runs in chosen.items():
        done = [run for run in runs if run.status == "finished"]
        failed = next((run.status for run in runs if run.status in FAILURES), None)
        if failed or not done:
            if failed:
                yield Entry(problem, method, {}, failed)
            continue
        scores = {score.id: _mean([number(run, score, metrics[score.id]) for run in done]) for score in SCORES}
        yield Entry(problem, method, {k: v for k, v in scores.items() if not math.isnan(v)}, None, len(done))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
