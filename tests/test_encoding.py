from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lacuna.encoding import AnalogBits, Encoder, UnitScale
from lacuna.types import Column, Incomplete

COLUMNS = (Column("x"), Column("n", "integer"), Column("k", "categorical", ("a", "b", "c")), Column("one"))


def table(seed: int, n: int = 40, hide: float = 0.3) -> tuple[np.ndarray, Incomplete]:
    rng = np.random.default_rng(seed)
    values = np.stack([rng.normal(50, 7, n), rng.integers(-3, 9, n), rng.integers(0, 3, n), np.full(n, 4.0)], axis=1)
    observed = rng.random(values.shape) > hide
    observed[0] = True
    return values, Incomplete(COLUMNS, np.where(observed, values, np.nan), observed)


@given(st.integers(0, 1000))
def test_decoding_undoes_encoding(seed):
    _, rows = table(seed)
    encoder = Encoder.fit(rows, scale=0.5)
    decoded = encoder.decode(torch.from_numpy(encoder.encode(rows.values))).numpy()
    np.testing.assert_allclose(decoded[rows.observed], rows.values[rows.observed], rtol=1e-5, atol=1e-5)


def test_observed_cells_are_standardised_and_scaled():
    _, rows = table(0, n=400)
    encoder = Encoder.fit(rows, scale=0.5)
    encoded = encoder.encode(rows.values)
    seen = rows.observed[:, encoder.column_of]
    for coordinate in range(encoder.width - 1):
        cells = encoded[seen[:, coordinate], coordinate]
        np.testing.assert_allclose([cells.mean(), cells.std()], [0, 0.5], atol=1e-4)
    assert encoder.width == 6
    assert encoder.column_of.tolist() == [0, 1, 2, 2, 2, 3]
    assert (encoded[~seen] == 0).all()


def test_integers_stay_in_the_observed_range():
    _, rows = table(1)
    encoder = Encoder.fit(rows)
    decoded = encoder.decode(torch.full((2, encoder.width), 1e6)).numpy()
    assert decoded[0, 1] == np.nanmax(rows.values[:, 1])


def test_large_numbers_keep_their_last_digit():
    """Seconds since 1970 do not fit float32; decoding happens in float64."""
    values = 1.7e9 + np.arange(100.0)[:, None]
    rows = Incomplete((Column("t", "integer"),), values, np.ones_like(values, bool))
    encoder = Encoder.fit(rows)
    decoded = encoder.decode(torch.from_numpy(encoder.encode(values))).numpy()
    np.testing.assert_array_equal(decoded, values)


def test_a_column_seen_with_one_value_always_has_it():
    values = np.array([[1.0, 7.5], [2.0, np.nan], [3.0, 7.5]])
    encoder = Encoder.fit(Incomplete((Column("x"), Column("one")), values, ~np.isnan(values)))
    assert encoder.decode(torch.ones(4, 2))[:, 1].tolist() == [7.5] * 4


def test_unit_scale_spreads_columns_over_0_1_and_rounds_what_is_whole():
    columns = (Column("x"), Column("i", "integer"), Column("c", "categorical", ("a", "b", "c")), Column("one"))
    values = np.array([[1.0, 2, 0, 7], [3.0, 8, 2, np.nan], [np.nan, 4, np.nan, 7]])
    scale = UnitScale.fit(Incomplete(columns, values, ~np.isnan(values)))
    encoded = scale.encode(values)
    np.testing.assert_allclose(encoded, [[0, 0, 0, 0], [1, 1, 1, 0], [0, 1 / 3, 0, 0]], atol=1e-6)
    seen = ~np.isnan(values)
    np.testing.assert_allclose(scale.decode(encoded)[seen], values[seen], rtol=1e-6)
    np.testing.assert_allclose(scale.decode(np.array([0.3, 0.3, 0.3, 0.3])), [1.6, 4, 1, 7])


def test_analog_bits_come_back_and_unknown_codes_become_the_last_level():
    columns = (Column("c", "categorical", tuple("abcde")), Column("x"), Column("one level", "categorical", ("a",)))
    values = np.array([[0, 1.0, 0], [4, 3.0, 0], [3, 8.0, np.nan]])
    bits = AnalogBits.fit(Incomplete(columns, values, ~np.isnan(values)))
    encoded = bits.encode(values)
    assert bits.width == 5
    np.testing.assert_array_equal(bits.column_of, [0, 0, 0, 1, 2])
    np.testing.assert_array_equal(encoded[:, :3], [[-1, -1, -1], [-1, -1, 1], [1, 1, -1]])
    assert encoded[:, 3].mean() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.array(bits.limits)[:, :4], [encoded[:, :4].min(0), encoded[:, :4].max(0)])
    back = bits.decode(torch.from_numpy(encoded)).numpy()
    np.testing.assert_allclose(back[:, :2], values[:, :2], rtol=1e-6)
    assert (back[:, 2] == 0).all()
    assert bits.decode(torch.ones(5))[0] == 4
