"""Saved models: exact, complete, and unable to run anything on loading."""

from __future__ import annotations

import datetime
import json
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.isotonic import IsotonicRegression

from lacuna.errors import UserError
from lacuna.methods.mean_mode import MeanMode
from lacuna.rng import stream
from lacuna.saving import load_object, save_object
from lacuna.types import Column


class Own(MeanMode):
    """A user's method."""


def round_trip(value: Any, folder: Path, **options: Any) -> Any:
    save_object(value, folder / "saved")
    return load_object(folder / "saved", **options)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.dates()
    | st.datetimes().map(lambda moment: moment.replace(fold=0))
    | st.decimals(allow_nan=False)
)
containers = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.booleans()), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(value=containers)
def test_plain_values_come_back_equal_and_of_their_types(value: Any, tmp_path_factory: Any) -> None:
    back = round_trip(value, tmp_path_factory.getbasetemp())
    assert back == value
    assert repr(back) == repr(value)  # True is not 1, a tuple is no list, -0.0 is not 0.0


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, np.nan], [-np.inf, 0.0]]),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3, dtype=np.int8),
        np.array([], dtype=bool),
        np.array([(1, 2.5)], dtype=[("feature", "i4"), ("threshold", "f8")]),
        np.array(["a", "bc"]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.array([["a", None], [3, (1, 2)]], dtype=object),
    ],
)
def test_arrays(array: np.ndarray, tmp_path: Path) -> None:
    back = round_trip(array, tmp_path)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


def test_scalars_and_types(tmp_path: Path) -> None:
    values = [np.float32(0.1), np.int64(2**62), np.bool_(True), pd.Timestamp("2020-01-01", tz="UTC")]
    values += [pd.Timedelta("1D"), datetime.date(2020, 1, 1), Decimal("1.50"), slice(1, None, 2), {1, 2}]
    values += [frozenset("a"), OrderedDict(a=1), np.dtype("float32"), torch.float16, torch.device("cpu")]
    back = round_trip(values, tmp_path)
    assert back == values
    assert [type(b) for b in back] == [type(v) for v in values]


def test_generators_go_on_where_they_were(tmp_path: Path) -> None:
    numpy_one, torch_one = stream(0, "a"), torch.Generator().manual_seed(3)
    numpy_one.normal(size=3)
    torch.rand(3, generator=torch_one)
    numpy_two, torch_two = round_trip((numpy_one, torch_one), tmp_path)
    assert numpy_two.normal() == numpy_one.normal()
    assert torch.equal(torch.rand(2, generator=torch_two), torch.rand(2, generator=torch_one))


def test_networks(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.SiLU()).double()
    network[0].requires_grad_(False)
    network(torch.rand(8, 3, dtype=torch.float64))  # moves the running statistics
    network.eval()
    back = round_trip({"network": network, "half": torch.rand(3, dtype=torch.bfloat16)}, tmp_path)
    rows = torch.rand(5, 3, dtype=torch.float64)
    assert torch.equal(back["network"](rows), network(rows))
    assert [p.requires_grad for p in back["network"].parameters()] == [False, False, True, True]
    assert back["half"].dtype == torch.bfloat16


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(max_iter=5),
        HistGradientBoostingRegressor(max_iter=5, loss="quantile", quantile=0.2),
        HistGradientBoostingClassifier(max_iter=5, categorical_features=[1]),
        RandomForestClassifier(3, random_state=0),
        IsotonicRegression(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_scikit_learn_models(model: Any, tmp_path: Path) -> None:
    rng = stream(0, "test")
    x = np.column_stack([rng.normal(size=200), rng.integers(0, 4, 200)])
    x = x[:, :1] if isinstance(model, IsotonicRegression) else x
    model.fit(x, (x[:, 0] > 0.3).astype(int))
    back = round_trip([model], tmp_path)[0]
    np.testing.assert_array_equal(back.predict(x), model.predict(x))


def test_objects_of_lacuna_are_made_without_their_constructor(tmp_path: Path) -> None:
    column = Column("a", "categorical", ("x", 1, None, datetime.date(2020, 1, 1)))
    assert round_trip(column, tmp_path) == column


def test_a_class_of_the_users_own_has_to_be_named_as_trusted(tmp_path: Path) -> None:
    save_object(Own(), tmp_path / "saved")
    with pytest.raises(UserError, match=r":Own, which is not trusted: if it is yours, pass it in trusted="):
        load_object(tmp_path / "saved")
    assert type(load_object(tmp_path / "saved", trusted=[Own])) is Own


def test_what_cannot_be_saved_is_named_by_its_place(tmp_path: Path) -> None:
    method = MeanMode()
    method.hooks_ = {"step": [1, lambda x: x]}  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"hooks_\['step'\]\[1\] cannot be saved: .* builtins:function"):
        save_object(method, tmp_path / "saved")
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UserError, match="it holds itself"):
        save_object(loop, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def forged(folder: Path, value: Any) -> Path:
    path = folder / "forged"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("structure.json", json.dumps({"format": "lacuna 3", "value": value}))
        np.save(folder / "0.npy", np.array([print], dtype=object), allow_pickle=True)
        archive.write(folder / "0.npy", "0.npy")
    return path


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["object", "os:system", []], "names os:system, which is not trusted"),
        (["object", "subprocess:Popen", [["args", "true"]]], "not trusted"),
        (
            ["object", "lacuna.saving:Path", []],
            "not trusted",
        ),  # a class that lies in a module of ours only by import
        (["object", "lacuna.saving:save_object", []], "not trusted"),
        (["object", "lacuna.saving:_Reader.value", []], "not trusted"),
        (["object", "lacuna.nowhere:X", []], "which this version does not have"),
        (["object", "sklearn.base:BaseEstimator", []], "not trusted"),
        (["array", "0.npy"], "damaged: ValueError: Object arrays cannot be loaded"),
        (["array", "missing.npy"], "damaged: KeyError"),
        (["torch dtype", "load"], "unknown torch dtype"),
        (["generator", ["list", "Generator", 1]], "unknown random generator"),
        (["nonsense"], "damaged"),
    ],
)
def test_a_forged_file_runs_nothing(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_object(forged(tmp_path, value))


def test_files_that_are_no_saved_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read as a saved model: .*No such file"):
        load_object(tmp_path / "nope")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError, match="cannot be read as a saved model: BadZipFile: File is not a zip"):
        load_object(tmp_path / "text")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(UserError, match="is of format None; this version reads 'lacuna 3'"):
        load_object(tmp_path / "zip")


def archive_of(path: Path, structure: str = "{}", **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("structure.json", structure)
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def hostile(path: Path) -> Iterator[Path]:
    """Files that ask for memory, nest without end, or are no structure."""
    yield archive_of(path / "bomb", x=bytes(2**28))
    yield archive_of(path / "deep", "[" * 100_000)
    yield archive_of(path / "nested", json.dumps({"format": "lacuna 2", "value": None})[:-5] + '["list",' * 2000)
    deep: Any = None
    for _ in range(800):
        deep = ["list", deep]
    yield archive_of(path / "deep value", json.dumps({"format": "lacuna 2", "value": deep}))
    for name, structure in (("list", "[]"), ("number", "1"), ("null", "null"), ("no value", '{"format": "lacuna 2"}')):
        yield archive_of(path / name, structure)
    header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }"
    array = json.dumps({"format": "lacuna 2", "value": ["array", "a"]})
    yield archive_of(path / "no cells", array, a=header.ljust(127) + b"\n")
    yield archive_of(path / "no array", array, a=b"hello")
    estimator = json.dumps({"format": "lacuna 2", "value": ["sklearn", "a"]})
    yield archive_of(path / "no estimator", estimator, a=b"hello")
    inner = archive_of(path / "inner", x=bytes(2**28)).read_bytes()
    yield archive_of(path / "bomb inside", estimator, a=inner)
    whole = archive_of(path / "whole", array, a=bytes(range(256)) * 50).read_bytes()
    for at in range(30, len(whole), 97):
        damaged = path / f"damaged {at}"
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        yield damaged


def test_hostile_files_are_one_line_in_little_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        for path in hostile(tmp_path):
            with pytest.raises(UserError) as caught:
                load_object(path)
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)
        assert tracemalloc.get_traced_memory()[1] < 2**27 + 2**28  # this test itself makes 2**28 zeros
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["impute", "__class__", "_impute", "__dict__"])
def test_a_state_that_replaces_methods_is_refused(tmp_path: Path, name: str) -> None:
    value = ["object", "lacuna.methods.mean_mode:MeanMode", [[name, ["list", 1]]]]
    with pytest.raises(UserError, match="which is not data"):
        load_object(forged(tmp_path, value))


def test_arrays_that_compress_well_come_back(tmp_path: Path) -> None:
    zeros = np.zeros(2**24)
    save_object(zeros, tmp_path / "saved")
    assert np.array_equal(load_object(tmp_path / "saved"), zeros)
