"""Energy distance and log score of levels: closed forms, scipy, invariances, and propriety."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lacuna.errors import NothingToScore
from lacuna.metrics.distribution import energy_distance, log_score_levels
from lacuna.metrics.numeric import rmse_std_all
from lacuna.types import Answer, Column, Draws, Imputation

NAN = float("nan")


def pair(n: int, columns: tuple[Column, ...], seed: int = 0) -> tuple[Answer, Imputation]:
    """A table whose every first cell is hidden, and a guess."""
    rng = np.random.default_rng(seed)
    truth, guess = (
        np.column_stack([rng.integers(c.n_levels, size=n) if c.discrete else rng.normal(size=n) for c in columns])
        for _ in range(2)
    )
    hidden = np.zeros(truth.shape, bool)
    hidden[:, 0] = True
    guess[:, 1:] = truth[:, 1:]
    return Answer(columns, truth.astype(float), ~np.ones_like(hidden), hidden, np.ones(len(columns))), Imputation(guess)


@given(seed=st.integers(0, 2**32 - 1))
def test_of_one_column_it_is_that_of_scipy(seed: int):
    answer, done = pair(30, (Column("a"),), seed)
    scale = replace(answer, scale=np.array([4.0]))
    known = stats.energy_distance(answer.values[:, 0], done.values[:, 0])
    assert energy_distance(answer, done) == pytest.approx(known, rel=1e-9)
    assert energy_distance(scale, done) == pytest.approx(known / 2, rel=1e-9)


def test_levels_lie_one_apart_and_na_is_one_of_them():
    # truth: 0, 0, NA; guess: 0, 1, NA -> 2 E|X-Y| = 2 * 6/9, E|X-X'| = 4/9, E|Y-Y'| = 6/9
    column = Column("g", "categorical", ("x", "y"), mm_candidate=True)
    truth = np.array([[0.0], [0.0], [NAN]])
    answer = Answer((column,), truth, np.isnan(truth), ~np.isnan(truth), np.ones(1))
    done = Imputation(np.array([[0.0], [1.0], [1.0]]), np.array([[False], [False], [True]]))
    assert energy_distance(answer, done) == pytest.approx((2 / 9) ** 0.5)
    # a number and NA: distance sqrt(1 + x^2) from the mean of those that have one, here 0
    numbers = replace(answer, columns=(Column("a", mm_candidate=True),), values=np.array([[2.0], [2.0], [NAN]]))
    same = Imputation(np.array([[2.0], [2.0], [9.0]]), done.meaningful)
    assert energy_distance(numbers, same) == 0
    kept = replace(same, meaningful=None, values=np.array([[2.0], [2.0], [2.0]]))
    assert energy_distance(numbers, kept) == pytest.approx((2 * 3 / 9 - 4 / 9) ** 0.5)


def test_units_and_offsets_do_not_matter():
    columns = (Column("a"), Column("b"), Column("g", "categorical", ("x", "y")))
    answer, done = pair(40, columns)
    unit, offset = np.array([1e-12, 1e3, 1]), np.array([0, 1.7e9, 0])
    other = replace(answer, values=answer.values * unit + offset, scale=unit)
    moved = replace(done, values=done.values * unit + offset)
    assert energy_distance(other, moved) == pytest.approx(energy_distance(answer, done), rel=1e-5)


def test_draws_win_where_conditional_means_win_on_squared_error():
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    truth = np.column_stack([x + rng.normal(size=600), x])
    hidden = np.zeros((600, 2), bool)
    hidden[:, 0] = True
    answer = Answer((Column("y"), Column("x")), truth, np.zeros_like(hidden), hidden, truth.std(0))
    mean = Imputation(np.column_stack([x, x]))
    samples = x + rng.normal(size=(20, 600))
    one = Imputation(np.column_stack([samples[0], x]))
    drawn = Imputation(mean.values, draws=Draws.from_samples(np.argwhere(hidden), samples))
    independent = Imputation(np.column_stack([rng.permutation(truth[:, 0]), x]))  # the right margin, not jointly
    assert energy_distance(answer, drawn) < 0.5 * energy_distance(answer, mean)
    assert energy_distance(answer, drawn) < 0.5 * energy_distance(answer, independent)
    assert rmse_std_all(answer, mean) < rmse_std_all(answer, one)


def test_of_many_rows_the_same_choice_is_scored():
    answer, done = pair(1500, (Column("a"), Column("b")))
    assert energy_distance(answer, done) == energy_distance(answer, done)
    values = answer.values.copy()
    values[3:, 1] = NAN  # known in three rows
    assert energy_distance(replace(answer, values=values), done) == pytest.approx(
        energy_distance(*(replace(part, **_first(part, 3)) for part in (answer, done)))
    )
    with pytest.raises(NothingToScore, match="energy_distance"):
        energy_distance(replace(answer, ordinary=np.zeros_like(answer.ordinary)), done)


def _first(part: Answer | Imputation, n: int) -> dict[str, np.ndarray]:
    return {
        key: getattr(part, key)[:n]
        for key in ("values", "meaningful", "ordinary")
        if getattr(part, key, None) is not None
    }


def test_log_score_by_hand():
    columns = (Column("g", "categorical", ("x", "y", "z")), Column("h", "categorical", (0, 1), mm_candidate=True))
    truth = np.array([[2.0, NAN], [1.0, 1.0]])
    meaningful = np.isnan(truth)
    answer = Answer(columns, truth, meaningful, ~meaningful, np.ones(2))
    samples = np.array([[2, 0, 0, 1], [2, 0, 0, 1], [2, 1, 0, 0], [1, 1, 0, 0]])  # in row order
    chance = np.array([[0, 0.75], [0, 0.25]])
    draws = Draws.from_samples(np.argwhere(np.ones((2, 2), bool)), samples)
    done = Imputation(np.zeros((2, 2)), meaningful_probability=chance, draws=draws)
    # four draws and half a draw for each of three states (levels, or levels and NA)
    shares = [3, 4 * 0.75, 0, 4 * 0.5 * 0.75]
    expected = -np.mean(np.log([(share + 0.5) / 5.5 for share in shares]))
    assert log_score_levels(answer, done) == pytest.approx(expected)
    untold = -np.mean(np.log([3.5 / 5.5, 0.5 / 5.5, 0.5 / 5.5, 2.5 / 5.5]))  # it tells no NA
    assert log_score_levels(answer, replace(done, meaningful_probability=None)) == pytest.approx(untold)
    assert log_score_levels(answer, replace(done, draws=None)) is None


def test_log_score_is_proper():
    rng, p = np.random.default_rng(0), np.array([0.6, 0.3, 0.1])
    truth = rng.choice(3, size=(500, 1), p=p).astype(float)
    cells = np.argwhere(np.ones((500, 1), bool))
    answer = Answer((Column("g", "categorical", ("x", "y", "z")),), truth, truth < 0, truth >= 0, np.ones(1))

    def of(law: list[float]) -> float:
        samples = rng.choice(3, size=(200, 500), p=law)
        return log_score_levels(answer, Imputation(truth, draws=Draws.from_samples(cells, samples)))

    right = of([0.6, 0.3, 0.1])
    assert right == pytest.approx(-(p * np.log(p)).sum(), abs=0.08)
    assert right < min(of([1, 0, 0]), of([0.8, 0.15, 0.05]), of([1 / 3] * 3))
