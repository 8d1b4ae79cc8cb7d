"""Tipping points against the closed form of a mean, whose shift is the share of blanks times delta times the sd."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lacuna
from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.types import Draws, Imputation, Incomplete

SHARE = 0.4


class Shifted(Method):
    """Normal draws around mean plus delta sds; a level by its log-odds plus delta."""

    def __init__(self, delta: dict[str, Any]) -> None:
        self.delta = delta

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.mean_, self.sd_ = np.nanmean(train.values, axis=0), np.nanstd(train.values, axis=0)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        cells, rng = np.argwhere(rows.hidden), np.random.default_rng(1)
        column = cells[:, 1]
        delta = np.array([self.delta.get(c.name, 0.0) for c in rows.columns])
        noise = rng.normal(size=(draws, len(cells)))
        samples = self.mean_[column] + self.sd_[column] * (delta[column] + noise)
        odds = self.mean_ / np.maximum(1 - self.mean_, 1e-9) * np.exp(delta)
        discrete = np.array([c.discrete for c in rows.columns])[column]
        drawn = rng.random((draws, len(cells))) < (odds / (1 + odds))[column]
        samples = np.where(discrete, drawn, samples)
        values = np.where(rows.observed, rows.values, 0.0)
        return Imputation(values, draws=Draws.from_samples(cells, samples) if draws else None)


def table(center: float = 0.3, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(center, 1.0, n), "x": rng.normal(size=n)})
    frame.loc[: int(SHARE * n) - 1, "y"] = None
    return frame


def mean(done: pd.DataFrame) -> tuple[float, float]:
    return done["y"].mean(), done["y"].var() / len(done)


def test_the_mean_moves_by_the_share_of_blanks_and_tips_where_it_must() -> None:
    frame, deltas = table(), [-1.5, -1.0, -0.5, 0.5, 1.0]
    found = lacuna.tipping_point(frame, "y", mean, deltas=deltas, m=10, method=Shifted)
    assert found.table.index.tolist() == sorted([*deltas, 0.0])
    sd = frame["y"].std(ddof=0)
    moved = found.table["estimate"] - found.table.loc[0.0, "estimate"]
    np.testing.assert_allclose(moved, SHARE * sd * found.table.index.to_numpy(), rtol=1e-6)
    # the bound's own path: the estimate less t times its standard error
    fine = lacuna.tipping_point(frame, "y", mean, deltas=np.linspace(-1.5, 0, 61), m=10, method=Shifted)
    crossing = fine.table.index[fine.table["low"] > 0].min()
    assert found.below == pytest.approx(crossing, abs=0.05)
    assert fine.below == pytest.approx(found.below, abs=0.03)
    assert np.isnan(found.above)
    at = lacuna.tipping_point(frame, "y", mean, deltas=[fine.below], m=10, method=Shifted).table.loc[fine.below]
    assert at["low"] == pytest.approx(0, abs=2e-3)
    assert at["p"] == pytest.approx(0.05, abs=2e-3)
    assert f"changes at a delta of {found.below:+.2f} sds" in repr(found)


@pytest.mark.parametrize(("center", "sign"), [(0.0, 0), (0.5, 1), (-0.5, -1)])
def test_sides(center: float, sign: int) -> None:
    found = lacuna.tipping_point(table(center), "y", mean, deltas=[-1, 1], m=5, method=Shifted)
    tips = found.below, found.above
    low, high = found.table["low"], found.table["high"]
    if sign == 0:  # becomes below 0, and above 0
        assert -1 < tips[0] < 0 < tips[1] < 1
        assert high[-1.0] < 0 < low[1.0]
    elif sign == 1:
        assert np.isnan(tips[1])
        assert np.isnan(tips[0]) == (low[-1.0] > 0)
    else:
        assert np.isnan(tips[0])
    other = lacuna.tipping_point(table(center), "y", mean, deltas=[-1, 1], m=5, null=center, method=Shifted)
    assert not np.isnan([other.below, other.above]).any()


def test_log_odds_of_a_level() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"ill": rng.choice(["no", "yes"], 600), "x": rng.normal(size=600)})
    frame.loc[:299, "ill"] = None

    def share(done: pd.DataFrame) -> tuple[float, float]:
        p = (done["ill"] == "yes").mean()
        return p, p * (1 - p) / len(done)

    found = lacuna.tipping_point(frame, "ill", share, deltas=[1.0], null=0.4, m=20, method=Shifted)
    p = (frame["ill"][300:] == "yes").mean()
    odds = np.e * p / (1 - p)
    assert found.table.loc[1.0, "estimate"] == pytest.approx((p + odds / (1 + odds)) / 2, abs=0.01)
    assert found.unit == "log-odds"


def test_fits_and_the_picture() -> None:
    def regression(done: pd.DataFrame) -> SimpleNamespace:
        x = np.column_stack([np.ones(len(done)), done["x"]])
        beta, (rss,), _, _ = np.linalg.lstsq(x, done["y"], rcond=None)
        covariance = rss / (len(done) - 2) * np.linalg.inv(x.T @ x)
        return SimpleNamespace(params=pd.Series(beta, ["one", "x"]), cov_params=lambda: covariance)

    with pytest.raises(UserError, match=r"several parameters: name one of \['one', 'x'\]"):
        lacuna.tipping_point(table(), "y", regression, deltas=[1], m=2, method=Shifted)
    with pytest.raises(UserError, match="has no parameter 'z'"):
        lacuna.tipping_point(table(), "y", regression, parameter="z", deltas=[1], m=2, method=Shifted)
    found = lacuna.tipping_point(table(), "y", regression, parameter="one", deltas=[-2, -1], m=4, method=Shifted)
    (axis,) = found.figure().axes
    assert axis.get_xlabel() == "delta of y (sds)"
    assert axis.get_ylabel() == "one"
    assert len(axis.texts) == 1


def test_mistakes_are_one_line() -> None:
    with pytest.raises(UserError, match=r"there is no column 'z': there are \['y', 'x'\]"):
        lacuna.tipping_point(table(), "z", mean)
    with pytest.raises(UserError, match="column 'x' has no blank"):
        lacuna.tipping_point(table(), "x", mean)


@pytest.mark.slow
def test_chained_moves_by_the_same() -> None:
    frame = table(n=300)
    options = {"chains": 2, "sweeps": 4}
    found = lacuna.tipping_point(frame, "y", mean, deltas=[-0.5, 0.5], m=10, method_options=options)
    sd = frame["y"].std()
    moved = found.table["estimate"] - found.table.loc[0.0, "estimate"]
    np.testing.assert_allclose(moved, SHARE * sd * found.table.index.to_numpy(), atol=0.06)
