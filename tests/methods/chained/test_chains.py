"""Chains side by side, and bounds of what they draw."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.methods.chained import Chained, chains
from lacuna.types import Column, Imputation, Incomplete


def rows(values: np.ndarray, **bounds: float) -> Incomplete:
    """The last column has the bounds."""
    columns = (*(Column(f"x{j}") for j in range(values.shape[1] - 1)), Column("last", **bounds))
    return Incomplete(columns, values, ~np.isnan(values))


def shifted(center: float) -> np.ndarray:
    """A predictor, and a column around ``center`` of which the predictor's high values are blank."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = center + 0.5 * x + 0.7 * rng.normal(size=200)
    y[(x > 1) | (x < -1)] = np.nan
    return np.column_stack([x, y])


@pytest.mark.slow
def test_workers_give_the_same_chains(monkeypatch: pytest.MonkeyPatch):
    values = shifted(0)

    def done() -> Imputation:
        return Chained(chains=3, sweeps=3).fit(rows(values)).impute(rows(values), 5)

    one_by_one = done()
    monkeypatch.setattr(chains, "WORTH_WORKERS", 0.0)
    side_by_side = done()
    np.testing.assert_array_equal(one_by_one.values, side_by_side.values)
    np.testing.assert_array_equal(one_by_one.draws.samples, side_by_side.draws.samples)


def test_draws_keep_given_bounds_without_piling_up_there():
    values = shifted(0)
    low, high = np.nanmin(values[:, 1]) - 0.1, np.nanmax(values[:, 1]) + 0.1
    asked = rows(values, low=low, high=high)
    drawn = Chained(chains=2, sweeps=2).fit(asked).impute(asked, 20).draws.samples
    assert ((drawn >= low) & (drawn <= high)).all()
    free = Chained(chains=2, sweeps=2).fit(rows(values)).impute(rows(values), 20).draws.samples
    assert ((free < low) | (free > high)).any()
    assert ((drawn <= low) | (drawn >= high)).mean() < 0.01


@pytest.mark.parametrize("sign", [1, -1])
def test_where_no_number_is_below_zero_none_is_drawn(sign: int):
    values = shifted(1.2)
    values[:, 1] = np.where(values[:, 1] < 0.1, np.nan, sign * values[:, 1])
    drawn = Chained(chains=2, sweeps=2).fit(rows(values)).impute(rows(values), 20).draws.samples
    assert (sign * drawn >= 0).all()
    moved = values - [0, sign * 1.0]
    drawn = Chained(chains=2, sweeps=2).fit(rows(moved)).impute(rows(moved), 20).draws.samples
    assert (sign * drawn < -1).any()
