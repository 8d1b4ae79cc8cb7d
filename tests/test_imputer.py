"""lacuna.Imputer: scikit-learn's conventions, DataFrames in and out, saved models."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
from omegaconf import OmegaConf
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

import lacuna
from lacuna import paths
from lacuna.errors import MissingPackage, UserError
from lacuna.imputer import make_method
from lacuna.methods.base import Method
from lacuna.methods.mean_mode import MeanMode
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete

Imputer = lacuna.Imputer


class Normal(Method):
    """Draws of a normal around the column's mean, or the first level; candidates are meant with a chance."""

    def __init__(self, chance: float = 0.7) -> None:
        self.chance = chance

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.means_, self.seed_ = np.nanmean(train.values, axis=0), seed

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        discrete = np.array([c.discrete for c in rows.columns])
        values = np.broadcast_to(np.where(discrete, 0.0, self.means_), rows.values.shape)
        chance = self.chance * (rows.hidden & rows.candidates)
        samples = None
        if draws:
            rng = stream(self.seed_, "impute")
            noise = rng.normal(size=(draws, *values.shape)) * ~discrete
            cells = np.argwhere(rows.hidden)
            samples = Draws.from_samples(cells, (values + noise)[:, rows.hidden])
        return Imputation(values, chance > 0.5, chance, samples)


def people(n: int = 40) -> pd.DataFrame:
    """Mixed dtypes, blanks everywhere, an index with repeated labels."""
    rng = stream(0, "people")
    frame = pd.DataFrame(
        {
            "age": pd.array(rng.integers(20, 60, n), dtype="Int64"),
            "income": rng.normal(3000, 500, n).round(2),
            "city": pd.Categorical(rng.choice(["Bonn", "Ulm"], n)),
            "member": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "word": rng.choice(["a", "b", "c"], n),
            "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "name": [f"person {i}" for i in range(n)],
        },
        index=pd.Index(np.arange(n) // 2, name="household"),
    )
    for column in frame.columns.drop("name"):
        frame.loc[rng.random(n) < 0.2, column] = None
    return frame


# No check is exempt. scikit-learn skips check_array_api_input itself unless SCIPY_ARRAY_API is set.
@parametrize_with_checks([Imputer(), Imputer(mm_candidates=[0]), Imputer("mean_mode")])
def test_scikit_learn_conventions(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_mixed_frame_comes_back_as_it_was_but_for_its_blanks() -> None:
    frame = people()
    before = frame.copy(deep=True)
    done = Imputer("mean_mode").fit_transform(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert done.notna().all(axis=None)
    assert done.dtypes.equals(frame.dtypes)
    assert done.index.equals(frame.index)
    assert done.index.name == "household"
    pd.testing.assert_frame_equal(done.where(frame.notna()), frame, check_dtype=False)
    assert done["income"][frame["income"].isna()].tolist() == pytest.approx(
        [frame["income"].mean()] * frame["income"].isna().sum()
    )
    assert (done["word"][frame["word"].isna()] == frame["word"].mode()[0]).all()
    assert set(done["age"][frame["age"].isna()]) == {round(frame["age"].mean())}


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_product([range(10), ["x", "y"], [0, 1]], names=["block", "side", "turn"]),
        pd.DatetimeIndex(["2024-02-29"] * 40),
        pd.Index([None] * 40),
        pd.Index(np.linspace(0, 1, 40)),
    ],
    ids=["multi", "one moment", "none", "floats"],
)
def test_any_index_comes_back(index: pd.Index) -> None:
    frame = people().set_index(index)
    imputer = Imputer("mean_mode", mm_candidates=["city"])
    done = imputer.fit_transform(frame)
    pd.testing.assert_index_equal(done.index, index)
    pd.testing.assert_frame_equal(imputer.transform(frame[::-1]), done[::-1])
    assert done["income"].to_numpy() == pytest.approx(imputer.transform(people())["income"].to_numpy())


@pytest.mark.parametrize(
    "labels",
    [
        [7, 3, 5],
        ["a", 1, None],
        ["a", ("b", "c"), "d"],
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
        pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]),
    ],
    ids=["numbers", "kinds", "tuple", "levels", "dates"],
)
def test_any_column_labels_come_back(labels: Any) -> None:
    frame = people()[["age", "income", "city"]].set_axis(labels, axis=1)
    imputer = Imputer("always_na", mm_candidates=[frame.columns[1]])
    done = imputer.fit_transform(frame)
    pd.testing.assert_index_equal(done.columns, frame.columns)
    assert done.isna().to_numpy().any(0).tolist() == [False, True, False]
    pd.testing.assert_frame_equal(imputer.transform(frame[:9]), done[:9])
    pd.testing.assert_index_equal(imputer.meaningful_.columns, frame.columns)
    with pytest.raises(ValueError, match=r"column|feature"):
        imputer.transform(frame[frame.columns[::-1]])


def test_flagged_cells_stay_na_and_are_told() -> None:
    frame = people()
    imputer = Imputer("always_na", mm_candidates=["income", "city"])
    done = imputer.fit_transform(frame)
    kept = frame.isna() & [name in ("income", "city") for name in frame.columns]
    pd.testing.assert_frame_equal(done.isna(), kept)
    pd.testing.assert_frame_equal(imputer.meaningful_, kept)
    pd.testing.assert_frame_equal(imputer.predict_meaningful(frame[:7]), kept[:7])
    pd.testing.assert_frame_equal(imputer.predict_meaningful_proba(frame[:7]), kept[:7].astype(float))
    assert done.dtypes.equals(frame.dtypes)


def test_arrays_in_arrays_out() -> None:
    rows = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, 1.0], [np.nan, 4.0, 0.0]], dtype=np.float32)
    imputer = Imputer("always_na", mm_candidates=[2], schema={1: "integer"})
    done = imputer.fit_transform(rows)
    np.testing.assert_array_equal(done, [[1, 2, np.nan], [3, 3, 1], [2, 4, 0]])
    assert done.dtype == np.float32
    assert imputer.meaningful_.tolist() == [[False, False, True], [False] * 3, [False] * 3]
    assert imputer.predict_meaningful(rows[:1]).tolist() == [[False, False, True]]
    assert [c.kind for c in imputer.codec_.columns] == ["continuous", "integer", "continuous"]


def test_transform_learns_nothing_from_new_rows() -> None:
    imputer = Imputer("mean_mode").fit(pd.DataFrame({"a": [1.0, 3.0]}))
    assert imputer.transform(pd.DataFrame({"a": [100.0, None]}))["a"].tolist() == [100.0, 2.0]
    assert imputer.transform(pd.DataFrame({"a": [None]}, dtype=float))["a"].tolist() == [2.0]
    assert imputer.transform(pd.DataFrame({"a": [None]}, dtype="Int64"))["a"].tolist() == [2]
    assert imputer.transform(pd.DataFrame({"a": []}, dtype=float)).shape == (0, 1)


def test_frames_and_arrays_may_follow_each_other() -> None:
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        done = Imputer("mean_mode").fit(pd.DataFrame({"a": [1.0, 3.0]})).transform(np.array([[np.nan]]))
    assert done.tolist() == [[2.0]]
    with pytest.warns(UserWarning, match="X has feature names"):
        frame = Imputer("mean_mode").fit([[1.0], [3.0]]).transform(pd.DataFrame({"a": [None]}, dtype=float))
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"a": [2.0]}))


def test_draws_complete_the_table_several_times() -> None:
    frame = people().assign(income=lambda table: table["income"] / 10)  # of a scale that a method sees as it is
    imputer = Imputer(Normal(), mm_candidates=["income", "word"]).fit(frame)
    many = imputer.draws(frame, 200)
    assert len(many) == 200
    assert all(one.dtypes.equals(frame.dtypes) for one in many)
    pd.testing.assert_frame_equal(many[3].where(frame.notna()), frame, check_dtype=False)
    blank = frame["income"].isna().to_numpy()
    income = np.stack([one["income"].to_numpy()[blank] for one in many])
    assert np.isnan(income).mean() == pytest.approx(0.7, abs=0.05)
    assert np.nanstd(income, axis=0).mean() == pytest.approx(1, abs=0.15)
    assert not pd.isna(np.stack([one["age"] for one in many])).any()
    again = imputer.draws(frame, 200)
    pd.testing.assert_frame_equal(again[7], many[7])
    array = Imputer(Normal()).fit([[1.0], [np.nan]]).draws([[np.nan], [2.0]], 3)
    assert array.shape == (3, 2, 1)
    assert (array[:, 1] == 2).all()


def test_draws_of_whole_numbers_are_whole() -> None:
    frame = pd.DataFrame({"children": [0.0, 1.0, None, 3.0] * 10, "pay": [1.5, 2.0, 3.0, None] * 10})
    draws = Imputer(Normal()).fit(frame).draws(frame, 20)
    children, pay = (np.concatenate([one[name] for one in draws]) for name in frame)
    assert (children % 1 == 0).all()
    assert len(set(children)) > 4
    assert (pay % 1 != 0).any()
    array = Imputer(Normal()).fit(frame.to_numpy()).draws(frame.to_numpy(), 20)
    assert (array[..., 0] % 1 != 0).any()


def test_intervals_bound_the_blanks() -> None:
    frame = people().assign(income=lambda table: table["income"] / 10)  # of a scale that a method sees as it is
    imputer = Imputer(Normal(), mm_candidates=["word"], calibrate=False).fit(frame)
    mean, age, born = frame["income"].mean(), frame["age"].mean(), frame["born"].mean()
    for alpha, z in ((0.05, 1.96), (0.5, 0.674)):
        lower, upper = imputer.interval(frame, alpha, n_draws=4000)
        blank = frame["income"].isna()
        assert lower["income"][blank].mean() == pytest.approx(mean - z, abs=0.05)
        assert upper["income"][blank].mean() == pytest.approx(mean + z, abs=0.05)
        for bound in (lower, upper):
            assert bound.dtypes.equals(frame.dtypes)
            assert bound["word"].isna().equals(frame["word"].isna())  # no order, and meant
            assert bound["member"].isna().equals(frame["member"].isna())
            pd.testing.assert_series_equal(bound["income"][~blank], frame["income"][~blank])
    lower, upper = imputer.interval(frame, 0.05, n_draws=4000)
    blank = frame["age"].isna()
    assert set(lower["age"][blank]) == {int(np.floor(age - 1.96))}
    assert set(upper["age"][blank]) == {int(np.ceil(age + 1.96))}
    assert (lower["born"] <= upper["born"])[frame["born"].isna()].all()
    # dates that spread by more than 100 days: a method sees them standardised, and stays within what was observed
    assert lower["born"][frame["born"].isna()].iloc[0] == max(frame["born"].min(), born - 1.96 * frame["born"].std())


def test_a_category_of_new_rows() -> None:
    imputer = Imputer("mean_mode").fit(pd.DataFrame({"c": pd.Categorical(["u", "v", "v"])}))
    rows = pd.DataFrame({"c": pd.Categorical(["w", "u", None])}, index=[5, 5, 5])
    with pytest.raises(UserError, match="column 'c' holds a category that fit has not seen, such as 'w'"):
        imputer.transform(rows)
    imputer.set_params(unknown="as_missing")
    assert imputer.transform(rows)["c"].tolist() == ["v", "u", "v"]
    assert imputer.transform(rows).index.tolist() == [5, 5, 5]
    flagging = Imputer("always_na", mm_candidates=["c"], unknown="as_missing").fit(rows.iloc[1:])
    assert flagging.transform(rows)["c"].isna().tolist() == [True, False, True]


def test_in_pipelines_clones_containers_and_cross_validation() -> None:
    frame = people(200).drop(columns=["name", "born"]).astype({"age": float, "member": float})
    label = (frame["income"].fillna(3000) > 3000).astype(int)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        remainder="passthrough",
    )
    imputer = Imputer("mean_mode", schema={"age": "integer"})
    pipeline = make_pipeline(imputer, encode, LogisticRegression(max_iter=5000))
    assert cross_val_score(pipeline, frame, label, error_score="raise").mean() > 0.8
    copied = clone(Imputer(MeanMode(), mm_candidates=["a"], random_state=3))
    assert copied.get_params()["mm_candidates"] == ["a"]
    assert isinstance(copied.method, MeanMode)
    named = Imputer("mean_mode").set_output(transform="pandas").fit_transform(np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert named.columns.tolist() == ["x0", "x1"]
    assert imputer.fit(frame).get_feature_names_out().tolist() == frame.columns.tolist()


def test_a_transform_of_all_blank_or_constant_columns() -> None:
    with pytest.raises(UserError, match="column 'void' has no observed value"):
        Imputer("mean_mode").fit(pd.DataFrame({"a": [1.0], "void": [np.nan]}))
    with pytest.raises(UserError, match="two columns are called 'a'"):
        Imputer("mean_mode").fit(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))
    kept = Imputer("mean_mode", schema={"void": "ignore"})
    frame = pd.DataFrame({"a": [1.0, None], "void": [np.nan, np.nan], "same": ["x", None]})
    done = kept.fit_transform(frame)
    assert done["void"].isna().all()
    assert done["same"].tolist() == ["x", "x"]


def typed_columns() -> pl.DataFrame:
    """A frame of polars with a blank in the second row of every column, of most types."""
    days, moments = [date(2020, 1, 1), None, date(2020, 1, 3)], [datetime(2020, 1, 1, 5), None, datetime(2020, 1, 3, 1)]
    frame = pl.DataFrame(
        {
            "whole": [1, None, 3],
            "small": pl.Series([1, None, 3], dtype=pl.UInt8),
            "real": pl.Series([1.5, None, 2.0], dtype=pl.Float32),
            "price": pl.Series([Decimal("1.50"), None, Decimal("2.50")], dtype=pl.Decimal(10, 2)),
            "yes": [True, None, True],
            "word": ["b", None, "b"],
            "kind": pl.Series(["x", None, "x"], dtype=pl.Categorical),
            "one": pl.Series(["v", None, "v"], dtype=pl.Enum(["u", "v"])),
            "day": days,
            "at": moments,
            "there": pl.Series(moments).dt.replace_time_zone("Europe/Berlin"),
            "took": [timedelta(hours=1), None, timedelta(hours=3)],
        }
    )
    return pl.concat([frame] * 3)


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_frames_of_other_libraries_come_back_as_such(kind: str) -> None:
    given = typed_columns() if kind == "polars" else typed_columns().to_arrow()
    imputer = Imputer("always_na", mm_candidates=["word"]).fit(given)
    done = imputer.fit_transform(given)
    assert type(done) is type(given)
    assert done.schema == given.schema
    frame, cells = typed_columns(), pl.DataFrame(done)
    assert cells.null_count().row(0) == tuple(3 * (name == "word") for name in frame.columns)
    assert cells[0].equals(frame[0])
    assert cells[1].drop("word", "there").row(0) == (
        *(2, 2, 1.75, Decimal("2.00"), True, "x", "v", date(2020, 1, 2), datetime(2020, 1, 2, 3)),
        timedelta(hours=2),
    )
    assert cells["there"][1].isoformat() == "2020-01-02T03:00:00+01:00"
    again = imputer.transform(given[:3] if kind == "polars" else given.slice(0, 3))
    assert pl.DataFrame(again).equals(cells[:3])
    assert pl.DataFrame(imputer.meaningful_)["word"].to_list() == [False, True, False] * 3
    pandas = imputer.transform(pl.DataFrame(given).to_pandas(use_pyarrow_extension_array=True))
    assert isinstance(pandas, pd.DataFrame)


def test_a_lazy_frame_and_objects_are_one_line() -> None:
    with pytest.raises(UserError, match=r"a lazy frame \(LazyFrame\) has no rows yet: collect it first"):
        Imputer("mean_mode").fit(typed_columns().lazy())
    for other in (typed_columns().to_arrow().to_batches()[0], typed_columns()["whole"], {"a": [1.0, 2.0]}):
        with pytest.raises(UserError, match=f"a {type(other).__name__} is not a frame that can be completed"):
            Imputer("mean_mode").fit(other)
    with pytest.raises(UserError, match="a masked array of <U1 is not a table of numbers"):
        Imputer("mean_mode").fit(np.ma.masked_equal([["a"], ["b"]], "b"))


def test_masked_cells_of_an_array_are_blank() -> None:
    rows = np.ma.masked_equal([[1, -9], [3, 4], [5, 8]], -9)
    np.testing.assert_array_equal(Imputer("mean_mode").fit_transform(rows), [[1, 6], [3, 4], [5, 8]])


@pytest.mark.parametrize(
    "given",
    [
        pd.Index(["income", "city"]),
        np.array(["income", "city"]),
        pd.Series(["income", "city"]),
        ("income", "city"),
        {"income", "city"},
        "income",
    ],
    ids=lambda given: type(given).__name__,
)
def test_candidates_in_any_list(given: Any, tmp_path: Path) -> None:
    frame = people()
    imputer = Imputer("always_na", mm_candidates=given).fit(frame)
    want = {"income"} if isinstance(given, str) else {"income", "city"}
    assert {column.name for column in imputer.codec_.columns if column.mm_candidate} == want
    imputer.save(tmp_path / "x")
    pd.testing.assert_frame_equal(lacuna.load(tmp_path / "x").transform(frame), imputer.transform(frame))


def test_candidates_by_tuple_position_and_slice() -> None:
    frame = people()[["age", "income", "city"]]
    tuples = frame.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]), axis=1)
    for given in (("a", 2), [("a", 2)], tuples.columns[1:2]):
        codec = Imputer("always_na", mm_candidates=given).fit(tuples).codec_
        assert [column.mm_candidate for column in codec.columns] == [False, True, False]
    for position in (1, [1], np.array([1])):
        codec = Imputer("always_na", mm_candidates=position).fit(np.ones((3, 2))).codec_
        assert [column.mm_candidate for column in codec.columns] == [False, True]


def test_na_values_are_blank_and_dtypes_stay() -> None:
    frame = pd.DataFrame({"age": [20, -999, 40], "pay": [1.5, 2.5, -999.0], "word": ["a", "a", "?"]})
    done = Imputer("mean_mode", na_values=[-999, "?"]).fit_transform(frame)
    pd.testing.assert_frame_equal(done, pd.DataFrame({"age": [20, 30, 40], "pay": [1.5, 2.5, 2.0], "word": ["a"] * 3}))
    kept = Imputer("always_na", mm_candidates="age", na_values={"age": -999})
    assert kept.fit_transform(frame)["age"].tolist() == [20, pd.NA, 40]
    assert kept.transform(frame)["pay"].tolist() == [1.5, 2.5, -999.0]
    array = Imputer("mean_mode", na_values={1: 9}).fit_transform(np.array([[9.0, 9.0], [1.0, 5.0]]))
    np.testing.assert_array_equal(array, [[9, 5], [1, 5]])
    with pytest.warns(UserWarning, match="column 'x0' holds 99 in 2 cells, which looks like a code"):
        Imputer("mean_mode").fit(np.array([[1.0], [2], [3], [99], [99]]))
    with pytest.warns(UserWarning, match="na_values: no cell is '-998'"):
        Imputer("mean_mode", na_values=-998).fit(frame)


def test_what_is_left_out_or_looks_odd_is_warned_of() -> None:
    n = 40
    frame = pd.DataFrame(
        {
            "patient": 100_000 + np.arange(n),
            "likert": [1, 2, 3, 99] * (n // 4),
            "score": [1.0, None, 3.0, 4.0] * (n // 4),
            "name": [f"n{i}" for i in range(n)],
        }
    )
    with pytest.warns(UserWarning, match="column|model") as caught:
        imputer = Imputer("mean_mode").fit(frame)
    assert [c.name for c in imputer.codec_.columns] == ["likert", "score"]
    said = [str(warning.message) for warning in caught]
    assert said[0].startswith("column 'likert' holds 99 in 10 cells, which looks like a code")
    assert "as identifiers: 'patient'; schema={'patient': 'integer'} would model 'patient'" in said[1]
    assert "as text with nearly no repeats: 'name'" in said[2]
    done = imputer.transform(frame)
    assert set(done["score"]) == {1.0, 3.0, 4.0}  # whole numbers stay so
    assert done["score"].dtype == float
    asked = Imputer("mean_mode", schema={"score": "continuous", "patient": "integer"}).fit(frame)
    assert len(asked.codec_.columns) == 3
    assert asked.transform(frame)["score"][1] == pytest.approx(8 / 3)


class Refuses(MeanMode):
    def unsupported(self, problem: Any) -> str:
        return "it is of no use"


class NeedsLaw(MeanMode):
    needs_law: ClassVar[bool] = True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "mean_mod"}, r"unknown method 'mean_mod': did you mean 'mean_mode'\?"),
        ({"method": 3}, "method must be the id of a method or a Method, got 3"),
        ({"method": "mean_mode", "method_options": {"beta": 1}}, r"unknown key 'method\.beta'"),
        ({"method": MeanMode(), "method_options": {"beta": 1}}, "set them in the constructor"),
        ({"method": Refuses()}, "Refuses cannot serve this table: it is of no use"),
        ({"method": NeedsLaw()}, "NeedsLaw needs the law of the data"),
        ({"method": "mean_mode", "unknown": "ignore"}, "unknown must be 'error' or 'as_missing'"),
        ({"method": "mean_mode", "mm_candidates": ["b"]}, "mm_candidates: there is no column 'b'"),
        ({"method": "mean_mode", "random_state": -1}, "random_state must not be negative"),
        ({"method": "mean_mode", "budget": "huge"}, "unknown budget 'huge'"),
        ({"method": "mean_mode", "device": "tpu"}, "tpu"),
    ],
)
def test_bad_options_are_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Imputer(**options).fit(pd.DataFrame({"a": [1.0, None]}))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_what_a_method_does_not_tell_is_an_error_not_a_guess() -> None:
    rows = np.array([[1.0], [np.nan]])
    imputer = Imputer("mean_mode").fit(rows)
    with pytest.raises(UserError, match="mean_mode does not tell meaningful blanks"):
        imputer.predict_meaningful(rows)
    with pytest.raises(UserError, match="mean_mode gives no probabilities"):
        imputer.predict_meaningful_proba(rows)
    with pytest.raises(UserError, match="mean_mode gives no draws"):
        imputer.draws(rows)
    with pytest.raises(UserError, match="mean_mode gives no draws"):
        imputer.interval(rows)
    with pytest.raises(UserError, match="alpha must lie in"):
        imputer.interval(rows, 5)
    with pytest.raises(UserError, match="m must be at least 1"):
        imputer.draws(rows, 0)
    assert not hasattr(imputer, "meaningful_")
    assert not hasattr(Imputer("always_na"), "meaningful_")
    assert imputer.diagnostics_ == {}


def test_blanks_that_mean_something_are_kept_and_the_others_filled() -> None:
    """A low reading is NA by its nature where the switch is off; one in ten of all cells is lost besides."""
    rng = stream(0, "switch")
    n = 2000
    switch = rng.random(n) < 0.3
    whole = pd.DataFrame({"switch": np.where(switch, "off", "on"), "reading": rng.normal(10, 1, n)})
    whole["twin"] = whole["reading"] + rng.normal(0, 0.1, n)
    whole.loc[switch, "reading"] = np.nan
    lost = rng.random(whole.shape) < 0.1
    frame = whole.mask(lost)
    imputer = Imputer(mm_candidates=["reading"])
    done = imputer.fit_transform(frame)
    seen_off = (frame["switch"] == "off") & frame["reading"].isna()
    seen_on = (frame["switch"] == "on") & frame["reading"].isna()
    assert imputer.meaningful_["reading"][seen_off].mean() > 0.97
    assert imputer.meaningful_["reading"][seen_on].mean() < 0.08
    assert imputer.predict_meaningful_proba(frame)["reading"][seen_off].mean() > 0.95
    error = (done["reading"] - whole["reading"])[seen_on & frame["twin"].notna()]
    assert np.sqrt((error**2).mean()) < 0.3
    assert done[["switch", "twin"]].notna().all(axis=None)
    assert imputer.diagnostics_["columns"]["reading"]["meaningful_rate"] == pytest.approx(0.3, abs=0.05)


def test_options_and_bases_by_id() -> None:
    rows = pd.DataFrame({"a": [1.0, 2.0, 3.0] * 20, "b": ["u", "v", None] * 20})
    imputer = Imputer(mm_candidates=["b"], method_options={"base": "mean_mode", "folds": 2}).fit(rows)
    assert type(imputer.method_.base) is MeanMode
    assert imputer.method_.posterior.boosting.folds == 2


def test_the_method_given_is_not_fitted_itself() -> None:
    method = MeanMode()
    Imputer(method).fit([[1.0], [2.0]])
    assert not hasattr(method, "columns_")


def test_random_state() -> None:
    seeds = {Imputer("mean_mode", random_state=None).fit([[1.0]]).seed_ for _ in range(3)}
    assert len(seeds) == 3
    assert Imputer("mean_mode", random_state=7).fit([[1.0]]).seed_ == 7
    state = np.random.RandomState(0)
    assert Imputer("mean_mode", random_state=state).fit([[1.0]]).seed_ == np.random.RandomState(0).randint(2**31 - 1)


FRESH = """
import sys
import pandas as pd
import lacuna
rows = pd.read_pickle(sys.argv[1])
for path in sys.argv[2:]:
    lacuna.load(path).transform(rows).to_pickle(path + ".done")
"""
TINY: Any = OmegaConf.load(Path(__file__).parent / "tiny.yaml")


def small_imputers(folder: Path) -> dict[str, Any]:
    """Every method of conf/ that can serve a table without a law, made small; what they need lies in ``folder``."""
    names = people().columns
    embeddings = np.random.default_rng(0).normal(size=(len(names), 8))
    np.savez(folder / "embeddings.npz", names=np.array(names, str), embeddings=embeddings)
    imputers = {}
    for method in sorted(path.stem for path in (paths.CONF / "method").glob("*.yaml")):
        overrides = OmegaConf.from_dotlist([str(o) for o in TINY.method.get(method, [])])
        options = OmegaConf.to_container(overrides).get("method", {})  # type: ignore[union-attr]
        if method == "cacti":
            options["column_embeddings"] = str(folder / "embeddings.npz")
        try:
            needs_law = make_method(method, "quick", "cpu").needs_law
        except MissingPackage:  # the conformance suite says where that may be
            continue
        if not needs_law:
            imputers[method] = Imputer(
                method, mm_candidates=["income", "city"], budget="quick", device="cpu", method_options=options
            )
    return imputers


def test_saved_imputers_give_the_same_in_a_fresh_process(tmp_path: Path) -> None:
    frame = people()
    rows = frame[::-1]
    rows.to_pickle(tmp_path / "rows")
    want = {}
    for method, imputer in small_imputers(tmp_path).items():
        want[method] = imputer.fit(frame).transform(rows)
        imputer.save(tmp_path / method)
        loaded = lacuna.load(tmp_path / method)
        assert loaded.get_params().keys() == imputer.get_params().keys()
        assert not hasattr(loaded, "meaningful_")
        assert loaded.get_feature_names_out().tolist() == frame.columns.tolist()
    subprocess.run([sys.executable, "-c", FRESH, tmp_path / "rows", *(tmp_path / m for m in want)], check=True)
    for method, done in want.items():
        pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / f"{method}.done"), done, obj=method)


def test_saving_before_fit_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        Imputer("mean_mode").save(tmp_path / "x")


def test_a_method_of_the_users_own_can_be_saved(tmp_path: Path) -> None:
    imputer = Imputer(Normal()).fit([[1.0], [3.0]])
    imputer.save(tmp_path / "x")
    with pytest.raises(UserError, match="not trusted"):
        lacuna.load(tmp_path / "x")
    assert lacuna.load(tmp_path / "x", trusted=[Normal]).transform([[np.nan]]).tolist() == [[2.0]]


def test_import_lacuna_is_light() -> None:
    program = "import sys, lacuna; assert 'sklearn' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


# --- values far from zero ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "far"),
    [
        ("seconds", lambda x: pd.Series(1.7e9 + 60 * x)),
        ("time", lambda x: pd.Series(pd.Timestamp("2024-03-01 12:00") + pd.to_timedelta(60 * x, unit="s"))),
        ("northing", lambda x: pd.Series(5_800_000 + 0.4 * x)),
        ("odd", lambda x: pd.Series((16_777_217 + 2 * np.round(200 * x)).astype("int64")).astype("Int64")),
    ],
)
@pytest.mark.parametrize("method", ["boosting", "ice"])
def test_draws_and_intervals_of_values_far_from_zero_keep_their_spread(method, name, far):
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    truth, hidden = far(x), rng.random(300) < 0.2
    df = pd.DataFrame({"x": x + 0.05 * rng.normal(size=300), name: truth.mask(hidden)})
    imputer = Imputer(method).fit(df)
    drawn = imputer.draws(df, 5)
    cells = pd.concat([one[name][hidden] for one in drawn])
    if name == "odd":
        assert (cells % 2).nunique() == 2  # float32 has only even numbers there
    else:
        assert cells.nunique() > 0.75 * len(cells)
    for one in drawn:
        pd.testing.assert_series_equal(one[name][~hidden], df[name][~hidden])
    low, high = imputer.interval(df, 0.05, 100)
    inside = ((low[name] <= truth) & (truth <= high[name]))[hidden]
    assert 0.85 < inside.mean() <= 1
    assert (low[name] < high[name])[hidden].all()
