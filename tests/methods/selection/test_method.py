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
from sklearn.ensemble import ExtraTreesRegressor

from lacuna.datasets.bayesnet import BayesNet
from lacuna.datasets.mnar_oracle import MNAROracle
from lacuna.masks.base import Mask
from lacuna.masks.mcar import MCAR
from lacuna.masks.self_masking import SelfMasking
from lacuna.methods.selection import Selection
from lacuna.methods.selection.diagnosis import decide, discoveries
from lacuna.methods.selection.widths import widths
from lacuna.metrics.numeric import rmse_all
from lacuna.metrics.uncertainty import uq_coverage
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.saving import load_object, save_object
from lacuna.types import Column, Imputation, Incomplete, Problem


@cache
def benchmark(mask: type[Mask], n: int = 600, p: int = 12, seed: int = 0) -> Problem:
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
            p_value=1e-9, advantage=advantage, slope=None, form=lambda chosen, _: "residual" if chosen else "none"
        )

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


def test_blanks_at_random_are_not_taken_for_selection():
    flagged = []
    for seed in range(8):
        problem = benchmark(MCAR, 250, 8, seed)
        done, plain = (completed(problem.train, mean="linear", sweeps=2, select=select) for select in (True, False))
        flagged.append({*forms(done)} != {"none"})
        assert rmse(problem, done) < 1.02 * rmse(problem, plain)
    assert sum(flagged) <= 2  # 0.05 of the tables by thresholds, and as many by slopes


@pytest.mark.parametrize("seed", [15, 18])
def test_levels_that_are_filled_do_not_tell_of_the_value_that_filled_them(seed: int):
    """What D2 and D3 are likely to be was learned from C2, where that is observed."""
    law = BayesNet(3000, 10).load(stream(seed, "dataset"), stream(seed, "split"))
    problem = hide(law, MCAR().draw(law, 0.3, stream(seed, "mask")))
    done = completed(problem.train, mean="linear", sweeps=1)
    assert done.diagnostics["columns"]["C2"]["selection"] == "none"


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


def test_soft_selection_by_the_value_is_pooled_over_columns():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 1)) + 0.7 * rng.normal(size=(500, 8))
    observed = rng.random(values.shape) > expit(1.2 * values - 1)
    rows = table(values, observed)
    done, plain = completed(rows, mean="linear"), completed(rows, mean="linear", select=False)
    assert {"slope"} <= set(forms(done))
    error, plain_error = (np.sqrt(np.mean((d.values - values)[~observed] ** 2)) for d in (done, plain))
    assert error < 0.95 * plain_error


def test_intervals_cover_where_blanks_of_a_row_are_filled_with_help_of_the_target():
    """Two columns and their sum: an observed sum tells the blank part, which then tells the sum."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(1500, 2))
    values = np.column_stack([parts, parts.sum(1) + 0.4 * rng.normal(size=1500)])
    observed = rng.random(values.shape) > 0.3
    rows = table(values, observed)
    draws = completed(rows, 200, mean="linear", select=False).draws
    truth = values[draws.cells[:, 0], draws.cells[:, 1]]
    inside = (draws.lower <= truth) & (truth <= draws.upper)
    assert inside.mean() == pytest.approx(0.95, abs=0.025)


def test_errors_of_cells_hidden_again_widen_what_is_left_out():
    rng = np.random.default_rng(0)
    left_out = [rng.normal(size=50_000), 2 * rng.normal(size=50_000)]
    hidden = [1.5 * rng.normal(size=50_000), 5 * rng.normal(size=50_000)]
    np.testing.assert_allclose(widths(left_out, hidden), [1.5, 2.5], rtol=0.02)
    few = widths(left_out, [hidden[0], hidden[1][:1]])
    assert few[1] == pytest.approx(1.5, rel=0.1)  # that of the other column
    assert widths(left_out, [0.1 * errors for errors in hidden]).tolist() == [1.0, 1.0]


def test_it_warns_where_blanks_go_with_other_columns():
    rng = np.random.default_rng(0)
    others = rng.normal(size=(2000, 2))
    value = others[:, 0] + rng.normal(size=2000)
    for log_odds, warned in ((1.5 * others.sum(1), True), (1.5 * value, False)):
        observed = np.ones((2000, 3), bool)
        observed[:, 2] = rng.random(2000) > expit(log_odds - 1)
        done = completed(table(np.column_stack([others, value]), observed), mean="linear")
        assert any("other columns" in line for line in done.diagnostics["warnings"]) == warned


def test_trees_are_used_where_they_predict_better():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (400, 2))
    values = np.column_stack([x, np.cos(3 * x[:, 0]) + 0.1 * rng.normal(size=400)])
    observed = np.ones(values.shape, bool)
    observed[:, 2] = rng.random(400) > 0.3
    rows = table(values, observed)
    errors = {
        mean: np.sqrt(np.mean((completed(rows, mean=mean).values - values)[~observed] ** 2))
        for mean in ("auto", "linear", "boosted")
    }
    assert errors["auto"] < 0.5 * errors["linear"]
    assert errors["boosted"] < 0.5 * errors["linear"]


def test_integers_may_lie_beyond_what_was_seen_where_they_hide_there():
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    e = rng.normal(size=2000)
    count = np.round(20 + 6 * x + 8 * e)
    observed = np.column_stack([np.ones(2000, bool), e < 0.6])
    rows = table(np.column_stack([x, count]), observed, Column("x"), Column("count", "integer"))
    done = completed(rows, 50, mean="linear")
    assert np.array_equal(done.values, np.round(done.values)) or np.isclose(done.values[:, 1] % 1, 0).all()
    assert done.draws.samples.max() > rows.values[observed[:, 1], 1].max()
    assert (done.draws.samples % 1 == 0).all()


def test_rows_one_at_a_time_are_rows_all_at_once():
    rows = benchmark(SelfMasking, 100, 7).train
    method = Selection(sweeps=2).fit(rows, 0)
    whole = method.impute(rows.take(slice(0, 10)))
    for i in range(10):
        np.testing.assert_allclose(method.impute(rows.take([i])).values[0], whole.values[i], rtol=1e-6, atol=1e-8)


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


def test_draws_that_do_not_fit_are_summarised():
    rows = benchmark(SelfMasking).train
    method = Selection(mean="linear", sweeps=2).fit(rows, 0)
    kept = method.impute(rows, 20).draws
    method.draws_gb = 0.0
    summarised = method.impute(rows, 20).draws
    assert summarised.samples is None
    np.testing.assert_array_equal(summarised.lower, kept.lower)


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
    """70% of each target hidden, some 150 cells seen."""
    table = MNAROracle(500, 20).load(stream(2, "dataset"), stream(2, "split"))
    problem = hide(table, SelfMasking().draw(table, 0.7, stream(2, "mask")))
    done = completed(problem.train, mean="linear")
    exact = problem.law.posterior(problem.train).regular
    truth = problem.answers["train"].values[problem.train.hidden]
    assert forms(done) == ["residual"] * 15
    assert rmse(problem, done) < 1.08 * np.sqrt(np.mean((exact.mean - truth) ** 2))


def test_a_saved_model_with_random_trees_gives_the_same_draws(tmp_path: Path):
    rng = np.random.default_rng(0)
    values = rng.uniform(-2, 2, (120, 3))
    values[:, 2] = np.cos(3 * values[:, 0]) + 0.1 * rng.normal(size=120)
    rows = table(values, rng.random(values.shape) > 0.2)
    method = Selection(sweeps=2).fit(rows, 0)
    assert any(isinstance(part, ExtraTreesRegressor) for m in method.models_.values() for part in m.mean.parts)
    save_object(method, tmp_path / "model")
    once, again = method.impute(rows, 20), load_object(tmp_path / "model").impute(rows, 20)
    np.testing.assert_array_equal(again.values, once.values)
    np.testing.assert_array_equal(again.draws.samples, once.draws.samples)


def test_nothing_is_sought_where_blanks_may_be_meaningful():
    rows = benchmark(SelfMasking).train
    asked = replace(rows, columns=(*rows.columns[:-1], replace(rows.columns[-1], mm_candidate=True)))
    found = completed(asked, mean="linear", sweeps=1).diagnostics["columns"][rows.columns[-1].name]
    assert found["selection"] == "none"
    assert "not asked" in found["verdict"]
