"""Which method for one table: what is hidden again, how methods race, and what is said of them."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna import Imputer, load
from lacuna.cli.compare import compare
from lacuna.comparison.again import hidden_again, without
from lacuna.comparison.entrants import METHODS, entrants
from lacuna.comparison.race import column_errors, compare_methods
from lacuna.comparison.result import Comparison, weighted
from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.methods.mean_mode import MeanMode
from lacuna.rng import stream
from lacuna.types import Column, Imputation, Incomplete

COLUMNS = (Column("x"), Column("y"), Column("n", "integer"), Column("k", "categorical", ("a", "b", "c")))


def table(n: int = 200, seed: int = 0, rate: float = 0.2) -> tuple[np.ndarray, Incomplete]:
    """y is twice x, n its rounding; blanks of y and n come together, x has none."""
    rng = stream(seed, "table")
    x = rng.normal(size=n)
    truth = np.column_stack([x, 2 * x, np.round(3 * x), rng.integers(0, 3, n)])
    blank = np.zeros(truth.shape, bool)
    blank[:, 1:3] = rng.random((n, 1)) < rate
    blank[:, 3] = rng.random(n) < rate / 2
    return truth, Incomplete(COLUMNS, np.where(blank, np.nan, truth), ~blank)


class Twice(Method):
    """y = factor * x, with the mean and mode elsewhere."""

    def __init__(self, factor: float, pause: float = 0.0) -> None:
        self.factor, self.pause = factor, pause

    def _fit(self, train: Incomplete, seed: int) -> None:
        for step in range(10):
            time.sleep(self.pause / 10)
            self.monitor.progress("fit", step, 10)
        self.mean_ = MeanMode().fit(train)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values = self.mean_.impute(rows).values.copy()
        values[:, 1] = self.factor * values[:, 0]
        values[:, 2] = np.round(1.5 * values[:, 1])
        return Imputation(values)


class Broken(Method):
    def _fit(self, train: Incomplete, seed: int) -> None:
        raise RuntimeError("out of order\nand more")

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        raise NotImplementedError


FIELD = {"right": lambda: Twice(2.0), "near": lambda: Twice(1.9), "mean": MeanMode}


# --- hidden again -------------------------------------------------------------------------------------------------


@given(st.integers(0, 99), st.floats(0.05, 0.7))
def test_cells_are_hidden_as_the_blanks_lie(seed: int, rate: float) -> None:
    _, rows = table(300, seed, rate)
    lost = hidden_again(rows, stream(seed, "again"))
    assert not (lost & rows.hidden).any()
    assert not lost[:, 0].any()
    both = rows.observed[:, 1]
    np.testing.assert_array_equal(lost[both, 1], lost[both, 2])
    assert without(rows, lost).observed.any(1).all()
    share = lost[:, 1:].sum() / rows.observed[:, 1:].sum()
    assert 0.01 < share < 0.25


def test_the_share_is_that_of_the_blanks_within_bounds() -> None:
    for rate, wanted in ((0.01, 0.05), (0.12, 0.1), (0.6, 0.15)):
        _, rows = table(60_000, 1, rate)
        lost = hidden_again(rows, stream(1, "again"))
        assert lost[:, 1:].sum() / rows.observed[:, 1:].sum() == pytest.approx(wanted, abs=0.01)


def test_without_blanks_there_is_nothing_to_compare_by() -> None:
    truth, _ = table()
    with pytest.raises(UserError, match="the table has no blank"):
        hidden_again(Incomplete(COLUMNS, truth, np.ones(truth.shape, bool)), stream(0, "again"))


def test_errors_are_in_sds_and_shares() -> None:
    values = np.array([[0.0, 1.0], [2.0, 0.0], [4.0, 1.0], [np.nan, np.nan]])
    rows = Incomplete((Column("x"), Column("k", "categorical", ("a", "b"))), values, ~np.isnan(values))
    lost = np.array([[True, True], [False, True], [True, False], [False, False]])
    imputed = np.array([[3.0, 1.0], [2.0, 1.0], [0.0, 1.0], [9.0, 0.0]])
    found = column_errors(rows, lost, imputed)
    np.testing.assert_allclose(found, [np.sqrt((9 + 16) / 2) / np.sqrt(8 / 3), 0.5])
    assert np.isnan(column_errors(rows, lost & [True, False], imputed)[1])


# --- the race -----------------------------------------------------------------------------------------------------


def test_the_better_method_is_chosen_and_what_fails_is_named() -> None:
    _, rows = table()
    found = compare_methods(rows, FIELD | {"broken": Broken}, seconds=60, repetitions=4)
    assert found.methods == ("right", "near", "mean")
    assert found.left_out == {"broken": "out of order"}
    assert found.repetitions == 4
    assert found.columns == ("y", "n", "k")
    np.testing.assert_allclose(found.weights, rows.hidden.sum(0)[1:] / rows.hidden.sum())
    lower, upper, sure = found.against(2)
    more = found.error[2] / found.error[0] - 1
    assert 0 <= lower <= more <= upper
    assert sure > 0.95
    assert "Take right" in str(found)
    assert "not compared: broken: out of order" in str(found)


def test_the_same_method_twice_is_a_tie() -> None:
    _, rows = table()
    found = compare_methods(rows, {"one": lambda: Twice(2.0), "two": lambda: Twice(2.0)}, seconds=60, repetitions=3)
    assert found.against(1) == (0.0, 0.0, 0.5)
    assert "by a hair" in str(found)


def test_large_tables_are_cut_and_slow_methods_left_out_within_the_budget() -> None:
    _, rows = table(20_000)
    started = time.monotonic()
    slow = {"slow": lambda: Twice(2.0, pause=3.0), "slower": lambda: Twice(2.0, pause=30.0)}
    found = compare_methods(rows, FIELD | slow, seconds=6.0, repetitions=3)
    assert time.monotonic() - started < 9
    assert found.methods[0] == "right"
    assert set(found.left_out) == {"slow", "slower"}
    assert 300 <= found.rows <= 20_000


def test_where_nothing_could_be_tried_it_is_said() -> None:
    _, rows = table()
    with pytest.raises(UserError, match=r"no method could be tried \(broken: out of order\)"):
        compare_methods(rows, {"broken": Broken}, seconds=10)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
def test_weighted_error_is_a_mean_of_means(methods: int, reps: int, columns: int, seed: int) -> None:
    rng = stream(seed, "errors")
    errors, weights = rng.random((methods, reps, columns)), rng.random(columns)
    wanted = [np.average([np.mean(m[:, j]) for j in range(columns)], weights=weights) for m in errors]
    np.testing.assert_allclose(weighted(errors, weights), wanted)


def test_an_interval_narrows_with_repetitions() -> None:
    rng = stream(0, "errors")

    def width(reps: int) -> float:
        errors = 1 + 0.1 * rng.normal(size=(2, reps, 1))
        low, high, _ = Comparison(("a", "b"), ("x",), errors, np.ones(1), (0.0, 0.0), 10, {}).against(1)
        return high - low

    assert width(64) < 0.5 * width(4)


# --- who takes part -----------------------------------------------------------------------------------------------


def test_with_candidates_every_method_is_a_base_of_selective() -> None:
    made: list[Any] = []
    field = entrants(lambda name, options: made.append((name, options)), ["boosting", "chained"], flags=True)
    assert list(field) == ["selective(base=boosting)", "selective(base=chained)"]
    field["selective(base=chained)"]()
    assert made == [("selective", {"base": "chained"})]


def test_methods_that_are_not_there_do_not_take_part() -> None:
    assert {"mean_mode", "boosting", "chained"} <= set(entrants(lambda name, options: MeanMode())) <= set(METHODS)


# --- Imputer and command ------------------------------------------------------------------------------------------


def frame(n: int = 150) -> pd.DataFrame:
    rng = stream(5, "frame")
    x = rng.normal(size=n)
    cells = pd.DataFrame({"x": x, "y": 2 * x + 0.1 * rng.normal(size=n), "k": np.where(x > 0, "up", "down")})
    return cells.mask(rng.random(cells.shape) < [0.05, 0.2, 0.2])


def test_imputer_takes_the_better_method(tmp_path: Any) -> None:
    auto = {"minutes": 2, "methods": ["mean_mode", "boosting"]}
    imputer = Imputer("auto", method_options=auto, device="cpu").fit(frame())
    assert imputer.chosen_ == "boosting"
    named = Imputer("boosting", device="cpu").fit(frame())
    pd.testing.assert_frame_equal(imputer.transform(frame()), named.transform(frame()))
    imputer.save(tmp_path / "auto.lacuna")
    again = load(tmp_path / "auto.lacuna")
    assert again.chosen_ == "boosting"
    pd.testing.assert_frame_equal(again.transform(frame()), named.transform(frame()))


def test_imputer_respects_candidates() -> None:
    auto = {"minutes": 2, "methods": ["mean_mode", "boosting"]}
    imputer = Imputer("auto", mm_candidates=["y"], method_options=auto, device="cpu").fit(frame())
    assert imputer.chosen_ == "selective(base=boosting)"
    assert imputer.meaningful_.dtypes.eq(bool).all()


def test_an_unknown_option_of_auto_is_named() -> None:
    with pytest.raises(UserError, match="takes the options minutes and methods, not 'hours'"):
        Imputer("auto", method_options={"hours": 1}).fit(frame())


def test_the_command_prints_a_table_or_json(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.csv"
    frame().to_csv(path, index=False)
    typed = [str(path), "--minutes", "2", "--methods", "mean_mode,boosting", "--device", "cpu"]
    assert compare(typed) == 0
    assert "Take boosting: " in capsys.readouterr().out
    assert compare([*typed, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"] == "boosting"
    assert [row["method"] for row in found["methods"]] == ["boosting", "mean_mode"]
    assert found["methods"][1]["more"] > 0.2
    assert found["methods"][1]["sure"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--minutes", "0"], "--minutes must be positive"),
        (["--methods", "no_such"], "unknown method 'no_such'"),
        (["--mm-candidates", "z"], "'z'"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: list[str], message: str, tmp_path: Any) -> None:
    path = tmp_path / "my.csv"
    frame().to_csv(path, index=False)
    with pytest.raises(UserError, match=message) as caught:
        compare([str(path), *arguments])
    assert "\n" not in str(caught.value)
