"""Columns of any scale, as methods see them; and that no answer depends on the units of a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lacuna.imputer import make_method
from lacuna.rng import stream
from lacuna.types import Column, Draws, Imputation, Incomplete
from lacuna.units import FARTHEST, LARGEST_SD, SMALLEST_SD, Units, shift_and_scale

CLOSED = np.zeros((2, 1), bool)


def one(cells: list[float] | np.ndarray, kind: Any = "continuous") -> Incomplete:
    values = np.asarray(cells, dtype=np.float64)[:, None]
    return Incomplete((Column("x", kind),), values, ~np.isnan(values))


def test_columns_within_range_stay_as_they_are():
    assert Units.fit(one([0.0, 2 * LARGEST_SD])) is None
    assert Units.fit(one([0.0, 2 * SMALLEST_SD])) is None
    assert Units.fit(one([FARTHEST - 1, FARTHEST + 1])) is None
    assert Units.fit(one([0.0, 0.0, np.nan])) is None
    assert Units.fit(one([0.25, 0.25])) is None  # float32 holds it
    levels = Incomplete(
        (Column("k", "categorical", tuple(range(10_000))),), np.array([[0.0], [9999]]), np.ones((2, 1), bool)
    )
    assert Units.fit(levels) is None


@pytest.mark.parametrize("cells", [[0.0, 201.0], [0.0, 0.0199], [1000.0, 1001.9], [0.1, 0.1], [1e300, -1e300]])
def test_columns_out_of_range_have_mean_0_or_sd_1_inside(cells: list[float]):
    rows = one(cells)
    units = Units.fit(rows)
    assert units is not None
    inside = units.encode(rows)
    if units.scale[0] != 1:
        assert inside.values.std() == pytest.approx(1)
    if units.shift[0]:
        assert inside.values.mean() == pytest.approx(0, abs=1e-9)
    assert Units.fit(inside) is None  # once is enough
    np.testing.assert_allclose(units.decode(Imputation(inside.values), CLOSED).values, rows.values, rtol=1e-15)


def test_an_unchanged_column_beside_a_changed_one_keeps_its_bits():
    values = np.column_stack([stream(0, "x").normal(size=50), 1e9 * stream(0, "y").normal(size=50)])
    rows = Incomplete((Column("a"), Column("b")), values, np.ones(values.shape, bool))
    units = Units.fit(rows)
    assert units is not None
    np.testing.assert_array_equal(units.encode(rows).values[:, 0], values[:, 0])


@given(st.lists(st.integers(-(2**50), 2**50), min_size=2, max_size=20))
def test_whole_numbers_come_back_exactly_and_within_what_was_seen(numbers: list[int]):
    rows = one(np.array(numbers), "integer")
    units = Units.fit(rows)
    assume(units is not None)
    assert units is not None
    inside = units.encode(rows)
    if inside.columns[0].kind == "integer":
        np.testing.assert_array_equal(inside.values, np.round(inside.values))
    np.testing.assert_array_equal(units.decode(Imputation(inside.values), CLOSED).values, rows.values)
    if units.rounded[0]:
        beyond = Imputation(inside.values + 7.3)
        assert units.decode(beyond, CLOSED).values.max() == max(numbers)
        open_above = units.decode(beyond, np.array([[False], [True]])).values
        assert open_above.max() > max(numbers)
        np.testing.assert_array_equal(open_above, np.round(open_above))


def test_draws_come_back_in_the_given_units():
    rows = one([1.7e9, 1.7e9 + 2, np.nan])
    units = Units.fit(rows)
    assert units is not None
    cells = np.array([[2, 0]])
    inside = Draws.from_samples(cells, np.array([[-1.0], [0.25], [1.0]], np.float32), alpha=0.5)
    draws = units.decode(Imputation(np.zeros((3, 1)), draws=inside), CLOSED).draws
    assert draws is not None
    assert draws.samples is not None
    assert draws.samples.dtype == np.float64
    centre = 1.7e9 + 1
    np.testing.assert_array_equal(draws.samples[:, 0] - centre, [-1.0, 0.25, 1.0])
    np.testing.assert_allclose(draws.sd, inside.sd)
    np.testing.assert_allclose(draws.mean - centre, inside.mean, atol=1e-6)
    np.testing.assert_allclose([draws.lower[0] - centre, draws.upper[0] - centre], [inside.lower[0], inside.upper[0]])
    summary = Draws(cells, inside.mean, inside.sd, inside.lower, inside.upper, 0.5)
    kept = units.decode(Imputation(np.zeros((3, 1)), draws=summary), CLOSED).draws
    assert kept is not None
    assert kept.samples is None


def test_one_value_far_from_zero_is_taken_off():
    assert shift_and_scale(np.array([1.7e9 + 1, 1.7e9 + 1]), whole=True) == (1.7e9 + 1, 1.0)
    assert shift_and_scale(np.array([1e39]), whole=False) == (1e39, 1.0)


# --- what no answer depends on --------------------------------------------------------------------------------------


def standard_table() -> Incomplete:
    """80 rows of four related numbers, of which the observed have mean 0 and sd 1."""
    rng = stream(0, "units")
    latent = rng.normal(size=(80, 1))
    values = latent + 0.4 * rng.normal(size=(80, 4))
    values[rng.random(values.shape) < 0.2] = np.nan
    values = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    return Incomplete(tuple(Column(f"x{j}") for j in range(4)), values, ~np.isnan(values))


OPTIONS: dict[str, dict[str, Any]] = {
    "mean_mode": {},
    "median": {},
    "knn": {},
    "ice": {"rounds": 3, "samples": 2},
    "boosting": {"rounds": 10},
    "selective": {},
    "selection": {"mean": "linear", "sweeps": 2},
    "ot": {"iterations": 5, "samples": 2},
    "gain": {"iterations": 5},
}
DRAWN = ("ice", "boosting", "selective", "selection")


def completed(name: str, rows: Incomplete) -> Imputation:
    method = make_method(name, "quick", "cpu", OPTIONS[name]).fit(rows, seed=1)
    return method.impute(rows, 5 if name in DRAWN else 0)


@pytest.fixture(scope="module")
def known() -> dict[str, Imputation]:
    return {name: completed(name, standard_table()) for name in OPTIONS}


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=6, deadline=None)
@given(
    exponent=st.one_of(st.floats(-12, -3), st.just(0.0), st.floats(3, 12)),
    distance=st.one_of(st.just(0.0), st.floats(2e3, 1e6), st.floats(-1e6, -2e3)),
)
def test_imputations_and_draws_change_with_the_units_and_no_further(
    known: dict[str, Imputation], name: str, exponent: float, distance: float
):
    table = standard_table()
    factor = np.array([10**exponent, 1.0, 10**-exponent, 1.0])
    offset = np.array([distance * 10**exponent, 0.0, 0.0, distance])
    done = completed(name, Incomplete(table.columns, table.values * factor + offset, table.observed))
    np.testing.assert_allclose((done.values - offset) / factor, known[name].values, atol=1e-6)
    if name in DRAWN:
        draws, before = done.draws, known[name].draws
        assert draws is not None
        assert before is not None
        assert draws.samples is not None
        shift, scale = offset[draws.cells[:, 1]], factor[draws.cells[:, 1]]
        for found, expected in (
            (draws.mean, before.mean),
            (draws.lower, before.lower),
            (draws.upper, before.upper),
        ):
            np.testing.assert_allclose((found - shift) / scale, expected, atol=2e-6)
        # in float32 where that rounds by less than a thousandth of their sd
        np.testing.assert_allclose((draws.samples - shift) / scale, before.samples, atol=1e-3)
        np.testing.assert_allclose(draws.sd / scale, before.sd, atol=2e-6)


def test_bounds_go_with_their_column_to_another_scale_and_back():
    values = np.array([[1e6], [3e6], [2e6], [np.nan]])
    columns = (Column("x", "integer", low=1_000_000, high=5_000_000),)
    rows = Incomplete(columns, values, ~np.isnan(values))
    units = Units.fit(rows)
    seen = units.encode(rows)
    np.testing.assert_allclose(seen.columns[0].bounds, (np.array(columns[0].bounds) - units.shift) / units.scale)
    far = np.where(np.isnan(seen.values), 1e9, seen.values)
    assert units.decode(Imputation(far), np.ones((2, 1), bool)).within(columns).values[3, 0] == 5_000_000


@pytest.mark.parametrize("method", ["mean_mode", "ice", "chained"])
def test_methods_keep_to_given_bounds(method: str):
    values = np.random.default_rng(0).normal(size=(40, 2))
    values[:9, 0] = np.nan
    rows = Incomplete((Column("x", low=1.0, high=1.5), Column("y")), values, ~np.isnan(values))
    fitted = make_method(method).fit(rows)
    done = fitted.impute(rows, 0 if method == "mean_mode" else 3)
    assert ((done.values[:9, 0] >= 1) & (done.values[:9, 0] <= 1.5)).all()
    assert done.draws is None or ((done.draws.samples >= 1) & (done.draws.samples <= 1.5)).all()
