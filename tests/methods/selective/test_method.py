"""`selective` against the law of bayesnet and against hand-made cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lacuna.datasets.bayesnet import BayesNet
from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR
from lacuna.masks.mnar import MNAR
from lacuna.methods.base import Method
from lacuna.methods.boosting import BoostedTrees
from lacuna.methods.mean_mode import MeanMode
from lacuna.methods.oracle import Oracle
from lacuna.methods.selective import MeaningfulPosterior, Selective
from lacuna.methods.selective.observation import Ordinary
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


def switched(n: int = 3000, candidates: str = "a", driven: bool = False) -> tuple[Incomplete, np.ndarray]:
    """``a`` is meaningfully missing where ``b`` exceeds 0.8; besides, cells of a and c are lost at 0.2 on average.

    Args:
        driven: whether b drives that loss, in place of being lost itself.

    Returns:
        Rows, and where a is meaningful.
    """
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(n, 3))
    meaningful = truth[:, 1] > 0.8
    lost = rng.random(truth.shape) < 0.2
    if driven:
        rate = 1 / (1 + np.exp(2.0 - 2 * truth[:, 1]))
        lost = rng.random(truth.shape) < rate[:, None]
        lost[:, 1] = False
    hidden = lost.copy()
    hidden[:, 0] |= meaningful
    columns = tuple(Column(name, mm_candidate=name in candidates) for name in "abc")
    return Incomplete(columns, np.where(hidden, np.nan, truth), ~hidden), meaningful


@pytest.mark.parametrize("ordinary", ["common", "per_row", 0.2])
def test_the_ordinary_rate_may_be_common_by_row_or_given(ordinary: Ordinary):
    rows, meaningful = switched()
    posterior = MeaningfulPosterior(ordinary).fit(rows)
    found = posterior.diagnostics()["columns"]["a"]
    assert found["ordinary_rate"] == pytest.approx(0.2, abs=0.02)
    assert found["meaningful_low"] < meaningful.mean() < found["meaningful_high"]
    assert found["explained_by_ordinary_rate"] is False
    told = rows.hidden[:, 0] & rows.observed[:, 1]
    flagged = posterior.predict(rows)[told, 0] > 0.5
    assert (flagged == meaningful[told]).mean() > 0.93


def test_a_rate_by_row_follows_what_drives_it():
    """Rows in which b is high lose a more often: a common rate takes the surplus for meaning, one by row does not."""
    rows, meaningful = switched(driven=True)
    ordinary = 1 / (1 + np.exp(2.0 - 2 * rows.values[:, 1]))
    by_row = MeaningfulPosterior("per_row").fit(rows)
    (column,) = by_row.passes_[-1]
    fitted = column.blanks.probability(rows, np.zeros(rows.values.shape))
    assert [rows.columns[k].name for k in by_row.process_.drivers] == ["b"]
    assert np.abs(fitted - ordinary)[~meaningful].mean() < 0.05
    assert any("ordinary blanks depend on b" in text for text in by_row.warnings_)


def test_a_rate_of_zero_makes_every_blank_meaningful():
    rows, _ = switched()
    probability = MeaningfulPosterior(0.0).fit(rows).predict(rows)
    np.testing.assert_allclose(probability[rows.hidden[:, 0], 0], 1.0)
    assert not probability[:, 1:].any()


def test_without_a_column_of_ordinary_blanks_only_there_is_a_bound_and_no_p_value():
    rows, meaningful = switched(candidates="abc")
    posterior = MeaningfulPosterior().fit(rows)
    for name, found in posterior.diagnostics()["columns"].items():
        assert found["p_value"] is found["p_rate"] is found["p_pattern"] is None
        assert found["explained_by_ordinary_rate"] is None
        assert not found["identified"]
        assert found["meaningful_low"] <= (meaningful.mean() if name == "a" else 0.02)
        assert "the ordinary rate is not identified: lower bound" in found["verdict"]
    assert posterior.diagnostics()["columns"]["a"]["meaningful_low"] > 0.1
    assert any("the ordinary rate is not identified" in text for text in posterior.warnings_)
    given = MeaningfulPosterior(0.2).fit(rows).diagnostics()
    assert given["warnings"] == []
    assert given["columns"]["a"]["p_value"] < 0.001
    assert given["columns"]["c"]["explained_by_ordinary_rate"]


def test_a_rate_that_cannot_be_is_refused():
    with pytest.raises(UserError, match="every column may hold meaningful missingness"):
        MeaningfulPosterior("common").fit(switched(candidates="abc")[0])
    with pytest.raises(ValueError, match="common, per_row or a rate, got 'none'"):
        MeaningfulPosterior("none")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), got 1.5"):
        MeaningfulPosterior(1.5)


class Points(Method):
    """A base without probabilities: the level that the other column names, or always one that is wrong."""

    def __init__(self, right: bool) -> None:
        self.right = right

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.n_seen_ = int(train.observed[:, 1].sum())

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        guess = rows.values[:, :1] if self.right else (rows.values[:, :1] + 1) % 4
        return Imputation(np.where(rows.observed, rows.values, guess))


@pytest.mark.parametrize(("right", "reached"), [(True, 1.0), (False, 0.0)])
def test_points_count_by_how_often_they_are_right_on_cells_held_out(right: bool, reached: float):
    """A copy of a column: whoever reads it there is always right; the flags follow that."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 4, 800).astype(float)
    hidden = rng.random(800) < 0.1 + 0.4 * (level == 3)
    columns = (Column("a", "categorical", tuple("wxyz")), Column("b", "categorical", tuple("wxyz"), mm_candidate=True))
    observed = np.stack([np.ones(800, bool), ~hidden], axis=1)
    rows = Incomplete(columns, np.where(observed, level[:, None], np.nan), observed)
    method = Selective(Points(right), ordinary=0.1).fit(rows)
    assert method.base.n_seen_ == pytest.approx(0.9 * observed[:, 1].sum(), rel=0.05)
    n_held_out = observed[:, 1].sum() - method.base.n_seen_
    assert method.reached_[1] == pytest.approx((reached * n_held_out + 1) / (n_held_out + 2))
    done = method.impute(rows)
    probability = done.meaningful_probability[hidden, 1]
    np.testing.assert_array_equal(done.meaningful[hidden, 1], probability > (1 - probability) * method.reached_[1])
    assert done.meaningful[:, 1].sum() > 0


def test_a_pattern_is_not_found_where_there_is_none():
    """By chance a tree fits these blanks a little; whoever judges a row must not have seen it, nor calibrated by it."""
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(1500, 1)) + rng.normal(size=(1500, 5))
    observed = rng.random(truth.shape) > 0.1
    columns = tuple(Column(name, mm_candidate=name in "ab") for name in "abcde")
    posterior = MeaningfulPosterior().fit(Incomplete(columns, np.where(observed, truth, np.nan), observed), 3)
    assert max(column.meaning.rounds.max() for column in posterior.passes_[-1]) > 0
    for found in posterior.diagnostics()["columns"].values():
        assert found["p_pattern"] > 0.025
        assert found["probability"] < 0.5
        assert found["explained_by_ordinary_rate"]


def test_rows_one_at_a_time_are_rows_all_at_once():
    method, rows = Selective(BoostedTrees()).fit(SMALL.train, 0), SMALL.test.take(slice(0, 15))
    whole = method.impute(rows)
    for i in range(15):
        one = method.impute(rows.take([i]))
        np.testing.assert_allclose(one.values[0], whole.values[i])
        np.testing.assert_array_equal(one.meaningful[0], whole.meaningful[i])


# --- blanks that are ordinary in ways that tables know ------------------------------------------------------


def lost(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Blanks (n, 6) that have nothing to do with values."""
    if kind == "pages":
        return np.repeat(rng.random((n, 3)) < 0.12, 2, axis=1)
    if kind == "respondents":
        return rng.random((n, 6)) < rng.beta(0.5, 4.5, n)[:, None]
    if kind == "dropout":
        return np.arange(6) >= (1 + rng.geometric(0.08, n))[:, None]
    if kind == "rates":
        return rng.random((n, 6)) < np.array([0.05, 0.15, 0.05, 0.15, 0.05, 0.05])
    return np.column_stack([rng.random((n, 2)) < 0.05, *[rng.random(n) < 0.2] * 2, rng.random((n, 2)) < 0.05])  # pair


def table_of(truth: np.ndarray, hidden: np.ndarray, candidates: str) -> Incomplete:
    columns = tuple(Column(name, mm_candidate=name in candidates) for name in "abcdef"[: truth.shape[1]])
    return Incomplete(columns, np.where(hidden, np.nan, truth), ~hidden)


@pytest.mark.parametrize(
    ("kind", "candidates", "said"),
    [
        ("pages", "bd", "what they share counts as lost together"),
        ("respondents", "bd", "what they share counts as lost together"),
        ("dropout", "be", None),
        ("rates", "bd", "the rate alone cannot tell"),
        ("pair", "cd", "lost together or meaningful together is not identified"),
    ],
)
def test_blanks_that_have_nothing_to_do_with_values_are_filled(kind: str, candidates: str, said: str | None):
    rng = np.random.default_rng(5)
    truth = 0.7 * rng.normal(size=(800, 1)) + 0.7 * rng.normal(size=(800, 6))
    posterior = MeaningfulPosterior().fit(table_of(truth, lost(kind, 800, rng), candidates), 0)
    found = posterior.diagnostics()
    for column in found["columns"].values():
        assert column["probability"] <= 0.5
        assert column["meaningful_low"] == 0
        assert column["p_value"] is None or column["p_value"] > 0.01
    assert not (posterior.predict(table_of(truth, lost(kind, 800, rng), candidates)) > 0.5).any()
    assert said is None or any(said in text for text in found["warnings"])


def test_a_user_may_say_that_rates_are_equal():
    rng = np.random.default_rng(5)
    truth, hidden = rng.normal(size=(800, 6)), lost("rates", 800, rng)
    (column,) = MeaningfulPosterior("common").fit(table_of(truth, hidden, "b")).diagnostics()["columns"].values()
    assert column["p_rate"] < 0.001
    assert column["meaningful_low"] < 0.1 < column["meaningful_high"]


@pytest.mark.slow
def test_meaning_is_found_beside_lost_pages():
    """a is blank where e exceeds its median, or with its page; only the first is meant."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(1500, 6))
    page, meant = lost("pages", 1500, rng), truth[:, 4] > 0
    hidden = page.copy()
    hidden[:, 0] |= meant
    rows = table_of(truth, hidden, "a")
    posterior = MeaningfulPosterior().fit(rows, 0)
    blank = hidden[:, 0] & ~hidden[:, 4]
    assert ((posterior.predict(rows)[:, 0] > 0.5) == meant)[blank].mean() > 0.97
    (found,) = posterior.diagnostics()["columns"].values()
    assert found["meaningful_low"] < meant.mean() < found["meaningful_high"]


@pytest.mark.slow
@pytest.mark.parametrize("lost_by", [None, 1])
def test_a_driver_that_is_blank_itself_costs_no_more_than_calling_all_meant(lost_by: int | None):
    """a is blank where b > -0.5, and b is hidden in 40% of the rows, at random or by another column."""
    rng = np.random.default_rng(2)
    truth = 0.6 * rng.normal(size=(1000, 1)) + 0.8 * rng.normal(size=(1000, 6))
    meant = truth[:, 1] > -0.5
    hidden = rng.random(truth.shape) < 0.15
    hidden[:, 1] = rng.random(1000) < (0.4 if lost_by is None else 0.8 * (truth[:, 2] > 0))
    hidden[:, 0] |= meant
    rows = table_of(truth, hidden, "a")
    p = MeaningfulPosterior().fit(rows, 0).predict(rows)[hidden[:, 0], 0]
    meant = meant[hidden[:, 0]]
    floor = 2 * meant.sum() / (len(meant) + meant.sum())
    assert 2 * (meant & (p > 0.5)).sum() / (meant.sum() + (p > 0.5).sum()) >= floor
    assert ((p - meant) ** 2).mean() < meant.mean() * (1 - meant.mean())


def test_of_a_hundred_rows_little_is_said():
    rng = np.random.default_rng(7)
    rows = table_of(rng.normal(size=(100, 6)), rng.random((100, 6)) < 0.2, "ab")
    method = Selective(MeanMode()).fit(rows)
    done = method.impute(rows)
    assert not done.meaningful.any()
    assert (done.meaningful_probability[rows.hidden] < 0.3).all()


def test_a_clear_relation_is_used_from_twenty_rows():
    ratios = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=20)
        truth = np.column_stack([x, 3 * x + 0.3 * rng.normal(size=20), rng.normal(size=20)])
        hidden = np.zeros(truth.shape, bool)
        hidden[::4, 1] = True
        rows = table_of(truth, hidden, "")
        error = (Selective().fit(rows).impute(rows).values - truth)[hidden]
        ratios.append(
            np.sqrt((error**2).mean()) / np.sqrt(((truth[hidden] - truth[~hidden[:, 1], 1].mean()) ** 2).mean())
        )
    assert np.mean(ratios) < 0.5
