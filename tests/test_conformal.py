"""Conformal margins: coverage on cells that were never seen, for intervals that are wrong by themselves."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lacuna
from lacuna.conformal import FEWEST_CELLS, LEAST_SHARE, MOST_SHARE, Margins, hidden_again, interval_margins
from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.methods.mean_mode import MeanMode
from lacuna.types import Column, Draws, Imputation, Incomplete

COLUMNS = (Column("skewed"), Column("count", "integer"), Column("heavy"), Column("level", "categorical", ("a", "b")))


class Guess(Method):
    """Draws around the column median, with a spread that is wrong by a factor."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def _fit(self, train: Incomplete, seed: int) -> None:
        low, self.mean_, high = np.nanquantile(train.values, [0.25, 0.5, 0.75], axis=0)
        self.sd_ = high - low  # an sd of heavy tails is another one in every part of the rows

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        cells = np.argwhere(rows.hidden)
        noise = np.random.default_rng(0).normal(size=(draws, len(cells)))
        column = cells[:, 1]
        samples = self.mean_[column] + self.factor * self.sd_[column] * noise
        values = np.where(rows.observed, rows.values, np.where([c.discrete for c in rows.columns], 0.0, self.mean_))
        return Imputation(values, draws=Draws.from_samples(cells, samples))


def table(n: int = 3000, hidden: float = 0.3) -> tuple[np.ndarray, Incomplete]:
    rng = np.random.default_rng(0)
    complete = np.column_stack(
        [rng.lognormal(size=n), rng.poisson(3, n), rng.standard_t(2, n), rng.integers(2, size=n)]
    ).astype(float)
    observed = rng.random(complete.shape) > hidden
    return complete, Incomplete(COLUMNS, np.where(observed, complete, np.nan), observed)


def margins_of(method: Method, rows: Incomplete, alpha: float = 0.05) -> Margins:
    known = copy.deepcopy(method).fit(rows).impute(rows, 200).draws
    assert known is not None
    return interval_margins(copy.deepcopy(method), rows, known, alpha)


def coverage(method: Method, complete: np.ndarray, rows: Incomplete, alpha: float) -> list[float]:
    """Of the blanks of each column of numbers."""
    margins = margins_of(method, rows, alpha)
    draws = method.fit(rows).impute(rows, 200).draws
    assert draws is not None
    lower, upper = margins.widened(draws)
    assert (lower <= upper).all()
    row, column = draws.cells.T
    held = (lower <= complete[row, column]) & (complete[row, column] <= upper)
    return [float(held[column == j].mean()) for j, c in enumerate(rows.columns) if not c.discrete]


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_intervals_cover_whatever_their_width_was(factor: float) -> None:
    complete, rows = table(9000)
    margins = margins_of(Guess(factor), rows, 0.1)
    assert np.isnan(margins.share[3])
    assert (margins.share[:3] > 0).all() if factor < 1 else (margins.share[:3] < 0).all()
    assert (margins.n_cells[:3] > 0.9 * LEAST_SHARE * rows.observed[:, :3].sum(0)).all()
    for found in coverage(Guess(factor), complete, rows, 0.1):  # counts too, which come in lumps
        assert found == pytest.approx(0.9, abs=0.03)


def test_bounds_of_whole_numbers_are_whole_and_those_of_amounts_not_negative() -> None:
    _, rows = table(400)
    draws = Guess(3.0).fit(rows).impute(rows, 200).draws
    lower, upper = margins_of(Guess(3.0), rows).widened(draws)
    column = draws.cells[:, 1]
    assert (lower[column == 1] % 1 == 0).all()
    assert (upper[column == 1] % 1 == 0).all()
    assert lower[column < 2].min() == 0
    assert lower[column == 2].min() < 0
    bounded = (Column("skewed", low=0.5, high=2.0), *COLUMNS[1:])
    given = Incomplete(bounded, rows.values, rows.observed)
    lower, upper = margins_of(Guess(3.0), given).widened(Guess(3.0).fit(given).impute(given, 200).draws)
    assert (lower[column == 0].min(), upper[column == 0].max()) == (0.5, 2.0)


def test_a_mass_at_zero_does_not_widen_intervals() -> None:
    rng = np.random.default_rng(1)
    complete = np.where(rng.random((4000, 1)) < 0.5, 0.0, rng.lognormal(size=(4000, 1)))
    observed = rng.random(complete.shape) > 0.3
    rows = Incomplete((Column("spent"),), np.where(observed, complete, np.nan), observed)
    assert coverage(Resampled(), complete, rows, 0.1)[0] == pytest.approx(0.9, abs=0.03)


class Resampled(Method):
    """Draws of observed values, stretched: too wide."""

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.pool_ = train.values[train.observed[:, 0], 0]

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        cells = np.argwhere(rows.hidden)
        samples = 2 * np.random.default_rng(0).choice(self.pool_, (draws, len(cells)))
        values = np.where(rows.observed, rows.values, self.pool_.mean())
        return Imputation(values, draws=Draws.from_samples(cells, samples))


def test_a_column_with_one_value_is_left_alone() -> None:
    _, rows = table(60)
    observed = rows.observed.copy()
    observed[1:, 0], observed[0, 0] = False, True
    values = np.where(observed, rows.values, np.nan)
    values[0, 0] = 1.0
    margins = margins_of(Guess(1.0), Incomplete(COLUMNS, values, observed))
    assert np.isnan(margins.share[0])
    assert np.isfinite(margins.share[1])


@given(st.integers(2, 60), st.integers(1, 8), st.floats(0, 0.9), st.integers(0, 99))
def test_cells_are_hidden_again_in_every_column_and_spread_over_rows(n: int, d: int, rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    observed = rng.random((n, d)) >= rate
    observed[0] = True
    rows = Incomplete(tuple(Column(f"c{j}") for j in range(d)), np.where(observed, 1.0, np.nan), observed)
    again = hidden_again(rows, rng)
    assert not (again & ~observed).any()
    n_seen, n_again, n_blank = observed.sum(0), again.sum(0), (~observed).sum(0)
    assert (n_again[n_blank == 0] == 0).all()
    assert (n_again < n_seen).all()
    assert (n_again <= MOST_SHARE * n_seen).all()
    least = np.minimum(np.floor(MOST_SHARE * n_seen), FEWEST_CELLS)  # of a small table
    assert (n_again >= np.minimum(least, n_seen - 1))[n_blank > 0].all()


def test_no_row_is_hidden_again_twice_where_there_are_enough() -> None:
    rows = table(1000, hidden=0.1)[1]
    again = hidden_again(rows, np.random.default_rng(0))
    assert again.sum() > 350
    assert again.sum(1).max() == 1


def test_a_method_without_draws() -> None:
    with pytest.raises(UserError, match="MeanMode gives no draws"):
        interval_margins(MeanMode(), table(60)[1], Guess(1.0).fit(table(60)[1]).impute(table(60)[1], 9).draws)


def test_the_imputer_widens_narrows_and_remembers(tmp_path: Path) -> None:
    complete, rows = table(3000)
    frame = pd.DataFrame(rows.values, columns=[c.name for c in COLUMNS]).drop(columns="level")
    blank = frame.isna().to_numpy()
    imputer = lacuna.Imputer(Guess(0.2)).fit(frame)
    low, high = (bound.to_numpy() for bound in imputer.interval(frame, 0.1, n_draws=200))
    held = (low <= complete[:, :3]) & (complete[:, :3] <= high)
    assert [held[blank[:, j], j].mean() for j in range(3)] == pytest.approx([0.9] * 3, abs=0.04)
    raw_low, raw_high = (bound.to_numpy() for bound in imputer.set_params(calibrate=False).interval(frame, 0.1, 200))
    assert (raw_high - raw_low)[blank].mean() < 0.6 * (high - low)[blank].mean()
    imputer.set_params(calibrate=True).save(tmp_path / "imputer.lacuna")
    loaded = lacuna.load(tmp_path / "imputer.lacuna", trusted=[Guess])
    np.testing.assert_array_equal(loaded.interval(frame, 0.1, n_draws=200)[0], low)
    with pytest.warns(UserWarning, match="these intervals are quantiles of draws"):
        loaded.interval(frame, 0.3, n_draws=200)


class Doubled(Guess):
    """Gives intervals of four times the width where it has learned from fewer cells."""

    def _fit(self, train: Incomplete, seed: int) -> None:
        super()._fit(train, seed)
        self.sd_ = self.sd_ * (4 if train.observed.mean() < 0.68 else 1)


def test_what_is_wide_for_lack_of_cells_does_not_draw_intervals_in() -> None:
    complete, rows = table(3000)
    for found in coverage(Doubled(1.2), complete, rows, 0.1):
        assert found > 0.84


def test_a_method_of_values_that_hide_themselves_keeps_its_own_widths() -> None:
    _, rows = table(60)

    class Own(Guess):
        at_random = False

    frame = pd.DataFrame(rows.values[:, [0, 2]], columns=["a", "b"])
    asked = [lacuna.Imputer(Own(1.0), calibrate=c).fit(frame).interval(frame, 0.05, 200)[0] for c in (True, False)]
    pd.testing.assert_frame_equal(*asked)
