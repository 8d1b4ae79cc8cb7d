"""One cell of a table: what the records of its runs say, beside what was printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from lacuna.metrics.display import Display
from lacuna.records.record import Record
from lacuna.tables.published_number import PublishedNumber

Verdict = Literal["better", "worse", "higher", "lower", "same", "unknown"]
NOISE = 2.0  # a difference of fewer standard errors is none
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
        """Standard error of the difference; NaN where neither side tells its spread.

        A side that prints no spread is taken to have the other's; half a printed digit is always in doubt.
        """
        if self.published is None or not self.values:
            return math.nan
        own, printed = self.sd, self.published.std
        spread = printed if math.isnan(own) else own
        if spread is None:
            return math.nan
        theirs = spread if printed is None else printed
        return math.hypot(spread / math.sqrt(self.n), theirs / math.sqrt(self.paper_runs), self.published.unit / 2)

    @property
    def apart(self) -> float:
        """Standard errors between ours and the printed figure."""
        return abs(self.difference) / self.noise

    @property
    def verdict(self) -> Verdict:
        if math.isnan(self.difference) or math.isnan(self.noise):
            return "unknown"
        if self.apart < NOISE:
            return "same"
        if not self.display.better:
            return "higher" if self.difference > 0 else "lower"
        return "better" if self.difference * self.display.better > 0 else "worse"


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
