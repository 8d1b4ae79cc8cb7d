"""What an analysis of the draws would say: bias, coverage and width of estimates pooled by Rubin's rules.

Rubin, "Multiple Imputation for Nonresponse in Surveys", 1987. The estimands are those that the data set declares
(``Table.estimands``); else three: the mean of the numeric column where most is hidden, its slope on the next one given
the one after, and the correlation of the first two. All figures are means over the estimands. NaN where draws were
asked for and the method gives none; nothing applies where none were, or to a single column.

The truth is what the law of the data says, where the estimand declares it, and the confidence interval is that of
Barnard and Rubin. Else it is what the table without blanks says; from that, the pooled estimate is off by what the
blanks cost alone, and the interval is t on m - 1 degrees of freedom, of variance (1 + 1/m) times that between draws.
Errors and widths are in standard errors of the table without blanks, so that estimands can be averaged.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.estimands import Correlation, Estimand, Mean, Slope
from lacuna.metrics.completions import completions
from lacuna.metrics.display import metric
from lacuna.types import Answer, Imputation, where

LEVEL = 0.95
MOST_DRAWS = 50  # an analysis of more changes little


class Inferred(NamedTuple):
    """One estimand; numbers in standard errors of the table without blanks."""

    error: float  # pooled estimate minus truth
    half_width: float
    fmi: float  # fraction of missing information


@metric(label="error of pooled estimates", better=-1, unit="se", headline=False)
def inference_bias(answer: Answer, imputation: Imputation) -> float | None:
    """Mean absolute error of the pooled estimates, in standard errors.

    Of one table it holds chance as well as bias: even draws from the law are off by the root of the variance that
    blanks add. Compare methods on the same tables.
    """
    return _mean(answer, imputation, lambda one: abs(one.error), "inference_bias")


@metric(label="95% coverage of pooled estimates", percent=True, headline=False)
def inference_coverage(answer: Answer, imputation: Imputation) -> float | None:
    """Share of estimands whose 95% interval holds the truth; its mean over seeds should be 0.95."""
    return _mean(answer, imputation, lambda one: float(abs(one.error) <= one.half_width), "inference_coverage")


@metric(label="95% width of pooled estimates", unit="se", headline=False)
def inference_width(answer: Answer, imputation: Imputation) -> float | None:
    """Mean width of the 95% intervals, in standard errors."""
    return _mean(answer, imputation, lambda one: 2 * one.half_width, "inference_width")


@metric(label="missing information", percent=True, headline=False)
def inference_fmi(answer: Answer, imputation: Imputation) -> float | None:
    """Mean fraction of missing information, by the draws."""
    return _mean(answer, imputation, lambda one: one.fmi, "inference_fmi")


def inferred_estimands(answer: Answer) -> tuple[Estimand, ...]:
    """Up to three estimands of the numeric columns that vary, by how much of them is hidden."""
    numeric = [
        j
        for j in np.flatnonzero(where(answer.columns, discrete=False))
        if np.unique(answer.values[~np.isnan(answer.values[:, j]), j]).size > 1
    ]
    order = sorted(numeric, key=lambda j: -int(answer.ordinary[:, j].sum()))  # stable: the first of equals
    names = [answer.columns[j].name for j in order[:3]]
    if len(names) < 2:
        return (Mean(names[0]),) if names else ()
    return Mean(names[0]), Slope(names[0], names[1], tuple(names[2:])), Correlation(names[0], names[1])


def _mean(answer: Answer, imputation: Imputation, of: Callable[[Inferred], float], name: str) -> float | None:
    if len(answer.columns) < 2:
        return None
    estimands = inferred_estimands(answer) if answer.estimands is None else answer.estimands
    if not estimands:
        return None
    drawn = imputation.draws is not None and imputation.draws.samples is not None and len(imputation.draws.samples) > 1
    if not drawn and not answer.draws_asked:
        return None
    if not answer.ordinary.any():
        raise NothingToScore(f"{name}: no cell with a known value is hidden")
    if not drawn:
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):  # where draws do not differ, or rows do not tell
        return float(np.mean([of(one) for one in _latest(answer, imputation, estimands)]))


class _Latest:
    """What was inferred last: four metrics ask the same of the same draws."""

    def __init__(self) -> None:
        self.about: tuple[weakref.ref[Answer], weakref.ref[Imputation]] | None = None
        self.found: list[Inferred] = []

    def __call__(self, answer: Answer, imputation: Imputation, estimands: tuple[Estimand, ...]) -> list[Inferred]:
        if self.about is None or self.about[0]() is not answer or self.about[1]() is not imputation:
            self.found = list(_inferred(answer, imputation, estimands))
            self.about = weakref.ref(answer), weakref.ref(imputation)
        return self.found


_latest = _Latest()


def _inferred(answer: Answer, imputation: Imputation, estimands: tuple[Estimand, ...]) -> Iterator[Inferred]:
    from scipy.special import stdtrit

    from lacuna.pooling import pool  # it brings pandas: not for runs without draws

    known = ~np.isnan(answer.values) | answer.meaningful  # blanks of the source have no truth to compare with
    by_draw = []
    for completed in completions(imputation, MOST_DRAWS):
        rows = np.where(known, completed, np.nan)
        by_draw.append([estimand.estimate(rows, answer.columns) for estimand in estimands])
    for estimand, found in zip(estimands, zip(*by_draw, strict=True), strict=True):
        whole = estimand.estimate(answer.values, answer.columns)
        n = max(float(np.mean([f.n for f in found])), 2.0)
        pooled = pool([f.value for f in found], [f.variance for f in found], n)
        truth, between = (whole.value if estimand.truth is None else estimand.truth), float(pooled.between[0, 0])
        if estimand.truth is None:
            half = stdtrit(pooled.m - 1, (1 + LEVEL) / 2) * np.sqrt((1 + 1 / pooled.m) * between)
        else:
            low, high = pooled.interval(1 - LEVEL)[0]
            half = (high - low) / 2
        unit = np.sqrt(whole.variance)
        yield Inferred((float(pooled.estimate[0]) - truth) / unit, float(half) / unit, float(pooled.fmi[0]))
