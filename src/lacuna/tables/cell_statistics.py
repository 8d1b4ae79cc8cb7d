"""One cell of a table: what the records of its runs say, beside what was printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import stats

from lacuna.metrics.display import Display
from lacuna.records.record import Record
from lacuna.tables.published_number import PublishedNumber

Verdict = Literal["better", "worse", "higher", "lower", "same", "unknown"]
CONFIDENCE = 0.95  # a difference within its interval at this level is none
DASHES = ("timeout", "out_of_memory", "unsupported")


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed only, one number of each."""

    metric: str  # key of a record
    display: Display
    runs: tuple[Record, ...] = ()  # one for each seed
    iteration: int | None = None  # of a method that has them; None: at the end
    published: PublishedNumber | None = None
    paper_runs: int = 1  # behind the printed number
    comparable: bool = True  # printed for the same data
    seeded: bool = True  # False: every seed gives the same

    @cached_property
    def values(self) -> dict[int, float]:
        """By seed, where the run has a number."""
        found = {run.config["seed"]: value_of(run, self.metric, self.iteration) for run in self.runs}
        return {seed: value for seed, value in sorted(found.items()) if not math.isnan(value)}

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.values.values()))) if self.values else math.nan

    @property
    def sd(self) -> float:
        """Over seeds; NaN for a single one, unless it stands for all."""
        if not self.seeded and self.values:
            return 0.0
        return float(np.std(list(self.values.values()), ddof=1)) if self.n > 1 else math.nan

    @property
    def dash(self) -> str | None:
        """Why there is no number although the cell was tried: the status of its runs."""
        status = [run.status for run in self.runs if run.status in DASHES]
        return status[0] if status and not self.values else None

    @property
    def difference(self) -> float:
        """Ours minus the printed figure; NaN where they are not about the same."""
        return self.mean - self.published.value if self.published and self.comparable else math.nan

    @property
    def noise(self) -> float:
        """Standard error of the difference; NaN where our own spread is not known: a single seed tells none.

        A paper that prints no sd is taken to have ours. Half a printed digit is always in doubt.
        """
        if self.published is None or math.isnan(self.sd):
            return math.nan
        return math.sqrt(sum(self._variances) + (self.published.unit / 2) ** 2)

    @property
    def _variances(self) -> tuple[float, float]:
        """Of our mean and of the printed one."""
        assert self.published is not None
        theirs = self.sd if self.published.std is None else self.published.std
        return self.sd**2 / max(self.n, 1), theirs**2 / self.paper_runs

    @property
    def margin(self) -> float:
        """Half the width of the difference's interval: Student's t with Welch's degrees of freedom.

        Where the paper prints no sd, both variances come from our n seeds, with n - 1 degrees of freedom.
        """
        if math.isnan(self.noise):
            return math.nan
        assert self.published is not None
        own, printed = self._variances
        if self.published.std is None:
            lost = (own + printed) ** 2 / max(self.n - 1, 1)
        else:
            lost = own**2 / max(self.n - 1, 1) + (printed**2 / (self.paper_runs - 1) if self.paper_runs > 1 else 0.0)
        degrees = self.noise**4 / lost if lost else math.inf
        return self.noise * float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))

    @property
    def verdict(self) -> Verdict:
        if math.isnan(self.difference) or math.isnan(self.noise):
            return "unknown"
        if abs(self.difference) <= self.margin:
            return "same"
        if not self.display.better:
            return "higher" if self.difference > 0 else "lower"
        return "better" if self.difference * self.display.better > 0 else "worse"

    @property
    def material(self) -> bool:
        """Whether the difference is large enough to matter: half a point of a share, 0.01 of an error in sds."""
        smallest = 0.005 if self.display.percent else 0.01 if self.metric.endswith("_std") else 0.0
        return abs(self.difference) >= smallest


def value_of(run: Record, metric: str, iteration: int | None = None) -> float:
    """A number of a record; NaN where it has none.

    Args:
        run: a record of any status.
        metric: ``<split>/<name>``, ``seconds/<phase>`` or ``meaningful_rates/<column>/mm_rate``.
        iteration: outer iteration to read the score of.
    """
    if run.status != "finished":
        return math.nan
    kind, _, rest = metric.partition("/")
    if kind == "seconds":
        return run.seconds.get(rest, math.nan)
    if kind == "meaningful_rates":
        return run.meaningful_rates.get(rest.rpartition("/")[0], math.nan)
    if iteration is None:
        return run.scores.get(metric, math.nan)
    steps: Mapping[int, Mapping[str, float]] = {step["iteration"]: step["scores"] for step in run.iterations}
    return steps.get(iteration, {}).get(metric, math.nan)


def one_for_each_seed(runs: Sequence[Record]) -> tuple[Record, ...]:
    """Of the records of one seed, a finished one, and of those the latest."""
    best: dict[int, Record] = {}
    for run in sorted(runs, key=lambda run: (run.status == "finished", run.finished)):
        best[run.config["seed"]] = run
    return tuple(best[seed] for seed in sorted(best))
