"""Conformal margins: coverage on cells that were never seen, for intervals that are wrong by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.conformal import interval_margins, with_margins
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
        values = np.where(rows.observed, rows.values, np.where([c.discrete for c in COLUMNS], 0.0, self.mean_))
        return Imputation(values, draws=Draws.from_samples(cells, samples))


def table(n: int = 3000) -> tuple[np.ndarray, Incomplete]:
    rng = np.random.default_rng(0)
    complete = np.column_stack(
        [rng.lognormal(size=n), rng.poisson(3, n), rng.standard_t(2, n), rng.integers(2, size=n)]
    ).astype(float)
    observed = rng.random(complete.shape) > 0.3
    return complete, Incomplete(COLUMNS, np.where(observed, complete, np.nan), observed)


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_intervals_cover_whatever_their_width_was(factor: float) -> None:
    complete, rows = table()
    margins = interval_margins(Guess(factor), rows, alpha=0.1, share=0.3)
    assert np.isnan(margins[3])
    assert (margins[:3] > 0).all() if factor < 1 else (margins[:3] < 0).all()
    draws = Guess(factor).fit(rows).impute(rows, 200).draws
    draws = with_margins(Draws.from_samples(draws.cells, draws.samples, 0.1), margins)
    assert (draws.lower <= draws.upper).all()
    row, column = draws.cells.T
    held = (draws.lower <= complete[row, column]) & (complete[row, column] <= draws.upper)
    for j in (0, 2):
        assert held[column == j].mean() == pytest.approx(0.9, abs=0.03)
    assert held[column == 1].mean() >= 0.87  # counts: whole ones come in lumps


def test_a_column_with_one_value_is_left_alone() -> None:
    _, rows = table(60)
    observed = rows.observed.copy()
    observed[1:, 0], observed[0, 0] = False, True
    values = np.where(observed, rows.values, np.nan)
    values[0, 0] = 1.0
    margins = interval_margins(Guess(1.0), Incomplete(COLUMNS, values, observed), share=0.9)
    assert np.isnan(margins[0])
    assert np.isfinite(margins[1])


def test_a_method_without_draws() -> None:
    with pytest.raises(UserError, match="MeanMode gives no draws"):
        interval_margins(MeanMode(), table(60)[1])
