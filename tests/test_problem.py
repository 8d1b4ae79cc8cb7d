"""Hiding the truth: what a method sees, and what it does not."""

import numpy as np
import pytest

from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.mcar import MCAR, ConstantHiding
from lacuna.problem import held_out, hide
from lacuna.rng import stream
from lacuna.types import Column, OrdinaryMask, Problem, Table

NAN = float("nan")
COLUMNS = (Column("a", mm_candidate=True), Column("b"), Column("c", "categorical", ("x", "y")))


def small() -> tuple[Table, OrdinaryMask]:
    """Cell (0, 0) is meaningful and (1, 1) blank at the source; the mask hits both, and two regular cells."""
    values = np.array([[NAN, 1.0, 0], [2.0, NAN, 1], [4.0, 3.0, 1], [6.0, 5.0, 0]])
    meaningful = np.zeros((4, 3), bool)
    meaningful[0, 0] = True
    ordinary = np.zeros((4, 3), bool)
    ordinary[[0, 1, 2, 2], [0, 1, 0, 2]] = True
    train_rows = np.array([True, True, True, False])
    return Table("small", COLUMNS, values, meaningful, train_rows), OrdinaryMask(ordinary)


def test_observed_ordinary_meaningful_by_hand():
    problem = hide(*small())
    assert problem.train.observed.tolist() == [[False, True, True], [True, False, True], [False, True, False]]
    assert np.array_equal(problem.train.values[2], [NAN, 3.0, NAN], equal_nan=True)
    answer = problem.answers["train"]
    # a mask that hits a meaningful cell, or one that the source lacks, leaves nothing to find there
    assert answer.ordinary.tolist() == [[False] * 3, [False] * 3, [True, False, True]]
    assert answer.meaningful.tolist() == [[True, False, False], [False] * 3, [False] * 3]
    assert answer.hidden.tolist() == [[True, False, False], [False] * 3, [True, False, True]]
    assert problem.test.values.tolist() == [[6.0, 5.0, 0.0]]
    assert not problem.answers["test"].hidden.any()
    assert problem.law is None
    assert set(problem.splits) == set(problem.answers) == {"train", "test"}


def test_the_scale_is_the_sd_of_observed_training_cells():
    problem = hide(*small())
    # a: only 2.0 is observed in training; b: 1.0 and 3.0; c: codes 0 and 1
    for answer in problem.answers.values():
        assert answer.scale.tolist() == [1.0, 1.0, 0.5]


def test_without_a_split_all_rows_train():
    table, mask = small()
    problem = hide(Table(table.name, table.columns, table.values, table.meaningful), mask)
    assert problem.test is None
    assert set(problem.splits) == set(problem.answers) == {"train"}
    assert len(problem.train) == 4


@pytest.fixture(scope="module")
def bayesnet() -> Problem:
    table = BayesNet(1400, 600).load(stream(0, "dataset"), stream(0, "split"))
    return hide(table, MCAR().draw(table, 0.2, stream(0, "mask")))


def test_no_truth_passes_to_the_method(bayesnet):
    for split, rows in bayesnet.splits.items():
        answer = bayesnet.answers[split]
        assert np.array_equal(rows.hidden, answer.hidden)
        assert np.isnan(rows.values[answer.hidden]).all()
        assert np.array_equal(rows.values[rows.observed], answer.values[rows.observed])
        assert not (answer.ordinary & answer.meaningful).any()
        assert np.array_equal(np.isnan(answer.values), answer.meaningful)


def test_table_law_and_mask_mechanism_meet_in_the_problem(bayesnet):
    assert bayesnet.law.mechanism == ConstantHiding(0.2)


def test_held_out_cells_are_observed_training_cells_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    columns = (Column("x"), Column("y", "categorical", ("a", "b")), Column("lone"), Column("empty"))
    blank = np.full((200, 2), np.nan)
    values = np.column_stack([rng.normal(size=200), rng.integers(2, size=200), blank])
    values[7, 2] = 1.0
    rows = np.arange(200) < 150
    table = Table("t", columns, values, np.zeros((200, 4), bool), train_rows=rows)
    problem = hide(table, OrdinaryMask(rng.random((200, 4)) < 0.2))
    again = held_out(problem, 0.1, np.random.default_rng(1))
    answer = again.answers["held_out"]
    assert list(again.splits) == list(again.answers) == ["held_out"]
    assert again.law is None
    assert not (answer.ordinary & ~problem.train.observed).any()
    assert np.array_equal(again.train.observed, problem.train.observed & ~answer.ordinary)
    assert np.array_equal(answer.values, problem.train.values, equal_nan=True)
    n_observed = problem.train.observed.sum(0)
    assert answer.ordinary.sum(0).tolist() == [round(0.1 * n) if n > 1 else 0 for n in n_observed]
