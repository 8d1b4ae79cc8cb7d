"""inference_*: against Rubin's rules by hand and, over many tables, against what an interval promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lacuna import pool
from lacuna.datasets.bayesnet import ESTIMANDS, BayesNet
from lacuna.errors import NothingToScore
from lacuna.estimands import Correlation, Estimand, Mean, Slope
from lacuna.masks.mcar import MCAR
from lacuna.metrics.inference import (
    inference_bias,
    inference_coverage,
    inference_fmi,
    inference_width,
    inferred_estimands,
)
from lacuna.metrics.score import score
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Answer, Column, Draws, Imputation

METRICS = (inference_bias, inference_coverage, inference_width, inference_fmi)
COLUMNS = (Column("a"), Column("b", "integer"), Column("c"), Column("g", "categorical", ("x", "y", "z")))


def case(
    truth: np.ndarray, hidden: np.ndarray, samples: np.ndarray, columns: tuple[Column, ...], *estimands: Estimand
) -> tuple[Answer, Imputation]:
    """Samples (m, k) of the hidden cells, in the order of the table."""
    meaningful = np.zeros(truth.shape, bool)
    answer = Answer(columns, truth, meaningful, hidden, truth.std(0), estimands=estimands or None)
    values = truth.copy()
    values[hidden] = samples.mean(0)
    return answer, Imputation(values, draws=Draws.from_samples(np.argwhere(hidden), samples))


def random_case(seed: int, *estimands: Estimand) -> tuple[Answer, Imputation]:
    rng = np.random.default_rng(seed)
    truth = np.column_stack([rng.normal(size=(60, 3)), rng.integers(3, size=60)])
    truth[:, 1] = np.round(3 * truth[:, 0] + truth[:, 1])
    hidden = rng.random(truth.shape) < [0.2, 0.4, 0.1, 0.2]
    samples = truth[hidden] + rng.normal(size=(6, hidden.sum()))
    samples[:, np.argwhere(hidden)[:, 1] == 3] = rng.integers(3, size=(6, hidden[:, 3].sum()))
    return case(truth, hidden, samples, COLUMNS, *estimands)


def test_a_mean_by_hand():
    answer, done = random_case(0, Mean("a"))
    tables = []
    for sample in done.draws.samples:
        tables.append(answer.values.copy())
        tables[-1][answer.ordinary] = sample
    means = np.array([table[:, 0].mean() for table in tables])
    unit, off = answer.values[:, 0].std(ddof=1) / 60**0.5, means.mean() - answer.values[:, 0].mean()
    half = stats.t.ppf(0.975, 5) * np.sqrt(7 / 6 * means.var(ddof=1))
    assert inference_bias(answer, done) == pytest.approx(abs(off) / unit)
    assert inference_width(answer, done) == pytest.approx(2 * half / unit)
    assert inference_coverage(answer, done) == float(abs(off) <= half)
    pooled = pool(means, [table[:, 0].var(ddof=1) / 60 for table in tables], n_complete=60)
    assert inference_fmi(answer, done) == pytest.approx(pooled.fmi[0])
    # with a truth by law, the interval is that of the pooled estimate
    answer = replace(answer, estimands=(Mean("a", truth=0.25),))
    low, high = pooled.interval()[0]
    assert inference_bias(answer, done) == pytest.approx(abs(means.mean() - 0.25) / unit)
    assert inference_width(answer, done) == pytest.approx((high - low) / unit)
    assert inference_coverage(answer, done) == float(low <= 0.25 <= high)


def test_several_estimands_are_averaged():
    alone = [Mean("a"), Slope("b", "a", ("g", "c")), Correlation("a", "b")]
    for metric in METRICS:
        single = [metric(*random_case(1, estimand)) for estimand in alone]
        assert metric(*random_case(1, *alone)) == pytest.approx(np.mean(single))


@pytest.mark.parametrize("declared", [False, True])
def test_draws_from_the_law_cover_at_the_level_they_say(declared: bool):
    rng, covered = np.random.default_rng(5), []
    estimand = Mean("a", truth=0.0 if declared else None)
    for _ in range(800):
        truth = rng.normal(size=(30, 2))
        hidden = np.zeros((30, 2), bool)
        hidden[:12, 0] = True
        seen = truth[12:, 0]  # the mean of the law is drawn too, its variance of 1 is known
        centres = rng.normal(seen.mean(), 18**-0.5, (20, 1))
        samples = centres + rng.normal(size=(20, 12))
        covered.append(inference_coverage(*case(truth, hidden, samples, COLUMNS[::2][:2], estimand)))
    assert np.mean(covered) == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / 800) ** 0.5)


def test_shrunken_draws_lose():
    answer, done = random_case(2, Slope("b", "a"))
    at = done.draws.cells[:, 1] == 1
    dull = done.draws.samples.copy()
    dull[:, at] = 0
    draws = Draws.from_samples(done.draws.cells, dull)
    assert inference_bias(answer, replace(done, draws=draws)) > 2 * inference_bias(answer, done)


def test_undeclared_tables_have_three_estimands_by_what_is_hidden():
    answer, _ = random_case(3)
    answer.ordinary[:] = False
    answer.ordinary[:30, 1] = answer.ordinary[:20, 2] = answer.ordinary[:40, 3] = True
    assert inferred_estimands(answer) == (Mean("b"), Slope("b", "c", ("a",)), Correlation("b", "c"))
    values = answer.values.copy()
    values[:, 2] = 7  # a constant column tells nothing
    assert inferred_estimands(replace(answer, values=values)) == (Mean("b"), Slope("b", "a"), Correlation("b", "a"))


def test_where_nothing_can_be_said():
    answer, done = random_case(4)
    for metric in METRICS:
        assert metric(answer, replace(done, draws=None)) is None
        assert np.isnan(metric(replace(answer, draws_asked=True), replace(done, draws=None)))
        assert metric(replace(answer, estimands=()), done) is None
        with pytest.raises(NothingToScore, match=metric.__name__):
            metric(replace(answer, ordinary=np.zeros_like(answer.ordinary)), done)
    scores, _ = score(answer, done, {metric.__name__: metric for metric in METRICS})
    assert sorted(scores) == sorted(metric.__name__ for metric in METRICS)  # none of a single column


def test_rows_whose_truth_is_unknown_do_not_count():
    answer, done = random_case(6)
    values = answer.values.copy()
    values[:5, 0], answer.ordinary[:5, 0] = np.nan, False  # blanks of the source
    answer = replace(answer, values=values)
    done = replace(done, values=np.where(np.isnan(values), 1e6, done.values))
    assert inference_bias(answer, done) < 10


def test_who_has_no_value_is_left_out_of_a_mean():
    """bayesnet: a perfect flag leaves the mean of those who have one unbiased, and giving all one does not."""
    table = BayesNet(n_train=4000, n_test=0).load(stream(0, "dataset"), stream(0, "split"))
    problem = hide(table, MCAR().draw(table, 0.3, stream(0, "mask")))
    answer, rng = problem.answers["train"], np.random.default_rng(0)
    assert answer.estimands == ESTIMANDS
    assert abs(np.nanmean(table.values[:, 0]) - ESTIMANDS[0].truth) < 4 * np.nanstd(table.values[:, 0]) / 3000**0.5
    cells = np.argwhere(problem.train.hidden)
    law = problem.law.posterior(problem.train).regular
    samples = rng.normal(law.mean, law.sd, (10, len(cells)))
    samples[:, answer.meaningful[tuple(cells.T)] & (cells[:, 1] == 0)] = 28.0  # what C1 hides is above 27
    truth = np.where(np.isnan(answer.values), 0.0, answer.values)
    filled = Imputation(truth, draws=Draws.from_samples(cells, samples))
    only_mean = replace(answer, estimands=ESTIMANDS[:1])
    knows = replace(filled, meaningful_probability=answer.meaningful.astype(float))
    assert inference_bias(only_mean, knows) < 3.5
    assert inference_bias(only_mean, filled) > 5


@pytest.mark.parametrize(("offset", "unit"), [(0.0, 1.0), (1.7e9, 1.0), (0.0, 1e-12)])
def test_estimands_against_second_implementations(offset: float, unit: float):
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=(50, 3)), rng.integers(3, size=50)])
    rows[:, 1] += rows[:, 0] + 0.5 * rows[:, 3]
    rows[rng.random(rows.shape) < 0.05] = np.nan
    scaled = rows * [1, unit, 1, 1] + [offset, offset, 0, 0]
    whole = rows[~np.isnan(rows).any(1)]
    g = whole[:, 3:] == [1, 2]
    design = np.column_stack([np.ones(len(whole)), whole[:, 0], whole[:, 2], g])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ whole[:, 1]
    variance = np.sum((whole[:, 1] - design @ beta) ** 2) / (len(whole) - 5) * inverse[1, 1]
    found = Slope("b", "a", ("c", "g")).estimate(scaled, COLUMNS)
    assert (found.value / unit, found.variance / unit**2) == pytest.approx((beta[1], variance), rel=1e-5)
    pair = rows[~np.isnan(rows[:, :2]).any(1), :2]
    line = stats.linregress(pair[:, 0], pair[:, 1])
    found = Slope("b", "a").estimate(scaled, COLUMNS)
    assert (found.value / unit, found.variance**0.5 / unit) == pytest.approx((line.slope, line.stderr), rel=1e-5)
    z = Correlation("a", "b").estimate(scaled, COLUMNS)
    interval = np.tanh(z.value + np.array([-1, 1]) * stats.norm.ppf(0.975) * z.variance**0.5)
    known = stats.pearsonr(pair[:, 0], pair[:, 1])
    assert (np.tanh(z.value), *interval) == pytest.approx((known.statistic, *known.confidence_interval()), rel=1e-5)


def test_estimates_that_rows_do_not_tell_are_nan():
    rows = np.column_stack([np.ones(9), np.arange(9.0), np.arange(9.0), np.zeros(9)])
    assert np.isnan(Slope("b", "a").estimate(rows, COLUMNS).value)  # a is constant
    assert np.isnan(Slope("b", "c", ("b",)).estimate(rows, COLUMNS).value)  # c is b
    assert np.isnan(Correlation("a", "b").estimate(rows, COLUMNS).value)
    assert np.isnan(Mean("a").estimate(rows[:1], COLUMNS).value)
