"""How honest the draws of a method are, over ordinary hidden cells of continuous columns without meaningful blanks.

Against the true values: coverage, interval score, CRPS. Against the posterior by the law of the data, where that
is known (``Answer.posterior``): error of the sd, correlation of the widths. Nothing applies without draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.metrics.display import metric
from lacuna.types import Answer, Draws, Imputation, where

SAMPLES_AT_ONCE = 2**24  # numbers that go through the CRPS at a time


class Scored(NamedTuple):
    """The c cells that count."""

    draws: Draws
    chosen: np.ndarray  # (k,) bool: which of the draws' cells they are
    truth: np.ndarray  # (c,)

    @property
    def lower(self) -> np.ndarray:
        return self.draws.lower[self.chosen]

    @property
    def upper(self) -> np.ndarray:
        return self.draws.upper[self.chosen]

    @property
    def width(self) -> np.ndarray:
        return self.upper - self.lower


@metric(label="95% coverage", percent=True)
def uq_coverage(answer: Answer, imputation: Imputation) -> float | None:
    """Share of true values inside the 1 - alpha interval."""
    if (scored := _scored(answer, imputation, "uq_coverage")) is None:
        return None
    return float(np.mean((scored.lower <= scored.truth) & (scored.truth <= scored.upper)))


@metric(label="95% width")
def uq_interval_width(answer: Answer, imputation: Imputation) -> float | None:
    """Mean width of the 1 - alpha interval, raw units."""
    scored = _scored(answer, imputation, "uq_interval_width")
    return None if scored is None else float(scored.width.mean())


@metric(label="95% interval score", better=-1, headline=False)
def uq_interval_score(answer: Answer, imputation: Imputation) -> float | None:
    """Mean interval score (Gneiting and Raftery 2007): the width plus 2 / alpha times how far outside the truth is."""
    if (scored := _scored(answer, imputation, "uq_interval_score")) is None:
        return None
    import scoringrules

    score = scoringrules.interval_score(scored.truth, scored.lower, scored.upper, scored.draws.alpha)
    return float(np.mean(score))


@metric(label="CRPS", better=-1, headline=False)
def uq_crps(answer: Answer, imputation: Imputation) -> float | None:
    """Mean continuous ranked probability score of the samples by probability-weighted moments.

    That estimator is unbiased for any number of samples (Zamo and Naveau 2018). None where samples were not kept.
    """
    scored = _scored(answer, imputation, "uq_crps")
    if scored is None or scored.draws.samples is None:
        return None
    import scoringrules

    total = sum(
        float(np.sum(scoringrules.crps_ensemble(truth, block, estimator="pwm")))
        for block, truth in _blocks(scored.draws.samples, scored)
    )
    return total / len(scored.truth)


@metric(label="RMSE of sd", better=-1)
def uq_sd_rmse(answer: Answer, imputation: Imputation) -> float | None:
    """Root mean square difference between the draws' sd and the law's."""
    if (pair := _with_posterior(answer, imputation, "uq_sd_rmse")) is None:
        return None
    scored, posterior = pair
    difference = scored.draws.sd[scored.chosen] - posterior.sd[scored.chosen]
    return float(np.sqrt(np.mean(difference**2)))


@metric(label="Pearson", better=1, headline=False)
def uq_width_pearson(answer: Answer, imputation: Imputation) -> float | None:
    """Correlation of interval widths with the law's; NaN where one of them is the same everywhere."""
    if (widths := _widths(answer, imputation, "uq_width_pearson")) is None:
        return None
    return _correlation(*widths)


@metric(label="Spearman", better=1, headline=False)
def uq_width_spearman(answer: Answer, imputation: Imputation) -> float | None:
    """Rank correlation of interval widths with the law's; NaN where one of them is the same everywhere.

    Widths that agree to eight digits are ties: the law's are differences of two ends, which rounding moves.
    """
    if (widths := _widths(answer, imputation, "uq_width_spearman")) is None:
        return None
    from scipy.stats import rankdata

    return _correlation(*(rankdata(_rounded(width)) for width in widths))


def _rounded(widths: np.ndarray, digits: int = 8) -> np.ndarray:
    """To significant digits of the largest."""
    largest = np.abs(widths).max(initial=0.0)
    return np.round(widths / largest, digits) if largest else widths


def empirical_coverage(answer: Answer, imputation: Imputation, levels: np.ndarray) -> np.ndarray | None:
    """Share of true values (l,) inside the central interval at each nominal level (l,); None without samples.

    By the rank of the truth among its samples: inside at level q where |2 rank - 1| is at most q.
    """
    scored = _scored(answer, imputation, "calibration")
    if scored is None or scored.draws.samples is None:
        return None
    ranks = [
        (block < truth[:, None]).mean(1) + 0.5 * (block == truth[:, None]).mean(1)
        for block, truth in _blocks(scored.draws.samples, scored)
    ]
    off_centre = np.abs(2 * np.concatenate(ranks) - 1)
    return (off_centre <= np.asarray(levels)[:, None]).mean(1)


def _blocks(samples: np.ndarray, scored: Scored) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Samples (b, m) and true values (b,) of the cells that count, part by part."""
    cells = np.flatnonzero(scored.chosen)
    n_blocks = -(-len(cells) * len(samples) // SAMPLES_AT_ONCE)
    for part in np.array_split(np.arange(len(cells)), n_blocks):
        yield samples[:, cells[part]].T.astype(np.float64), scored.truth[part]


def _scored(answer: Answer, imputation: Imputation, name: str) -> Scored | None:
    """None without draws or without such columns."""
    columns = where(answer.columns, kind="continuous", mm_candidate=False)
    if imputation.draws is None or not columns.any():
        return None
    at = tuple(imputation.draws.cells.T)
    chosen = (answer.ordinary & columns)[at]
    if not chosen.any():
        raise NothingToScore(f"{name}: the draws hold no ordinary cell of a continuous column whose value is known")
    return Scored(imputation.draws, chosen, answer.values[at][chosen])


def _with_posterior(answer: Answer, imputation: Imputation, name: str) -> tuple[Scored, Draws] | None:
    scored = _scored(answer, imputation, name)
    if scored is None or answer.posterior is None:
        return None
    if not np.array_equal(answer.posterior.cells, scored.draws.cells):
        raise ValueError(f"{name}: the draws and Answer.posterior are about different cells")
    return scored, answer.posterior


def _widths(answer: Answer, imputation: Imputation, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    if (pair := _with_posterior(answer, imputation, name)) is None:
        return None
    scored, posterior = pair
    return scored.width, (posterior.upper - posterior.lower)[scored.chosen]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 0 else float("nan")
