"""Which blanks are filled, by whom, and by what they are predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lacuna
from lacuna.errors import UserError
from lacuna.methods.apart import Apart
from lacuna.methods.base import Method
from lacuna.methods.boosting import BoostedTrees
from lacuna.types import Column, Draws, Imputation, Incomplete


class FromAll(Method):
    """The sum of the means of all columns that it sees; says which these are."""

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.sum_ = float(np.nanmean(train.values, axis=0).sum())

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        cells = np.argwhere(rows.hidden)
        samples = self.sum_ + 0.1 * cells[:, 1] + np.arange(draws)[:, None]
        values = np.where(rows.observed, rows.values, self.sum_)
        flags = rows.hidden & rows.candidates
        return Imputation(values, flags, flags * 0.5, Draws.from_samples(cells, samples) if draws else None)


def table() -> pd.DataFrame:
    return pd.DataFrame({"a": [1.0, None, 1.0], "b": [None, 10.0, 10.0], "c": [100.0, 100.0, None]})


def mask() -> np.ndarray:
    return np.array([[True, True, True], [False, True, True], [True, True, True]])


@pytest.mark.parametrize(
    ("options", "filled"),
    [
        ({}, "abc"),
        ({"where": ["a", "c"]}, "ac"),
        ({"where": "b"}, "b"),
        ({"predict_only": ["b"]}, "ac"),
        ({"where": pd.Index(["a", "b"]), "predict_only": "a"}, "b"),
        ({"where": mask()}, "bc"),
        ({"where": pd.DataFrame(mask(), columns=list("abc"))}, "bc"),
    ],
)
def test_only_what_is_asked_for_is_filled_and_all_is_used(options: dict[str, Any], filled: str) -> None:
    frame = table()
    imputer = lacuna.Imputer(FromAll(), calibrate=False, **options).fit(frame)
    completed = [imputer.transform(frame), *imputer.draws(frame, 2), *imputer.interval(frame, n_draws=5)]
    for done in completed:
        for name in "abc":
            assert done[name].isna().any() == (name not in filled)
            assert done[name][frame[name].notna()].equals(frame[name].dropna())
    if "a" in filled:
        assert completed[0]["a"][1] == 111
    assert lacuna.Imputer(FromAll(), **options).fit_transform(frame).equals(completed[0])


def test_positions_in_an_array() -> None:
    rows = table().to_numpy()
    done = lacuna.Imputer(FromAll(), where=[0], impute_only=[2]).fit_transform(rows)
    assert done[1, 0] == 11  # the third column predicts nothing
    assert np.isnan(done[0, 1])
    assert np.isnan(done[2, 2])


def test_columns_that_predict_nothing() -> None:
    frame = table()
    imputer = lacuna.Imputer(FromAll(), impute_only=["b", "c"], calibrate=False, mm_candidates="b").fit(frame)
    done = imputer.method_.impute(imputer._train.incomplete, 3)
    assert done.values[1, 0] == 1  # a from a
    assert done.values[0, 1] == 11  # b from a and b
    assert done.values[2, 2] == 101  # c from a and c
    assert done.meaningful.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert done.draws.cells.tolist() == [[0, 1], [1, 0], [2, 2]]
    np.testing.assert_allclose(done.draws.samples, np.array([11.1, 1.0, 101.1]) + np.arange(3)[:, None], rtol=1e-6)
    np.testing.assert_allclose(done.draws.mean, [12.1, 2.0, 102.1])


def test_they_are_imputed_as_well_as_before_and_help_nobody() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    values = np.column_stack([x, x + 0.1 * rng.normal(size=400), rng.normal(size=400)])
    hidden = rng.random(values.shape) < 0.2
    columns = (Column("x"), Column("copy"), Column("noise"))
    rows = Incomplete(columns, np.where(hidden, np.nan, values), ~hidden)

    def error(method: Method, j: int) -> float:
        done = method.fit(rows).impute(rows).values
        return float(np.sqrt(np.mean((done - values)[hidden[:, j], j] ** 2)))

    boosting, apart = BoostedTrees(rounds=20), Apart(BoostedTrees(rounds=20), ["copy"])
    assert error(apart, 1) == error(boosting, 1)
    assert error(apart, 0) > 1.5 * error(boosting, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": ["z"]}, "where: there is no column 'z'"),
        ({"predict_only": "z"}, "predict_only: there is no column 'z'"),
        ({"impute_only": "z"}, "impute_only: there is no column 'z'"),
        ({"impute_only": ["a", "b", "c"]}, "impute_only names every column"),
        ({"where": mask()[:2]}, r"where is a mask of shape \(2, 3\): the table has shape \(3, 3\)"),
    ],
)
def test_mistakes_are_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        lacuna.Imputer(FromAll(), **options).fit_transform(table())
