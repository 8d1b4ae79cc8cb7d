"""The nouns refuse what is inconsistent and answer what is asked of them."""

import numpy as np
import pytest

from lacuna.types import Answer, Column, Draws, Imputation, Incomplete, OrdinaryMask, Problem, Table, where

NAN = float("nan")
COLUMNS = (Column("a"), Column("b", "categorical", ("x", "y"), mm_candidate=True))


def table(**changes) -> Table:
    values = np.array([[1.0, 0.0], [2.0, NAN]])
    return Table(**{"name": "t", "columns": COLUMNS, "values": values, "meaningful": np.isnan(values)} | changes)


def test_column():
    assert COLUMNS[1].discrete
    assert COLUMNS[1].n_levels == 2
    assert not Column("n", "integer").discrete
    with pytest.raises(ValueError, match="'z': kind must be one of"):
        Column("z", "text")
    with pytest.raises(ValueError, match="'z': levels belong to categorical columns"):
        Column("z", "categorical")
    with pytest.raises(ValueError, match="'z': levels belong to categorical columns"):
        Column("z", "integer", (1, 2))


def test_where_selects_columns_by_all_attributes():
    assert where(COLUMNS, kind="continuous").tolist() == [True, False]
    assert where(COLUMNS, discrete=True, mm_candidate=False).tolist() == [False, False]
    assert where((), discrete=True).shape == (0,)


def test_table_refuses_wrong_shapes_and_meaningful_values():
    with pytest.raises(ValueError, match="meaningful has shape"):
        table(meaningful=np.zeros((2, 3), bool))
    with pytest.raises(ValueError, match="values has shape"):
        table(values=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="must be NaN"):
        table(meaningful=np.ones((2, 2), bool))


def test_digest_tells_tables_apart():
    same = table().digest
    assert table().digest == same
    assert table(name="other", law=object()).digest == same
    blank_at_the_source = table(meaningful=np.zeros((2, 2), bool))
    renamed = table(columns=(Column("a2"), COLUMNS[1]))
    split = table(train_rows=np.array([True, False]))
    shifted = table(values=np.array([[1.0, 0.0], [3.0, NAN]]))
    assert len({same, *(t.digest for t in (blank_at_the_source, renamed, split, shifted))}) == 5


def test_rates_are_shares_of_hidden_cells():
    mask = OrdinaryMask(np.array([[True, False], [True, True], [False, False], [True, False]]))
    assert mask.rates(COLUMNS) == {"a": 0.75, "b": 0.25}


def test_incomplete():
    values = np.array([[1.0, NAN], [NAN, 1.0], [3.0, 0.0]])
    rows = Incomplete(COLUMNS, values, ~np.isnan(values))
    assert len(rows) == 3
    assert rows.hidden.sum() == 2
    assert rows.candidates.tolist() == [False, True]
    assert rows.take([2, 0]).values[0].tolist() == [3.0, 0.0]
    with pytest.raises(ValueError, match="NaN exactly where"):
        Incomplete(COLUMNS, values, np.ones((3, 2), bool))
    with pytest.raises(ValueError, match="disagree"):
        Incomplete(COLUMNS[:1], values, ~np.isnan(values))


def test_answer_problem_imputation():
    values = np.array([[1.0, NAN]])
    answer = Answer(COLUMNS, values, np.isnan(values), np.array([[True, False]]))
    assert answer.hidden.tolist() == [[True, True]]
    rows = Incomplete(COLUMNS, np.full((1, 2), NAN), np.zeros((1, 2), bool))
    assert list(Problem("p", rows, None, {"train": answer}).splits) == ["train"]
    done = Imputation(np.array([[4.0, 1.0]]))
    assert np.array_equal(done.final, [[4.0, 1.0]])
    kept = Imputation(done.values, np.array([[False, True]]))
    assert np.array_equal(kept.final, [[4.0, NAN]], equal_nan=True)


def test_draws_from_samples():
    rng = np.random.default_rng(0)
    cells = np.array([[0, 0], [3, 1]])
    samples = rng.normal([5.0, -2.0], [1.0, 3.0], (20_000, 2))
    draws = Draws.from_samples(cells, samples, alpha=0.1)
    assert np.allclose(draws.mean, [5, -2], atol=0.1)
    assert np.allclose(draws.sd, [1, 3], atol=0.1)
    assert np.allclose(draws.lower, [5 - 1.645, -2 - 3 * 1.645], atol=0.15)
    assert np.allclose(draws.upper, [5 + 1.645, -2 + 3 * 1.645], atol=0.15)
    assert draws.samples.dtype == np.float32
    assert draws.alpha == 0.1
