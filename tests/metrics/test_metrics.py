"""Every metric against hand-computed cases and scikit-learn; invariances."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss

from lacuna.errors import NothingToScore
from lacuna.metrics.discrete import acc, acc_discrete, acc_levels, acc_with_integers
from lacuna.metrics.meaningful import mm_average_precision, mm_brier, mm_f1, mm_precision, mm_recall
from lacuna.metrics.numeric import mae, mae_std, mae_std_all, rmse, rmse_all, rmse_std, rmse_std_all
from lacuna.metrics.score import MAX_COLUMNS, only_column, score
from lacuna.types import Answer, Column, Draws, Imputation

NAN = float("nan")
COLUMNS = (
    Column("income", mm_candidate=True),
    Column("age"),
    Column("height"),
    Column("sex", "categorical", ("f", "m")),
    Column("job", "categorical", ("a", "b", "c"), mm_candidate=True),
)
NUMERIC = (rmse, mae, rmse_std, mae_std, rmse_all, rmse_std_all, mae_std_all)
MEANINGFUL = (mm_precision, mm_recall, mm_f1, mm_average_precision, mm_brier)
METRICS = {f.__name__: f for f in (acc, acc_discrete, acc_levels, *NUMERIC, *MEANINGFUL)}
LESS_IS_BETTER = {f.__name__ for f in (*NUMERIC, mm_brier)}


def by_hand() -> tuple[Answer, Imputation]:
    #                   income age height sex job
    truth = np.array([[10.0, 30, 1.5, 0, 2], [NAN, 40, 1.6, 1, NAN], [30, 50, 1.7, 1, 1], [NAN, 60, 1.8, 0, NAN]])
    meaningful = np.isnan(truth)
    ordinary = np.zeros_like(meaningful)
    ordinary[[0, 0, 1, 2, 2, 2, 3, 0], [0, 1, 2, 1, 3, 4, 3, 4]] = True
    values = np.array([[14.0, 33, 1.5, 0, 2], [11, 40, 1.8, 1, 0], [30, 46, 1.7, 0, 0], [12, 60, 1.8, 0, 1]])
    flags, chance = np.zeros((4, 5), bool), np.zeros((4, 5))
    chance[[0, 1, 3, 0, 1, 2, 3], [0, 0, 0, 4, 4, 4, 4]] = [0.6, 0.9, 0.4, 0.1, 0.8, 0.7, 0.6]
    flags[chance > 0.5] = True
    scale = np.array([5.0, 10.0, 0.1, 0.5, 0.5])
    return Answer(COLUMNS, truth, meaningful, ordinary, scale), Imputation(values, flags, chance)


def test_discrete_by_hand():
    answer, done = by_hand()
    # job: right, right (NA), wrong (NA for b), right (NA); sex: wrong, right
    assert acc(answer, done) == 3 / 4
    assert acc_discrete(answer, done) == 4 / 6
    # of values: job right and wrong, sex wrong and right; flags do not count
    assert acc_levels(answer, done) == 2 / 4
    without_flags = replace(done, meaningful=None)
    assert acc_levels(answer, without_flags) == 2 / 4
    assert acc(answer, without_flags) == 1 / 4
    assert acc_discrete(answer, without_flags) == 2 / 6


def test_integer_columns_count_where_they_are_asked_to():
    answer, done = by_hand()
    assert acc_with_integers(answer, done) is None
    columns = (COLUMNS[0], Column("age", "integer"), *COLUMNS[2:])
    # age: wrong, wrong; sex and job: right in 4 of 6
    assert acc_with_integers(replace(answer, columns=columns), done) == 4 / 8
    values = done.values.copy()
    values[[0, 2], 1] = [30, 50]
    assert acc_with_integers(replace(answer, columns=columns), replace(done, values=values)) == 6 / 8


def test_numeric_by_hand():
    answer, done = by_hand()
    # age off by 3 and -4 (sd 10), height by 0.2 (sd 0.1); income off by 4 counts in rmse_all only
    assert rmse(answer, done) == pytest.approx(np.sqrt((9 + 16 + 0.04) / 3))
    assert mae(answer, done) == pytest.approx((3 + 4 + 0.2) / 3)
    assert rmse_std(answer, done) == pytest.approx(np.sqrt((0.09 + 0.16 + 4) / 3))
    assert mae_std(answer, done) == pytest.approx((0.3 + 0.4 + 2) / 3)
    assert rmse_all(answer, done) == pytest.approx(np.sqrt((9 + 16 + 0.04 + 16) / 4))
    # income off by 4 (sd 5)
    assert rmse_std_all(answer, done) == pytest.approx(np.sqrt((0.09 + 0.16 + 4 + 0.64) / 4))
    assert mae_std_all(answer, done) == pytest.approx((0.3 + 0.4 + 2 + 0.8) / 4)
    with pytest.raises(ValueError, match=r"Answer\.scale"):
        rmse_std(replace(answer, scale=None), done)


def test_integers_count_in_rmse_all_only():
    answer, done = by_hand()
    columns = tuple(replace(c, kind="integer") if c.name == "age" else c for c in COLUMNS)
    answer = replace(answer, columns=columns)
    assert rmse(answer, done) == pytest.approx(0.2)
    assert mae_std(answer, done) == pytest.approx(2.0)
    assert rmse_std_all(answer, done) == pytest.approx(np.sqrt((0.09 + 0.16 + 4 + 0.64) / 4))
    assert rmse_all(answer, done) == pytest.approx(np.sqrt((9 + 16 + 0.04 + 16) / 4))


def test_meaningful_by_hand():
    answer, done = by_hand()
    # seven hidden candidate cells, four of them meaningful; flagged: five, three of them rightly
    assert mm_precision(answer, done) == 3 / 5
    assert mm_recall(answer, done) == 3 / 4
    assert mm_f1(answer, done) == pytest.approx(2 / 3)
    squares = [0.6**2, 0.1**2, 0.6**2, 0.1**2, 0.2**2, 0.7**2, 0.4**2]
    assert mm_brier(answer, done) == pytest.approx(np.mean(squares))
    # 0.9 and 0.8 first, then a false 0.7, a tie of true and false at 0.6, the last true at 0.4
    assert mm_average_precision(answer, done) == pytest.approx((1 + 1 + 3 / 5 + 4 / 6) / 4)


def random_case(seed: int, n: int = 40) -> tuple[Answer, Imputation]:
    rng = np.random.default_rng(seed)
    levels = np.array([c.n_levels or 50 for c in COLUMNS])
    candidates = np.array([c.mm_candidate for c in COLUMNS])
    truth = np.floor(rng.random((n, 5)) * levels)
    meaningful = (rng.random((n, 5)) < 0.3) & candidates
    truth[meaningful] = NAN
    ordinary = (rng.random((n, 5)) < 0.4) & ~meaningful
    chance = np.where((meaningful | ordinary) & candidates, np.round(rng.random((n, 5)), 1), 0.0)
    guess = np.where(meaningful | ordinary, np.floor(rng.random((n, 5)) * levels), truth)
    return Answer(COLUMNS, truth, meaningful, ordinary, np.ones(5)), Imputation(guess, chance > 0.5, chance)


@pytest.mark.parametrize("seed", range(5))
def test_detection_is_ratios_of_counts_to_the_last_bit_and_scores_of_scikit_learn(seed):
    answer, done = random_case(seed)
    cells = answer.hidden & [True, False, False, False, True]
    truth, flags, chance = (
        answer.meaningful[cells],
        done.meaningful[cells],
        done.meaningful_probability[cells],
    )
    right = (truth & flags).sum()
    assert mm_precision(answer, done) == right / flags.sum()
    assert mm_recall(answer, done) == right / truth.sum()
    assert mm_f1(answer, done) == 2 * right / (truth.sum() + flags.sum())
    assert mm_average_precision(answer, done) == pytest.approx(average_precision_score(truth, chance))
    assert mm_brier(answer, done) == pytest.approx(brier_score_loss(truth, chance))


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(seed, random):
    answer, done = random_case(seed, n=12)
    order = random.sample(range(12), 12)
    moved = (
        replace(
            answer,
            values=answer.values[order],
            meaningful=answer.meaningful[order],
            ordinary=answer.ordinary[order],
        ),
        Imputation(done.values[order], done.meaningful[order], done.meaningful_probability[order]),
    )
    scores, notes = score(answer, done, METRICS)
    assert score(*moved, METRICS) == (pytest.approx(scores, nan_ok=True), notes)


@given(st.integers(0, 10_000))
def test_cells_that_are_not_hidden_do_not_count(seed):
    answer, done = random_case(seed, n=12)
    noisy = Imputation(
        np.where(answer.hidden, done.values, 99.0),
        done.meaningful | ~answer.hidden,
        done.meaningful_probability,
    )
    scores, _ = score(answer, done, METRICS)
    assert score(answer, noisy, METRICS)[0] == pytest.approx(scores, nan_ok=True)


@given(st.integers(0, 10_000))
def test_a_perfect_imputation_gets_perfect_scores(seed):
    answer, _ = random_case(seed)
    perfect = Imputation(np.nan_to_num(answer.values, nan=7.0), answer.meaningful, answer.meaningful.astype(float))
    scores, notes = score(answer, perfect, METRICS)
    assert not notes
    for name, value in scores.items():
        assert value == (0.0 if name.split("/")[0] in LESS_IS_BETTER else 1.0)


def test_nothing_over_nothing_is_nan():
    answer, done = by_hand()
    none_flagged = replace(done, meaningful=np.zeros((4, 5), bool))
    assert np.isnan(mm_precision(answer, none_flagged))
    assert mm_recall(answer, none_flagged) == 0
    assert mm_f1(answer, none_flagged) == 0
    none_meaningful = replace(answer, meaningful=np.zeros((4, 5), bool))
    assert np.isnan(mm_recall(none_meaningful, done))
    assert np.isnan(mm_average_precision(none_meaningful, done))
    assert mm_precision(none_meaningful, done) == 0
    assert np.isnan(mm_f1(none_meaningful, none_flagged))


def test_a_metric_without_a_subject_is_absent():
    answer, done = by_hand()
    plain = replace(done, meaningful=None, meaningful_probability=None)
    scores, notes = score(answer, plain, METRICS)
    assert not any(name.startswith("mm_") for name in scores)
    assert not notes
    only_flags = replace(done, meaningful_probability=None)
    assert mm_brier(answer, only_flags) is None
    assert mm_f1(answer, only_flags) is not None

    height = only_column(2, answer, done)
    assert all(metric(*height) is None for metric in (acc, acc_discrete, *MEANINGFUL))
    assert acc(*only_column(3, answer, done)) is None
    assert rmse(*only_column(4, answer, done)) is None
    assert rmse(*only_column(0, answer, done)) is None
    assert rmse_all(*only_column(0, answer, done)) == 4.0


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_score_is_an_error_that_names_the_metric(name):
    answer, done = by_hand()
    nothing = np.zeros((4, 5), bool)
    with pytest.raises(NothingToScore, match=f"^{name}: "):
        METRICS[name](replace(answer, meaningful=nothing, ordinary=nothing), done)


def test_score_gathers_pooled_scores_columns_and_notes():
    answer, done = by_hand()
    scores, notes = score(answer, done, METRICS)
    assert not notes
    assert scores["acc"] == scores["acc/job"] == 3 / 4
    assert scores["acc_discrete/sex"] == 1 / 2
    assert scores["rmse/age"] == pytest.approx(np.sqrt(12.5))
    assert scores["rmse_std/height"] == pytest.approx(2.0)
    assert scores["mm_recall/income"] == 1 / 2
    assert "rmse/income" not in scores
    assert "acc/sex" not in scores
    assert all(isinstance(value, float) for value in scores.values())

    ordinary = answer.ordinary.copy()
    ordinary[:, 1:3] = False
    scores, notes = score(replace(answer, ordinary=ordinary), done, METRICS)
    assert set(notes) == {"rmse", "mae", "rmse_std", "mae_std"}
    assert notes["rmse"] == "rmse: no cell with a known value is hidden in ['age', 'height']"
    assert scores["rmse_all"] == scores["rmse_all/income"] == 4.0
    assert "rmse" not in scores
    assert "rmse/age" not in scores


def test_a_column_alone_keeps_its_draws():
    answer, done = by_hand()
    cells = np.argwhere(answer.hidden)
    k = np.arange(float(len(cells)))
    draws = Draws(cells, k, k + 1, k - 1, k + 2, 0.1, np.stack([k, k]).astype(np.float32))
    _, alone = only_column(4, answer, replace(done, draws=draws))
    chosen = cells[:, 1] == 4
    assert alone.draws.cells.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]
    assert np.array_equal(alone.draws.mean, k[chosen])
    assert np.array_equal(alone.draws.upper, k[chosen] + 2)
    assert np.array_equal(alone.draws.samples, np.stack([k, k])[:, chosen])
    assert alone.draws.alpha == 0.1
    assert alone.values.shape == (4, 1)


def test_wide_tables_get_pooled_scores_only():
    d = MAX_COLUMNS + 1
    columns = tuple(Column(f"x{j}") for j in range(d))
    shape = (3, d)
    answer = Answer(columns, np.zeros(shape), np.zeros(shape, bool), np.ones(shape, bool), np.ones(d))
    scores, _ = score(answer, Imputation(np.ones(shape)), METRICS)
    assert scores == dict.fromkeys((metric.__name__ for metric in NUMERIC), 1.0)
