"""Rows found again, against a dictionary of tuples, and rows made to collide under a hash."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lacuna.numerics.rows import RowLookup

BITS = np.uint64(0x7FF8000000000000)  # of the usual NaN
CELLS = st.sampled_from([0.0, -0.0, 1.0, 5e-324, math.inf, -math.inf, math.nan, -math.nan]) | st.floats(width=16)


def plain(row: np.ndarray) -> tuple[float | None, ...]:
    """Cells that compare as Python compares them, NaN as None."""
    return tuple(None if math.isnan(cell) else cell for cell in row.tolist())


@given(st.data(), array_shapes(min_dims=2, max_dims=2, max_side=12))
def test_rows_are_found_as_by_a_dictionary_of_tuples(data: st.DataObject, shape: tuple[int, int]) -> None:
    table = data.draw(arrays(np.float64, shape, elements=CELLS))
    rows = np.concatenate([data.draw(arrays(np.float64, (8, shape[1]), elements=CELLS)), table[::-1]])
    first: dict[tuple[float | None, ...], int] = {}
    for i, row in enumerate(table):
        first.setdefault(plain(row), i)
    found = RowLookup.of(table).find(rows)
    assert found.tolist() == [first.get(plain(row), -1) for row in rows]


def test_rows_of_one_hash_are_told_apart() -> None:
    """Second cells are chosen such that a multiplicative hash of the rows is the same for all of them."""

    def mixed(keys: np.ndarray) -> np.ndarray:
        keys = keys * np.uint64(0x9E3779B97F4A7C15)
        return keys ^ (keys >> np.uint64(29))

    left = np.random.default_rng(0).normal(size=500)
    right = (mixed(left.view(np.uint64)) ^ np.uint64(12345)).view(np.float64)
    table = np.column_stack([left, right])[np.isfinite(right)]
    keys = mixed(mixed(table[:, 0].view(np.uint64)) ^ table[:, 1].view(np.uint64))
    assert len(np.unique(keys)) == 1
    assert len(table) > 400
    np.testing.assert_array_equal(RowLookup.of(table).find(table), np.arange(len(table)))
    assert (RowLookup.of(table[::2]).find(table[1::2]) == -1).all()


def test_the_bits_of_a_nan_do_not_matter() -> None:
    odd = np.array([[BITS | np.uint64(7)]]).view(np.float64)
    assert RowLookup.of(odd).find(np.array([[math.nan], [1.0]])).tolist() == [0, -1]


def test_no_rows_are_nowhere() -> None:
    assert RowLookup.of(np.ones((2, 3))).find(np.empty((0, 3))).tolist() == []
