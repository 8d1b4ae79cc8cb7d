"""The scores that methods are compared by, and where records hold them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lacuna.records.record import Record

SPLITS = ("test", "train")  # the first that a record has counts


@dataclass(frozen=True)
class Score:
    """One number of a run."""

    id: str
    label: str
    better: Literal[-1, 0, 1]  # 1: the higher the better; -1: the lower; 0: neither, it is shown and not ranked
    metrics: tuple[str, ...] = ()  # of a record; the first one that all runs of a problem have
    percent: bool = False


SCORES = (
    Score("rmse", "RMSE of numbers, in sds", -1, ("rmse_std_all", "rmse_std")),
    Score("accuracy", "accuracy of levels", 1, ("acc_levels", "acc_discrete"), percent=True),
    Score("log_score", "log score of levels", -1, ("log_score_levels",)),
    Score("energy", "energy distance", -1, ("energy_distance",)),
    Score("crps", "CRPS", -1, ("uq_crps",)),
    Score("interval", "interval score", -1, ("uq_interval_score",)),
    Score("coverage", "coverage of 95% intervals", 0, ("uq_coverage",), percent=True),
    Score("bias", "error of pooled estimates", -1, ("inference_bias",)),
    Score("pooled_coverage", "coverage of pooled estimates", 0, ("inference_coverage",), percent=True),
    Score("f1", "F1 of flags", 1, ("mm_f1",), percent=True),
    Score("brier", "Brier score of flags", -1, ("mm_brier",)),
    Score("false_alarms", "values wrongly kept blank", -1, ("mm_wrongly_kept",), percent=True),
    Score("seconds", "seconds to fit and impute", -1),
    Score("memory", "peak memory, GB", -1),
)
BY_ID = {score.id: score for score in SCORES}
RATIOS = frozenset(("rmse", "log_score", "energy", "crps", "interval", "bias", "brier"))  # with a zero that means none


def number(run: Record, score: Score, metric: str | None) -> float:
    """The score of a finished run; NaN where it has none."""
    if score.id == "seconds":
        return sum(took for phase, took in run.seconds.items() if phase == "fit" or phase.startswith("impute"))
    if score.id == "memory":
        return run.peak_memory_gb
    found = (run.scores.get(f"{split}/{metric}", math.nan) for split in SPLITS)
    return next((value for value in found if not math.isnan(value)), math.nan)


def metric_of(runs: list[Record], score: Score) -> str | None:
    """The first of the score's metrics that every run has which has any of them; else the first that one has."""
    having = {m: [not math.isnan(number(run, score, m)) for run in runs] for m in score.metrics}
    scored = [any(of_run) for of_run in zip(*having.values(), strict=True)]
    if not any(scored):
        return None
    common = (m for m, of_runs in having.items() if all(a or not b for a, b in zip(of_runs, scored, strict=True)))
    return next(common, next(m for m, of_runs in having.items() if any(of_runs)))
