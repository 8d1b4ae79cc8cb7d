"""`selection` against the law of mnar_oracle, and on tables without, with and with the opposite selection."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from lacuna.datasets.mnar_oracle import MNAROracle
from lacuna.masks.base import Mask
from lacuna.masks.self_masking import SelfMasking
from lacuna.methods.chained import Chained
from lacuna.methods.selection import Selection
from lacuna.methods.selection.diagnosis import decide, discoveries
from lacuna.methods.selection.identification import MASSES, NO_INDEX
from lacuna.methods.selection.widths import widths
from lacuna.metrics.numeric import rmse_all
from lacuna.metrics.uncertainty import uq_coverage
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.saving import load_object, save_object
from lacuna.types import Column, Imputation, Incomplete, Problem


@cache
def benchmark(mask: type[Mask], n: int = 1000, p: int = 12, seed: int = 0) -> Problem:
    table = MNAROracle(n, p).load(stream(seed, "dataset"), stream(seed, "split"))
    return hide(table, mask().draw(table, 0.4, stream(seed, "mask")))


def completed(rows: Incomplete, draws: int = 0, **options: object) -> Imputation:
    return Selection(**options).fit(rows, 0).impute(rows, draws)


def forms(done: Imputation) -> list[str]:
    return [found["selection"] for found in done.diagnostics["columns"].values()]


def rmse(problem: Problem, done: Imputation) -> float:
    return rmse_all(problem.answers["train"], done)


def table(values: np.ndarray, observed: np.ndarray, *columns: Column) -> Incomplete:
    named = columns or tuple(Column(f"x{j}") for j in range(values.shape[1]))
    return Incomplete(named, np.where(observed, values, np.nan), observed)


@pytest.mark.parametrize(("middle", "last"), [(7.0, "residual"), (1.0, "none")])
def test_a_column_goes_with_the_others_as_far_as_those_speak(middle: float, last: str) -> None:
    def column(advantage: float) -> Any:
        return SimpleNamespace(
            p_value=1e-9, advantage=advantage, advantages=np.array([advantage]), slope=None, misfit=0.0,
            shape=-0.5 * ((MASSES - 0.3) / 0.05) ** 2, index=NO_INDEX,
            cells=SimpleNamespace(counts=np.array([30.0]), n_seen=70.0),
            form=lambda chosen, _: "residual" if chosen else "none",
        )  # fmt: skip

    decided = decide([column(middle)] * 40 + [column(-10.0)], 0.05)
    assert decided == ["residual"] * 40 + [last]


def test_it_comes_close_to_the_oracle():
    problem = benchmark(SelfMasking)
    done = completed(problem.train, 300, mean="linear")
    exact = problem.law.posterior(problem.train).regular
    hidden, truth = problem.train.hidden, problem.answers["train"].values
    floor = np.sqrt(np.mean((exact.mean - truth[hidden]) ** 2))
    assert rmse(problem, done) < 1.08 * floor
    assert rmse(problem, completed(problem.train, mean="linear", select=False)) > 2 * floor
    assert uq_coverage(problem.answers["train"], done) == pytest.approx(0.95, abs=0.02)
    assert np.sqrt(np.mean((done.draws.sd - exact.sd) ** 2)) < 0.08
    assert forms(done) == ["residual"] * 7


def test_low_values_that_hide_are_found_low():
    problem = benchmark(SelfMasking)
    turned = replace(problem.train, values=-problem.train.values)
    up, down = completed(problem.train, mean="linear"), completed(turned, mean="linear")
    np.testing.assert_allclose(down.values, -up.values, atol=0.1)


def test_a_detection_limit_is_found_in_the_value():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 2))
    level = x @ [1.0, 0.5] + 0.6 * rng.normal(size=1500)
    observed = np.ones((1500, 3), bool)
    observed[:, 2] = level > -0.4
    rows = table(np.column_stack([x, level]), observed)
    done = completed(rows, 200, mean="linear")
    found = done.diagnostics["columns"]["x2"]
    assert found["selection"] == "value"
    assert found["k"] < -5
    hidden = ~observed[:, 2]
    plain = completed(rows, mean="linear", select=False)
    error, plain_error = (np.sqrt(np.mean((d.values[:, 2] - level)[hidden] ** 2)) for d in (done, plain))
    assert error < 0.6 * plain_error
    assert (done.values[hidden, 2] < 0).mean() > 0.95
    inside = (done.draws.lower <= level[hidden]) & (level[hidden] <= done.draws.upper)
    assert inside.mean() == pytest.approx(0.95, abs=0.03)


def test_errors_of_cells_hidden_again_widen_what_is_left_out():
    rng = np.random.default_rng(0)
    left_out = [rng.normal(size=50_000), 2 * rng.normal(size=50_000)]
    hidden = [1.5 * rng.normal(size=50_000), 5 * rng.normal(size=50_000)]
    np.testing.assert_allclose(widths(left_out, hidden), [1.5, 2.5], rtol=0.02)
    few = widths(left_out, [hidden[0], hidden[1][:1]])
    assert few[1] == pytest.approx(1.5, rel=0.1)  # that of the other column
    assert widths(left_out, [0.1 * errors for errors in hidden]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("mean", ["auto", "linear", "boosted"])
def test_little_to_go_by(mean: str):
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 45):
        values = rng.normal(size=(n, 4))
        values[:, 1] = 3.0  # constant
        observed = rng.random((n, 4)) > 0.3
        observed[:, 2] = np.arange(n) == 0  # one value
        observed[0] = True
        rows = table(values, observed)
        done = completed(rows, 5, mean=mean)
        assert np.isfinite(done.values).all()
        assert np.isfinite(done.draws.samples).all()
        np.testing.assert_allclose(done.values[:, 1], 3.0)
    alone = table(rng.normal(size=(50, 1)), rng.random((50, 1)) > 0.3)
    assert np.isfinite(completed(alone, 5, mean=mean).values).all()
    full = table(rng.normal(size=(50, 3)), np.ones((50, 3), bool))
    method = Selection(mean=mean).fit(full, 0)
    assert method.impute(full, 5).draws.samples.shape == (5, 0)
    new = table(rng.normal(size=(2, 3)), np.zeros((2, 3), bool))
    assert np.isfinite(method.impute(new, 5).draws.samples).all()


def test_verdicts_are_sentences_and_plain():
    done = completed(benchmark(SelfMasking).train, mean="linear", sweeps=2)
    found = done.diagnostics["columns"]["target1"]
    assert "large values given the rest of the row above all" in found["verdict"]
    assert found["p_value"] < 1e-4
    assert all(isinstance(value, float | str) for value in found.values())


def test_options_are_checked():
    for options in ({"mean": "cubic"}, {"sweeps": 0}, {"level": 1.0}):
        with pytest.raises(ValueError, match="must"):
            Selection(**options)


def test_discoveries_are_those_of_benjamini_and_hochberg_by_the_share_of_true_nulls():
    """The worked example of their paper: four of fifteen at 0.05; of its p-values four exceed a half."""
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p_values += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert discoveries(np.array(p_values), 0.05 * 2 * 5 / 15).tolist() == [True] * 4 + [False] * 11
    assert not discoveries(np.array([0.6, 0.04]), 0.05).any()


def test_columns_of_few_rows_help_each_other():
    """60% of each target hidden, some 400 cells seen."""
    table = MNAROracle(1000, 20).load(stream(2, "dataset"), stream(2, "split"))
    problem = hide(table, SelfMasking().draw(table, 0.6, stream(2, "mask")))
    done = completed(problem.train, mean="linear")
    exact = problem.law.posterior(problem.train).regular
    truth = problem.answers["train"].values[problem.train.hidden]
    assert forms(done) == ["residual"] * 15
    assert rmse(problem, done) < 1.08 * np.sqrt(np.mean((exact.mean - truth) ** 2))


LAWS = {
    "gamma": lambda rng, size: (rng.gamma(4, 1, size) - 4) / 2,
    "exponential": lambda rng, size: rng.exponential(size=size) - 1,
    "uniform": lambda rng, size: rng.uniform(-1.7, 1.7, size),
    "half normal": lambda rng, size: (np.abs(rng.normal(size=size)) - 0.8) / 0.6,
    "t3": lambda rng, size: rng.standard_t(3, size) / 1.7,
    "clipped": lambda rng, size: np.maximum(-1, rng.normal(size=size)),
}


@pytest.mark.parametrize("law", LAWS)
def test_a_skewed_or_cut_off_population_is_not_taken_for_selection(law: str):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 4))
    y = x @ rng.normal(size=(4, 3)) * 0.5 + 0.7 * LAWS[law](rng, (800, 3))
    observed = np.ones((800, 7), bool)
    observed[:, 4:] = rng.random((800, 3)) > 0.2
    rows = table(np.column_stack([x, y]), observed)
    done, plain = completed(rows, 100), Chained().fit(rows, 0).impute(rows)
    assert forms(done) == ["none"] * 3
    np.testing.assert_array_equal(done.values, plain.values)
    truth = y[~observed[:, 4:]]
    inside = (done.draws.lower <= truth) & (truth <= done.draws.upper)
    assert inside.mean() == pytest.approx(0.95, abs=0.04)


def test_what_is_not_identified_is_said_with_its_range():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(800, 2))
    y = x.sum(1) + rng.gamma(3, 1, 800)
    observed = np.column_stack([np.ones((800, 2), bool), rng.random(800) > 0.3])
    found = completed(table(np.column_stack([x, y]), observed)).diagnostics
    (line,) = found["warnings"]
    assert "not identified" in line
    column = found["columns"]["x2"]
    assert column["selection"] == "none"
    assert column["lowest_mean"] < column["highest_mean"]
    assert f"{column['highest_mean']:+.2f} sds" in column["verdict"]


@pytest.mark.parametrize("by", ["value", "column"])
def test_a_slope_is_used_where_blanks_go_with_the_prediction_alone(by: str):
    """By one of the other columns they are at random given what is seen, with the same strength."""
    rng = np.random.default_rng(0)
    others = rng.normal(size=(600, 4))
    values = np.column_stack([others, others @ rng.normal(size=(4, 6)) * 0.6 + 0.8 * rng.normal(size=(600, 6))])
    observed = np.ones(values.shape, bool)
    drives = values[:, 4:] if by == "value" else others[:, [0, 1, 2, 3, 0, 1]]
    observed[:, 4:] = rng.random((600, 6)) > expit(1.2 * drives - 1)
    rows = table(values, observed)
    done, plain = completed(rows), Chained().fit(rows, 0).impute(rows)
    if by == "value":
        assert set(forms(done)) == {"slope"}
        error, plain_error = (np.sqrt(np.mean((d.values - values)[~observed] ** 2)) for d in (done, plain))
        assert error < 0.95 * plain_error
    else:
        assert set(forms(done)) == {"none"}
        np.testing.assert_array_equal(done.values, plain.values)


def test_columns_without_a_threshold_are_filled_by_chained_equations_given_those_with_one():
    """Numbers that hide above, a number and a level at random; whole numbers stay whole, draws stay in bounds."""
    problem = benchmark(SelfMasking, 1000, 12)
    values, seen = problem.train.values.copy(), problem.train.observed.copy()
    rng = np.random.default_rng(0)
    truth = problem.answers["train"].values
    values[:, 5] = np.round(10 * values[:, 5])
    level = (truth[:, 6] + 0.3 * rng.normal(size=1000) > 0).astype(float)
    values, seen = np.column_stack([values, level]), np.column_stack([seen, rng.random(1000) > 0.2])
    seen[:, 0] &= rng.random(1000) > 0.1
    columns = [Column("whole", "integer") if j == 5 else Column(f"x{j}") for j in range(12)]
    rows = table(values, seen, *columns, Column("level", "categorical", ("no", "yes")))
    method = Selection(mean="linear").fit(rows, 0)
    done = method.impute(rows, 20)
    assert forms(done).count("residual") == 7
    hidden = ~seen
    assert done.values[hidden[:, 5], 5].max() > np.nanmax(rows.values[:, 5])
    drawn = done.draws.samples[:, done.draws.cells[:, 1] == 5]
    assert (drawn % 1 == 0).all()
    assert drawn.min() >= np.nanmin(rows.values[:, 5])
    assert set(done.values[hidden[:, 12], 12]) == {0, 1}
    assert set(method.level_probabilities(rows)) == {12}
    new = rows.take(slice(0, 50))
    assert np.isfinite(method.impute(new, 3).draws.samples).all()


def test_a_saved_model_gives_the_same_draws(tmp_path: Path):
    rows = benchmark(SelfMasking).train
    method = Selection(sweeps=2).fit(rows, 0)
    save_object(method, tmp_path / "model")
    once, again = method.impute(rows, 20), load_object(tmp_path / "model").impute(rows, 20)
    np.testing.assert_array_equal(again.values, once.values)
    np.testing.assert_array_equal(again.draws.samples, once.draws.samples)


def test_without_selection_it_is_chained_equations():
    rows = benchmark(SelfMasking).train
    done = completed(rows, 5, select=False)
    plain = Chained().fit(rows, 0).impute(rows, 5)
    np.testing.assert_array_equal(done.values, plain.values)
    np.testing.assert_array_equal(done.draws.samples, plain.draws.samples)


def test_nothing_is_sought_where_blanks_may_be_meaningful():
    rows = benchmark(SelfMasking).train
    asked = replace(rows, columns=(*rows.columns[:-1], replace(rows.columns[-1], mm_candidate=True)))
    found = completed(asked, mean="linear", sweeps=1).diagnostics["columns"][rows.columns[-1].name]
    assert found["selection"] == "none"
    assert "not asked" in found["verdict"]


@pytest.mark.parametrize("seed", range(3))
def test_levels_that_only_blank_rows_have_are_no_evidence(seed):
    """200 levels in 400 rows: many are seen in no row of a column's observed cells, and tell nothing of its blanks."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 200, 400)
    x = rng.normal(size=(400, 2))
    values = np.column_stack([levels, x[:, 0], x[:, 0] * 0.3 + x[:, 1]]).astype(float)
    observed = rng.random(values.shape) > 0.3
    names = tuple(f"l{i}" for i in range(200))
    columns = (Column("level", "categorical", names), Column("a", "continuous"), Column("b", "continuous"))
    rows = Incomplete(columns, np.where(observed, values, np.nan), observed)
    found = Selection(sweeps=1).fit(rows, 0).impute(rows).diagnostics["columns"]
    assert {of["selection"] for of in found.values()} == {"none"}
