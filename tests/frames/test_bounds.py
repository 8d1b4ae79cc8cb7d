"""Bounds and whole numbers of a schema: read, checked against observed cells, kept by whatever is imputed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lacuna
from lacuna.datasets.csv import CSV
from lacuna.errors import UserError
from lacuna.frames.codec import FrameCodec
from lacuna.methods.base import Method
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete


def people() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, 80).astype(float),
            "pay": rng.lognormal(3, 1, 80),
            "since": pd.Timestamp("2020-03-01") + pd.to_timedelta(rng.integers(0, 300, 80), unit="D"),
            "town": rng.choice(["Bonn", "Ulm"], 80),
        }
    )
    return frame.mask(rng.random(frame.shape) < 0.25)


def test_bounds_in_the_units_of_each_column() -> None:
    schema = {"age": {"min": 0, "max": 120.5, "whole": True}, "pay": {"min": 0}, "since": {"max": "2021-01-01"}}
    age, pay, since, town = FrameCodec.infer(people(), schema).columns
    assert (age.kind, age.bounds) == ("integer", (0, 120))
    assert pay.bounds == (0, np.inf)
    assert since.bounds == (-np.inf, (pd.Timestamp("2021-01-01") - pd.Timestamp(0)).days)
    assert not town.bounded
    huge = FrameCodec.infer(people()[["pay"]] * 1e200, {"pay": {"max": 1e300}})
    assert huge.columns[0].high * huge.units[0] == 1e300
    rough = FrameCodec.infer(people(), {"age": {"whole": False}}).columns[0]
    assert (rough.kind, rough.bounded) == ("continuous", False)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"age": {"max": 60}},
            "column 'age' holds [0-9]+, above its max of 60, in [0-9]+ cells: change",
        ),
        ({"since": {"min": "2020-06-01"}}, "column 'since' holds 2020-0.-.., below its min of 2020-06-01"),
        ({"age": {"min": 5, "max": 2}}, "column 'age': min 5 is above max 2"),
        ({"town": {"min": 5}}, "column 'town' has levels: min and max go with numbers and dates"),
        ({"town": {"kind": "categorical", "max": 5}}, "column 'town' is categorical: min and max go with"),
        ({"age": {"max": "many"}}, "column 'age': a bound must be a number, got 'many'"),
        ({"since": {"max": "soon"}}, "column 'since': a bound must be a date, got 'soon'"),
        ({"town": {"kind": "categorical", "whole": True}}, "column 'town': whole: true or false goes with numbers"),
        ({"pay": {"whole": True}}, "column 'pay' cannot be integer: it holds"),
    ],
)
def test_mistakes_are_one_line(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^schema: {message}") as caught:
        FrameCodec.infer(people(), schema)
    assert "\n" not in str(caught.value)


class Wild(Method):
    """Draws around the mean, far beyond what was observed."""

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.mean_, self.sd_ = np.nanmean(train.values, axis=0), np.nanstd(train.values, axis=0)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        cells = np.argwhere(rows.hidden)
        levels = np.array([c.discrete for c in rows.columns])
        values = np.where(rows.observed, rows.values, np.where(levels, 0, self.mean_ - 3 * self.sd_))
        noise = np.random.default_rng(0).normal(size=(draws, len(cells)))
        samples = np.where(levels[cells[:, 1]], 0, self.mean_[cells[:, 1]] + 5 * self.sd_[cells[:, 1]] * noise)
        return Imputation(values, draws=Draws.from_samples(cells, samples) if draws else None)


def test_points_draws_and_intervals_of_any_method_keep_to_them() -> None:
    frame = people()
    bounds = {"age": (10, 95), "pay": (0.0, 500.0), "since": (pd.Timestamp("2020-01-01"), pd.Timestamp("2021-02-01"))}
    schema = {name: {"min": low, "max": high} for name, (low, high) in bounds.items()}
    imputer = lacuna.Imputer(Wild(), schema=schema).fit(frame)
    for done in (imputer.transform(frame), *imputer.draws(frame, 20), *imputer.interval(frame, n_draws=100)):
        for name, (low, high) in bounds.items():
            assert done[name].between(low, high).all()
        assert (done["age"] % 1 == 0).all()  # a float column whose observed values are whole
    warnings = imputer.method_.impute(imputer._train.incomplete, 50).diagnostics["warnings"]
    assert any(text.endswith("method=chained draws within bounds") and "'age'" in text for text in warnings)
    free = lacuna.Imputer(Wild()).fit(frame).transform(frame)
    assert (free["age"] < 10).any()


def test_a_file_takes_bounds_too(tmp_path) -> None:
    people().to_csv(tmp_path / "in.csv", index=False)
    table = CSV(str(tmp_path / "in.csv"), schema="{age: {min: 0, max: 120, whole: true}, since: {min: 2020-01-01}}")
    columns = table.load(stream(0, "dataset"), stream(0, "split")).columns
    assert columns[0].bounds == (0, 120)
    assert columns[2].bounds[0] == 18_262
