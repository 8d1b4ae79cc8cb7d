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


def test_bounds_of_a_column():
    assert Column("n").bounds == (-np.inf, np.inf)
    assert not Column("n").bounded
    assert Column("n", low=0.5).bounds == (0.5, np.inf)
    assert Column("n", "integer", low=0.5, high=2.5).bounds == (1, 2)
    assert Column("n", "integer").whole
    with pytest.raises(ValueError, match="low and high belong to columns of numbers"):
        Column("g", "categorical", ("x", "y"), low=0.0)
    with pytest.raises(ValueError, match="low 3 is above high 2"):
        Column("n", low=3, high=2)


def test_an_imputation_is_moved_into_given_bounds():
    columns = (Column("a", low=0.1, high=0.7), Column("b"))
    samples = np.array([[-1.0, -1.0], [0.3, 0.3], [2.0, 2.0]])
    draws = Draws.from_samples(np.array([[0, 0], [0, 1]]), samples)
    done = Imputation(np.array([[-1.0, -1.0]]), draws=draws).within(columns)
    assert done.values.tolist() == [[0.1, -1.0]]
    kept = done.draws.samples
    assert kept.dtype == draws.samples.dtype
    assert (kept[:, 0].astype(float) >= 0.1).all()
    assert (kept[:, 0].astype(float) <= 0.7).all()
    np.testing.assert_allclose(kept, [[0.1, -1.0], [0.3, 0.3], [0.7, 2.0]], atol=1e-6)
    assert (done.draws.lower[0], done.draws.upper[1]) == (0.1, draws.upper[1])


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
    bounded = table(columns=(Column("a", low=0.0), COLUMNS[1]))
    assert len({same, *(t.digest for t in (blank_at_the_source, renamed, split, shifted, bounded))}) == 6


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


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        (np.random.default_rng(0).normal(5, 1, (50, 2)), np.float32),
        (np.random.default_rng(0).normal(5, 1, (50, 2)) * [[1.0, np.nan]], np.float32),
        (1.7e9 + np.random.default_rng(0).normal(0, 60, (50, 2)), np.float64),
        (5.8e6 + np.random.default_rng(0).normal(0, 0.4, (50, 2)), np.float64),
        (1e50 * np.random.default_rng(0).normal(0, 1, (50, 2)), np.float64),
        (1e-50 * np.random.default_rng(0).normal(0, 1, (50, 2)), np.float64),
        (np.array([[2.0**24 + 1, 1.0], [-1e9 - 1, 2.0]]), np.float64),  # odd numbers stay odd
        (np.array([[2.0**24 + 2, 1.0], [-(2.0**23), 2.0]]), np.float32),
        (np.full((3, 2), 0.1), np.float64),
        (np.full((3, 2), 0.5), np.float32),
        (np.zeros((3, 0)), np.float32),
    ],
)
def test_draws_are_kept_in_float32_where_it_holds_them(samples, dtype):
    cells = np.array([[0, 0], [0, 1]])[: samples.shape[1]]
    kept = Draws.from_samples(cells, samples).samples
    assert kept.dtype == dtype
    np.testing.assert_array_equal(kept, samples.astype(dtype))


def test_a_column_of_draws_is_judged_by_its_own_spread():
    wide, narrow = np.random.default_rng(0).normal(0, 1e3, (50, 1)), np.random.default_rng(1).normal(5e3, 1e-2, (50, 1))
    apart = Draws.from_samples(np.array([[0, 0], [0, 1]]), np.hstack([wide, narrow]))
    assert apart.samples.dtype == np.float64
    together = Draws.from_samples(np.array([[0, 0], [1, 0]]), np.hstack([wide, narrow]))
    assert together.samples.dtype == np.float32
