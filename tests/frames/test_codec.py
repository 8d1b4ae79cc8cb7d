"""DataFrames through the codec: what is observed never changes, what is filled has the column's type."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.errors import UserError
from lacuna.frames.codec import FrameCodec
from lacuna.frames.inference import Reading

DAY = datetime.date(2020, 1, 1)


def filled(frame: pd.DataFrame, codec: FrameCodec) -> pd.DataFrame:
    """Every blank filled with the first observed value of its column."""
    values = codec.encode(frame)
    hidden = np.isnan(values)
    first = values[(~hidden).argmax(0), np.arange(values.shape[1])]
    return codec.complete(frame, hidden, np.where(hidden, first, values))


def with_blank(cells: list, position: int = 1) -> list:
    return [None if i == position else cell for i, cell in enumerate(cells)]


def days(n: int) -> list[datetime.date]:
    return [DAY + datetime.timedelta(days=i) for i in range(n)]


def arrow(cells: list, kind: pyarrow.DataType) -> pd.api.extensions.ExtensionArray:
    return pd.array(cells, dtype=pd.ArrowDtype(kind))


LETTERS = list("bacb")
# one blank each; the kind that the column must get
COLUMNS = {
    "float64": (np.array([1.5, np.nan, 2.0, 3.0]), "continuous"),
    "float32": (np.array([1.5, np.nan, 2.0, 3.0], dtype=np.float32), "continuous"),
    "whole floats": (np.array([1.0, np.nan, 2.0, 3.0]), "integer"),
    "Int8": (pd.array(with_blank([1, 2, 3, 120]), dtype="Int8"), "integer"),
    "UInt16": (pd.array(with_blank([1, 2, 3, 65_535]), dtype="UInt16"), "integer"),
    "Int64 beyond float": (pd.array(with_blank([2**60, 2, 3, 2**63 - 1]), dtype="Int64"), "integer"),
    "Float32": (pd.array(with_blank([1.5, 2, 3, 4]), dtype="Float32"), "continuous"),
    "boolean": (pd.array(with_blank([True, False, False, True]), dtype="boolean"), "categorical"),
    "objects: bool": (np.array(with_blank([True, False, False, True]), dtype=object), "categorical"),
    "objects: int": (np.array(with_blank([1, 2, 3, 4]), dtype=object), "integer"),
    "objects: text": (np.array(with_blank(LETTERS), dtype=object), "categorical"),
    "objects: mixed": (np.array(with_blank([1, "a", "b", 2.5]), dtype=object), "categorical"),
    "objects: Decimal": (np.array(with_blank([Decimal("1.50")] * 4), dtype=object), "continuous"),
    "objects: date": (np.array(with_blank(days(4)), dtype=object), "integer"),
    "str": (pd.array(with_blank(LETTERS), dtype="str"), "categorical"),
    "string": (pd.array(with_blank(LETTERS), dtype="string"), "categorical"),
    "category": (pd.Categorical(with_blank(LETTERS), categories=list("zcba"), ordered=True), "categorical"),
    "category of int": (pd.Categorical(with_blank([3, 1, 2, 3])), "categorical"),
    "datetime, days": (pd.array(with_blank(days(4)), dtype="datetime64[ns]"), "integer"),
    "datetime, s": (pd.DatetimeIndex(with_blank(["2020-01-01 10:00:01"] * 4)).array, "continuous"),
    "datetime, zone": (
        pd.DatetimeIndex(with_blank(["2020-01-01 10:00"] * 4), tz="Europe/Berlin").array,
        "continuous",
    ),
    "timedelta": (pd.TimedeltaIndex(with_blank(["5h", "1D", "2D", "3h"])).array, "continuous"),
    "ISO dates": (pd.array(with_blank([str(day) for day in days(4)]), dtype="str"), "integer"),
    "German dates": (pd.array(with_blank(["31.12.2020"] * 4), dtype="str"), "integer"),
    "ISO times": (pd.array(with_blank(["2020-01-01T10:30:00"] * 4), dtype="str"), "continuous"),
    "arrow int": (arrow(with_blank([1, 2, 3, 4]), pyarrow.int32()), "integer"),
    "arrow text": (arrow(with_blank(LETTERS), pyarrow.string()), "categorical"),
    "arrow bool": (arrow(with_blank([True, True, False, True]), pyarrow.bool_()), "categorical"),
    "arrow date": (arrow(with_blank(days(4)), pyarrow.date32()), "integer"),
    "arrow decimal": (arrow(with_blank([Decimal("1.50")] * 4), pyarrow.decimal128(8, 2)), "continuous"),
    "constant": (pd.array(with_blank([7, 7, 7, 7]), dtype="Int64"), "integer"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_dtype_comes_back_with_its_blank_filled(name: str) -> None:
    array, kind = COLUMNS[name]
    frame = pd.DataFrame({name: pd.Series(array, index=list("wxyz"))})
    codec = FrameCodec.infer(frame)
    done = filled(frame, codec)
    assert codec.columns[0].kind == kind
    assert done[name].dtype == frame[name].dtype
    pd.testing.assert_frame_equal(done.drop("x"), frame.drop("x"))
    assert done.loc["x", name] == frame.loc["w", name]
    assert type(done.loc["x", name]) is type(frame.loc["w", name])


cell_strategies = {
    "float64": st.floats(allow_infinity=False) | st.none(),
    "Int64": st.integers(-(2**63), 2**63 - 1) | st.none(),
    "boolean": st.booleans() | st.none(),
    "str": st.text(max_size=2) | st.none(),
    "object": st.sampled_from(["a", "b", 3, 2.5]) | st.none(),
    "category": st.sampled_from(["low", "high"]) | st.none(),
    "datetime64[us]": st.datetimes() | st.none(),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(sorted(cell_strategies)), min_size=1, max_size=5))
    index = pd.Index(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), name="row")  # labels repeat
    columns = []
    for kind in kinds:
        seen = draw(cell_strategies[kind].filter(pd.notna))  # one at least
        cells = [seen, *draw(st.lists(cell_strategies[kind], min_size=n - 1, max_size=n - 1))]
        columns.append(pd.Series(draw(st.permutations(cells)), dtype=kind))
    frame = pd.concat(columns, axis=1)
    frame.index = index
    frame.columns = pd.MultiIndex.from_tuples([(j, "x") for j in range(len(kinds))], names=["number", None])
    return frame


@settings(max_examples=150, deadline=None)
@given(frame=frames())
def test_observed_cells_dtypes_and_labels_survive_any_fill(frame: pd.DataFrame) -> None:
    before = frame.copy(deep=True)
    done = filled(frame, FrameCodec.infer(frame))
    pd.testing.assert_frame_equal(frame, before)  # the input is not touched
    assert done.dtypes.equals(frame.dtypes)
    assert done.index.equals(frame.index)
    assert done.index.names == frame.index.names
    assert done.columns.equals(frame.columns)
    assert done.columns.names == frame.columns.names
    assert done.notna().to_numpy().all()
    for j in range(frame.shape[1]):
        seen = frame.iloc[:, j].notna().to_numpy()
        pd.testing.assert_series_equal(done.iloc[seen, j], frame.iloc[seen, j], check_exact=True)


@settings(max_examples=100, deadline=None)
@given(moment=st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1)))
def test_a_moment_is_decoded_to_the_second(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0)
    frame = pd.DataFrame({"t": pd.Series([moment, None], dtype="datetime64[us]")})
    assert filled(frame, FrameCodec.infer(frame)).loc[1, "t"] == moment


def test_cells_that_stay_na_stay_as_they_are() -> None:
    frame = pd.DataFrame({"a": [1.0, np.nan], "s": pd.Series(["x", None], dtype=object)})
    codec = FrameCodec.infer(frame, mm_candidates=["s"])
    values = codec.encode(frame)
    assert codec.complete(frame, np.isnan(values), values).equals(frame)
    assert codec.complete(frame, np.isnan(values), values).loc[1, "s"] is None
    assert [c.mm_candidate for c in codec.columns] == [False, True]


def test_imputed_numbers_are_rounded_and_kept_within_the_dtype() -> None:
    frame = pd.DataFrame({"i": pd.array([1, None, 3], dtype="Int8"), "t": pd.Series([*days(2), None])})
    frame["t"] = frame["t"].astype("datetime64[ns]")
    codec = FrameCodec.infer(frame)
    hidden = np.isnan(codec.encode(frame))
    assert codec.complete(frame, hidden, np.full((3, 2), 1.6)).loc[1, "i"] == 2
    far = codec.complete(frame, hidden, np.full((3, 2), 1e300))
    assert far.loc[1, "i"] == 127
    assert far.loc[2, "t"].year == 2262


def test_levels_follow_the_categories_that_occur_or_are_sorted() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["b", "a"], categories=["z", "b", "a"]), "s": ["y", "x"]})
    assert [c.levels for c in FrameCodec.infer(frame).columns] == [("b", "a"), ("x", "y")]


def test_text_with_many_levels_is_left_as_it_is_with_one_note_for_all() -> None:
    names, cabins = [f"person {i}" for i in range(60)], [f"C{i}" if i % 3 else None for i in range(60)]
    frame = pd.DataFrame({"name": names, "age": [1.0, np.nan] * 30, "cabin": cabins})
    codec = FrameCodec.infer(frame)
    assert [c.name for c in codec.columns] == ["age"]
    done = filled(frame, codec)
    pd.testing.assert_frame_equal(done[["name", "cabin"]], frame[["name", "cabin"]])
    assert done["age"].notna().all()
    assert codec.notes == (
        "left out of the model as text with nearly no repeats: 'name', 'cabin' (20 blank, which stay blank); "
        "schema={'cabin': 'categorical'} would model 'cabin'",
    )
    assert [c.name for c in FrameCodec.infer(frame, {"cabin": "categorical"}).columns] == ["age", "cabin"]
    ignored = FrameCodec.infer(frame, {"name": "ignore", "cabin": "ignore"})
    assert ignored.notes == ()
    assert filled(frame, ignored)["cabin"].isna().tolist() == frame["cabin"].isna().tolist()
    with pytest.raises(UserError, match=r"mm_candidates: 'cabin' is left out .*schema=\{'cabin': 'categorical'\}"):
        FrameCodec.infer(frame, mm_candidates="cabin")


def test_max_levels_counts_text_only() -> None:
    frame = pd.DataFrame({"s": list("abcd") * 2, "i": range(8)})
    assert [c.name for c in FrameCodec.infer(frame, reading=Reading(max_levels=3)).columns] == ["i"]
    assert FrameCodec.infer(frame, reading=Reading(max_levels=4)).columns[0].n_levels == 4


def test_unhashable_cells_pass_through() -> None:
    frame = pd.DataFrame({"tags": [["a"], [], ["b"]], "x": [1.0, np.nan, 2.0]})
    assert filled(frame, FrameCodec.infer(frame))["tags"].tolist() == [["a"], [], ["b"]]


@pytest.mark.parametrize(
    ("schema", "kind", "levels", "fill"),
    [
        ({"a": "categorical"}, "categorical", (1, 2), 1),
        ({"a": "continuous"}, "continuous", (), 1),
        ({"t": "integer"}, "integer", (), "10"),
        ({"t": "continuous"}, "continuous", (), "10.0"),
        ({"t": "categorical"}, "categorical", ("10", "7"), "10"),
        ({"d": "date"}, "integer", (), "2020-01-01"),
        ({"d": "categorical"}, "categorical", ("2020-01-01", "2020-01-02"), "2020-01-01"),
        ({"f": "integer"}, "integer", (), 1.0),
    ],
)
def test_a_schema_overrides_the_dtype(schema: dict, kind: str, levels: tuple, fill: object) -> None:
    frame = pd.DataFrame(
        {
            "a": pd.array([1, 2, None], dtype="Int64"),
            "t": ["10", "7", None],
            "d": ["2020-01-01", "2020-01-02", None],
            "f": [1.0, 2.0, np.nan],
        }
    )
    codec = FrameCodec.infer(frame, schema)
    name = next(iter(schema))
    column = next(c for c in codec.columns if c.name == name)
    assert (column.kind, column.levels) == (kind, levels)
    assert filled(frame, codec).loc[2, name] == fill
    assert filled(frame, codec).dtypes.equals(frame.dtypes)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), {}, "two columns are called 'x'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), {}, "two columns are called '1'"),
        (pd.DataFrame({"x": []}), {}, "the table has no rows"),
        (pd.DataFrame({"x": [1.0], "void": [None]}), {}, "column 'void' has no observed value"),
        (pd.DataFrame({"x": [1.0, np.inf]}), {}, "column 'x' holds 1 infinite value"),
        (pd.DataFrame({"x": pd.arrays.SparseArray([1.0, 0.0])}), {}, "'x' is sparse"),
        (pd.DataFrame({"income": [1.0]}), {"mm_candidates": ["incme"]}, "did you mean 'income'"),
        (pd.DataFrame({"income": [1.0]}), {"schema": {"incme": "integer"}}, "did you mean 'income'"),
        (pd.DataFrame({"income": [1.0]}), {"schema": {"zzz": "integer"}}, r"\(known: income\)"),
        (
            pd.DataFrame({"x": [1.0]}),
            {"schema": {"x": "numeric"}},
            "cannot be 'numeric'; it can be continuous",
        ),
        (pd.DataFrame({"x": [1.5]}), {"schema": {"x": "integer"}}, r"cannot be integer: it holds .*1\.5"),
        (
            pd.DataFrame({"x": ["a", "1"]}),
            {"schema": {"x": "continuous"}},
            "holds 'a', which is not a number",
        ),
        (pd.DataFrame({"x": [True]}), {"schema": {"x": "continuous"}}, "cannot be continuous"),
        (pd.DataFrame({"x": ["1.2020"]}), {"schema": {"x": "date"}}, "'x' is not a date: '1.2020'"),
        (pd.DataFrame({"x": [[1]]}), {"schema": {"x": "categorical"}}, "cannot be compared"),
        (pd.DataFrame({"x": [[1], None]}), {}, "cannot be compared"),
        (pd.DataFrame({"x": [1.0]}), {"schema": {"x": "ignore"}}, "no column can be modelled"),
        (
            pd.DataFrame({"x": [1.0], "y": [1.0]}),
            {"schema": {"x": "ignore"}, "mm_candidates": ["x"]},
            "'x' is ignored",
        ),
    ],
)
def test_bad_input_is_one_line_that_names_the_column(frame: pd.DataFrame, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        FrameCodec.infer(frame, **options)
    assert "\n" not in str(caught.value)


def test_new_rows_may_come_with_other_dtypes() -> None:
    fitted = pd.DataFrame({"i": pd.array([1, 2], dtype="Int64"), "s": ["a", "b"], "c": pd.Categorical(["u", "v"])})
    codec = FrameCodec.infer(fitted)
    rows = pd.DataFrame({"i": [1.0, np.nan], "s": [np.nan, np.nan], "c": pd.Categorical(["u", None])})
    values = codec.encode(rows)
    done = codec.complete(rows, np.isnan(values), np.ones((2, 3)))
    assert done["i"].tolist() == [1.0, 1.0]
    assert done["s"].tolist() == ["b", "b"]
    assert done["c"].tolist() == ["u", "v"]
    with pytest.raises(UserError, match="column 'i' does not hold what it held in fit"):
        codec.encode(rows.astype({"i": object}).replace({"i": {1.0: "one"}}))
    with pytest.raises(UserError, match="the columns are"):
        codec.encode(rows[["s", "i", "c"]])


def test_a_category_that_fit_has_not_seen_is_an_error_or_a_blank() -> None:
    codec = FrameCodec.infer(pd.DataFrame({"s": ["a", "b"], "d": ["2020-01-01", "2020-01-02"]}))
    rows = pd.DataFrame({"s": ["c", "a"], "d": ["2020-01-05", "2020-01-05"]})
    with pytest.raises(UserError, match=r"column 's' holds a category that fit has not seen, such as 'c', in 1 cell"):
        codec.encode(rows)
    values = codec.encode(rows, unknown="as_missing")
    assert np.isnan(values[:, 0]).tolist() == [True, False]
    assert codec.complete(rows, np.isnan(values), np.ones((2, 2)))["s"].tolist() == ["b", "a"]
    assert codec.complete(rows, np.isnan(values), values)["s"].isna().tolist() == [True, False]
    rows = pd.DataFrame({"s": ["a", "a"], "d": ["5 Jan 20", "2020-01-05"]})
    with pytest.raises(UserError, match="such as '5 Jan 20'"):
        codec.encode(rows, unknown="error")


def test_blanks_in_new_rows_of_text_that_is_left_out_stay() -> None:
    codec = FrameCodec.infer(pd.DataFrame({"who": [f"u{i}" for i in range(30)], "x": [i % 7 for i in range(30)]}))
    rows = pd.DataFrame({"who": [None], "x": [1]})
    pd.testing.assert_frame_equal(codec.complete(rows, np.isnan(codec.encode(rows)), np.ones((1, 1))), rows)


def test_a_repeated_hour_and_a_skipped_hour_of_a_clock_can_be_filled() -> None:
    clock = pd.DatetimeIndex(["2024-03-31 01:30", "2024-03-31 03:30", None], tz="Europe/Berlin")
    frame = pd.DataFrame({"t": clock})
    codec = FrameCodec.infer(frame)
    values = codec.encode(frame)
    skipped = np.array([[np.nan], [np.nan], [values[0, 0] + 1 / 24]])
    assert codec.complete(frame, np.isnan(values), skipped).loc[2, "t"] == pd.Timestamp("2024-03-31 01:00Z")
