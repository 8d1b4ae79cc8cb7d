"""`selective` against the law of bayesnet and against hand-made cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.base import Mask
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR
from lacuna.masks.mnar import MNAR
from lacuna.methods.mean_mode import MeanMode
from lacuna.methods.oracle import Oracle
from lacuna.methods.selective import MeaningfulPosterior, Selective
from lacuna.metrics.discrete import acc
from lacuna.metrics.meaningful import mm_f1
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Imputation, Incomplete, Problem


def bayesnet(mask: Mask, ratio: float, n_train: int, n_test: int, seed: int = 0) -> Problem:
    table = BayesNet(n_train, n_test).load(stream(seed, "dataset"), stream(seed, "split"))
    return hide(table, mask.draw(table, ratio, stream(seed, "mask")))


SMALL = bayesnet(MCAR(), 0.2, 1500, 400)


def oracle(problem: Problem) -> Imputation:
    method = Oracle()
    method.law = problem.law
    return method.fit(problem.train, 0).impute(problem.test)


@pytest.mark.slow
@pytest.mark.parametrize(("mask", "short"), [(MCAR, 0.02), (MAR, 0.03), (MNAR, 0.04)])
def test_it_comes_close_to_the_oracle(mask: Callable[[], Mask], short: float):
    problem = bayesnet(mask(), 0.2, 6000, 3000)
    ours, best = Selective().fit(problem.train, 0).impute(problem.test), oracle(problem)
    answer = problem.answers["test"]
    assert acc(answer, ours) > acc(answer, best) - short
    assert mm_f1(answer, ours) > mm_f1(answer, best) - 2 * short


def test_probabilities_are_calibrated():
    problem = bayesnet(MCAR(), 0.3, 5000, 1)
    probability = MeaningfulPosterior().fit(problem.train, 0).predict(problem.train)
    hidden = problem.answers["train"].hidden & problem.train.candidates
    said, true = probability[hidden], problem.answers["train"].meaningful[hidden]
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (said >= low) & (said <= low + 0.25)
        assert true[inside].mean() == pytest.approx(said[inside].mean(), abs=0.07)


def test_the_state_is_the_most_probable_one():
    imputation = Selective().fit(SMALL.train, 0).impute(SMALL.test)
    number = SMALL.test.hidden[:, 0]
    flagged = imputation.meaningful[number, 0]
    assert np.array_equal(flagged, imputation.meaningful_probability[number, 0] > 0.5)
    sure = imputation.meaningful_probability > 0.5
    assert imputation.meaningful[sure & SMALL.test.hidden & SMALL.test.candidates].all()


def test_a_base_of_points_is_credited_with_what_it_reaches():
    """Mean/mode is right on observed cells about as often as the mode occurs."""
    method = Selective(base=MeanMode()).fit(SMALL.train, 0)
    for j in (3, 4):
        cells = SMALL.train.values[SMALL.train.observed[:, j], j]
        assert method.reached_[j] == pytest.approx((cells == np.bincount(cells.astype(int)).argmax()).mean(), abs=0.1)


def test_values_are_those_of_the_base():
    ours = Selective(base=MeanMode()).fit(SMALL.train, 0).impute(SMALL.test)
    plain = MeanMode().fit(SMALL.train, 0).impute(SMALL.test)
    c2 = SMALL.test.hidden[:, 1]
    np.testing.assert_allclose(ours.values[c2, 1], plain.values[c2, 1])


def test_blanks_at_the_ordinary_rate_alone_are_not_meaningful():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 3))
    observed = rng.random(truth.shape) > 0.2
    columns = (Column("a", mm_candidate=True), Column("b"), Column("c"))
    rows = Incomplete(columns, np.where(observed, truth, np.nan), observed)
    imputation = Selective().fit(rows, 0).impute(rows)
    assert imputation.meaningful.sum() < 0.05 * rows.hidden[:, 0].sum()


def test_rows_one_at_a_time_are_rows_all_at_once():
    method, rows = Selective().fit(SMALL.train, 0), SMALL.test.take(slice(0, 15))
    whole = method.impute(rows)
    for i in range(15):
        one = method.impute(rows.take([i]))
        np.testing.assert_allclose(one.values[0], whole.values[i])
        np.testing.assert_array_equal(one.meaningful[0], whole.meaningful[i])
