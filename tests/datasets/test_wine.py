from __future__ import annotations

import numpy as np

from lacuna.datasets.uci import standardised_table
from lacuna.datasets.wine import Wine
from lacuna.rng import stream


def test_wine_is_178_by_13_standardised_and_whole() -> None:
    table = Wine().load(stream(0, "dataset"), stream(0, "split"))
    assert table.values.shape == (178, 13)
    assert table.train_rows is None
    assert {c.kind for c in table.columns} == {"continuous"}
    assert table.columns[0].name == "alcohol"
    np.testing.assert_allclose(table.values.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose((table.values**2).mean(0), 1)  # population sd, not the sample's
    # alcohol of the first wine is 14.23; mean 13.0006 and population sd 0.8095 of the file
    np.testing.assert_allclose(table.values[0, 0], (14.23 - 13.000618) / 0.809543, atol=1e-5)


def test_a_constant_column_becomes_zero() -> None:
    table = standardised_table("t", np.array([[1.0, 5.0], [3.0, 5.0]]), ["a", "b"])
    np.testing.assert_array_equal(table.values, [[-1, 0], [1, 0]])
