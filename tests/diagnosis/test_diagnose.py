"""``lacuna.diagnose``: the evidence for each cause where it is the cause, and abstention where nothing can be known."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

import lacuna
from lacuna.diagnosis.result import CAUSES, Diagnosis
from lacuna.diagnosis.together import blocks, dropout_share
from lacuna.errors import UserError
from lacuna.masks.block import Block
from lacuna.masks.dropout import Dropout
from lacuna.masks.frailty import Frailty
from lacuna.rng import stream
from lacuna.types import Column, Table

N = 800


def survey(seed: int = 0, n: int = N) -> pd.DataFrame:
    rng = stream(seed, "survey")
    skill = rng.normal(size=n)
    frame = pd.DataFrame({"age": rng.integers(16, 90, n), "job": np.where(rng.random(n) < 0.7, "yes", "no")})
    frame["income"] = np.exp(7 + 0.3 * skill + 0.2 * rng.normal(size=n)).round()
    frame["rooms"] = rng.integers(1, 7, n)
    frame["height"] = 170 + 8 * rng.normal(size=n) + 2 * skill
    frame["weight"] = 70 + 9 * rng.normal(size=n) + 4 * skill
    return frame


def found(frame: pd.DataFrame, candidates: list[str] | None = None) -> Diagnosis:
    return lacuna.diagnose(frame, candidates, permutations=199)


def hidden(mask: np.ndarray, seed: int = 0) -> pd.DataFrame:
    frame = survey(seed)
    return frame.astype({"age": float, "rooms": float}).mask(mask)


def lost(rate: float, name: str) -> np.ndarray:
    return stream(0, name).random(N) < rate


def test_structural_blanks_are_suggested_with_their_rule() -> None:
    frame = survey()
    frame.loc[(frame["job"] == "no") | lost(0.05, "lost"), "income"] = np.nan
    result = found(frame)
    assert result.suggested == ["income"]
    assert result.rules["rule"].tolist() == ["job = no"]
    assert "Blank without exception where job = no" in result.sentences.loc["income", "meaningful"]
    assert "Consider it for mm_candidates" in result.sentences.loc["income", "meaningful"]
    # what the rule leaves over goes with nothing
    assert result.columns.loc["income", "p_values"] > 0.05
    assert "Consider it" not in found(frame, ["income"]).sentences.loc["income", "meaningful"]


def test_blanks_that_depend_on_a_value_name_it() -> None:
    frame = survey()
    frame.loc[lost(0.5, "lost") & (frame["age"] > 60), "weight"] = np.nan
    result = found(frame)
    assert "go with the values of age" in result.sentences.loc["weight", "lost at random"]
    assert result.columns.loc["weight", "value_of"] == "age"
    assert "Not identified" in result.sentences.loc["weight", "meaningful"]
    assert not result.suggested
    assert result.tests.loc["Little", "p_value"] < 0.001
    assert result.tests.loc["mixed", "p_value"] < 0.05


def test_pages_are_seen_as_groups_and_mean_nothing() -> None:
    frame = survey()
    table = Table("t", tuple(Column(c) for c in frame), np.zeros(frame.shape), np.zeros(frame.shape, bool))
    mask = Block(2).draw(table, 0.15, stream(1, "mask")).ordinary
    result = found(hidden(mask))
    assert sorted(map(len, result.groups)) == [2, 2, 2]
    for group in result.groups:
        assert f"exactly where {group[1]} is" in result.sentences.loc[group[0], "lost together"]
    assert not result.suggested
    assert result.tests.loc["mixed", "p_value"] > 0.05
    first, second = result.groups[0]
    assert result.together.loc[first, second] == pytest.approx(1)
    both = found(hidden(mask), [first, second]).sentences.loc[first, "meaningful"]
    assert f"go with those of {second}, of mm_candidates alone" in both


def test_careless_rows_and_dropout_are_told() -> None:
    frame = survey()
    table = Table("t", tuple(Column(c) for c in frame), np.zeros(frame.shape), np.zeros(frame.shape, bool))
    careless = found(hidden(Frailty(3.0).draw(table, 0.15, stream(1, "mask")).ordinary))
    assert careless.tests.loc["rows", "p_value"] < 0.01
    assert any("Some rows have more blanks" in line for line in careless.summary)
    assert not any("dropout" in line for line in careless.summary)
    stops = found(hidden(Dropout().draw(table, 0.15, stream(1, "mask")).ordinary))
    assert any("dropout" in line for line in stops.summary)


def test_values_that_hide_themselves_are_never_claimed() -> None:
    frame = survey()
    frame.loc[frame["weight"] > 80, "weight"] = np.nan
    sentence = found(frame).sentences.loc["weight", "hides itself"]
    assert sentence.startswith("Not identified; it only might.")
    assert "end sharply at 79" in sentence or "end sharply at 80" in sentence
    assert "population that ends there" in sentence
    row = found(frame).columns.loc["weight"]
    assert row["mean_if_low"] < row["mean"] < row["mean_if_high"]


def test_a_high_rate_alone_shows_nothing() -> None:
    frame = survey()
    frame.loc[lost(0.15, "a"), "weight"] = np.nan
    frame.loc[lost(0.05, "b"), "height"] = np.nan
    result = found(frame, ["weight"])
    assert "the higher rate here alone shows nothing" in result.sentences.loc["weight", "meaningful"]
    assert "alone" not in result.sentences.loc["height", "meaningful"]


def test_any_frame_is_looked_at() -> None:
    rng = stream(3, "frame")
    frame = survey()
    frame["nothing"] = None
    frame["name"] = [f"person {i}" for i in range(N)]
    frame["seen"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), unit="D")
    frame["count"] = pd.array(rng.integers(0, 9, N), dtype="Int64")
    for name in ("name", "seen", "count"):
        frame.loc[rng.random(N) < 0.1, name] = None
    result = found(frame)
    assert list(result.columns.index) == ["name", "seen", "count"]
    assert any("Wholly blank, and left out: nothing" in line for line in result.summary)
    assert "its values are not looked at" in result.sentences.loc["name", "hides itself"]
    assert "2024" in result.sentences.loc["seen", "hides itself"]
    text = str(result)
    assert text.count("lost at random") >= 3
    assert "What cannot be known" in text
    assert max(map(len, text.splitlines())) <= 110
    assert list(result.sentences.columns) == list(CAUSES)


def test_an_array_and_a_complete_table() -> None:
    rng = stream(4, "array")
    array = rng.normal(size=(100, 3))
    complete = lacuna.diagnose(array)
    assert complete.columns.empty
    assert "0.0% of the cells are blank" in str(complete)
    array[:30, 2] = np.nan
    assert list(lacuna.diagnose(array, permutations=9).columns.index) == ["2"]
    tiny = lacuna.diagnose(pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]}))
    assert "cannot be compared" in tiny.sentences.loc["a", "lost at random"]


def test_the_same_seed_gives_the_same_numbers() -> None:
    frame = survey()
    frame.loc[lost(0.2, "a"), "weight"] = np.nan
    one, again, other = (lacuna.diagnose(frame, random_state=s, permutations=99) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.associations, again.associations)
    assert str(one) == str(again)
    assert not one.associations["p_value"].equals(other.associations["p_value"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mm_candidates": ["wage"]}, "mm_candidates: there is no column 'wage'"),
        ({"schema": {"age": "text"}}, "'age' cannot be 'text'"),
        ({"schema": {"agee": "integer"}}, "did you mean 'age'"),
        ({"permutations": 0}, "at least 1"),
    ],
)
def test_wrong_arguments_are_one_line(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        lacuna.diagnose(survey(), **options)
    with pytest.raises(UserError, match="no rows"):
        lacuna.diagnose(pd.DataFrame())
    with pytest.raises(UserError, match="two columns are called 'a'"):
        lacuna.diagnose(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_groups_and_dropout_by_hand() -> None:
    blank = np.zeros((20, 4), bool)
    blank[:10, [0, 2]] = True
    blank[9, 2] = False
    assert blocks(blank) == [[0, 2]]
    blank[8, 2] = False
    assert blocks(blank) == []
    stops = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]], bool)
    assert dropout_share(stops) == pytest.approx(2 / 3)


@pytest.mark.slow
def test_five_thousand_rows_of_thirty_columns_take_less_than_a_minute_of_one_core() -> None:
    rng = stream(5, "large")
    frame = pd.DataFrame(rng.normal(size=(5000, 30)) + rng.normal(size=(5000, 1))).add_prefix("x")
    for j in range(0, 30, 3):
        frame[f"x{j}"] = pd.cut(frame[f"x{j}"], 8, labels=list("abcdefgh")).astype(str)
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    start = time.process_time()
    result = lacuna.diagnose(frame)
    assert time.process_time() - start < 60
    assert (result.columns["p_values"] < 0.05).sum() <= 6
    assert not result.suggested
