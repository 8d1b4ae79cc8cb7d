"""MissBGM on small tables: what it must reach, and tables at the edge of what makes sense."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lacuna import saving
from lacuna.datasets.mnar_oracle import MNAROracle
from lacuna.errors import UserError
from lacuna.masks.mcar import MCAR
from lacuna.masks.self_masking import SelfMasking
from lacuna.methods.mean_mode import MeanMode
from lacuna.methods.missbgm import MissBGM, posterior
from lacuna.methods.missbgm import method as missbgm_method
from lacuna.metrics.numeric import rmse_all
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Imputation, Incomplete, Problem, Table

TINY: dict[str, Any] = {
    "epochs": 2,
    "egm_n_iter": 5,
    "burn_in": 4,
    "test_epochs": 2,
    "g_units": [8, 8],
    "e_units": [8, 8],
    "device": "cpu",
}


@cache
def self_masked() -> Problem:
    table = MNAROracle(300, 20).load(stream(0, "dataset"), stream(0, "split"))
    return hide(table, SelfMasking().draw(table, 0.3, stream(0, "mask")))


@cache
def fitted() -> MissBGM:
    settings: dict[str, Any] = {"epochs": 25, "g_units": [40, 40], "e_units": [40, 40], "egm_n_iter": 300}
    return MissBGM(**settings, burn_in=80, device="cpu").fit(self_masked().train, seed=0)


def score(imputation: Imputation) -> float:
    found = rmse_all(self_masked().answers["train"], imputation)
    assert found is not None
    return found


def test_it_beats_the_mean_and_its_own_start() -> None:
    problem, method = self_masked(), fitted()
    start = method.layout_.decode(method._first_completion(method.donors_, method.donors_seen_))
    start = np.where(problem.train.observed, problem.train.values, start)
    reached = score(method.impute(problem.train))
    assert reached < score(Imputation(start)) - 0.005
    assert reached < score(MeanMode().fit(problem.train).impute(problem.train)) - 0.1


def test_training_rows_as_new_rows_fare_alike() -> None:
    problem, method = self_masked(), fitted()
    _, x = method._refined(problem.train)
    new = np.where(problem.train.observed, problem.train.values, method.layout_.decode(x))
    assert score(Imputation(new)) == pytest.approx(score(method.impute(problem.train)), rel=0.02)


def test_known_rows_keep_their_state_in_any_company() -> None:
    problem, method = self_masked(), fitted()
    known = method.impute(problem.train).values
    stranger = replace(problem.train, values=problem.train.values + 0.01)
    rows = [5, 250, 3]
    mixed = Incomplete(
        problem.train.columns,
        np.concatenate([problem.train.values[rows], stranger.values[:2]]),
        np.concatenate([problem.train.observed[rows], stranger.observed[:2]]),
    )
    np.testing.assert_array_equal(method.impute(mixed).values[:3], known[rows])


def test_draws_surround_the_most_probable_table() -> None:
    problem, method = self_masked(), fitted()
    done = method.impute(problem.train, draws=100)
    draws = done.draws
    assert draws is not None
    assert draws.samples is not None
    at = tuple(draws.cells.T)
    mean = done.values.copy()
    mean[at] = draws.mean
    assert score(Imputation(mean)) == pytest.approx(score(done), rel=0.05)
    inside = (draws.lower <= done.values[at]) & (done.values[at] <= draws.upper)
    assert inside.mean() > 0.9
    assert 0.4 < done.diagnostics["acceptance_z"] < 0.99
    assert 0.4 < done.diagnostics["acceptance_x"] < 0.99
    assert len(done.diagnostics["rhat"]) == 200
    assert done.diagnostics["ess_median"] > 5


def test_summaries_on_the_way_are_those_of_kept_draws() -> None:
    problem, method = self_masked(), fitted()
    kept = method.impute(problem.train, draws=30).draws
    method.draws_gb = 0.0
    streamed = method.impute(problem.train, draws=30).draws
    method.draws_gb = 2.0
    assert kept is not None
    assert streamed is not None
    assert streamed.samples is None
    for name in ("mean", "sd", "lower", "upper"):
        np.testing.assert_allclose(getattr(streamed, name), getattr(kept, name), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("adaptation", ["simple", "dual_averaging", "per_row"])
def test_every_adaptation_samples(adaptation: Any) -> None:
    train = self_masked().train
    method = MissBGM(**{**TINY, "burn_in": 60, "adaptation": adaptation}).fit(train, seed=0)
    done = method.impute(train, draws=20)
    assert done.draws is not None
    assert np.isfinite(done.draws.mean).all()
    assert 0.4 < done.diagnostics["acceptance_z"] < 0.99


def test_a_saved_model_imputes_alike(tmp_path: Path) -> None:
    problem, method = self_masked(), fitted()
    saving.save_object(method, tmp_path / "model")
    loaded = saving.load_object(tmp_path / "model")
    new = problem.train.take(np.arange(3))
    new = replace(new, values=new.values + 0.5)
    np.testing.assert_array_equal(loaded.impute(new).values, method.impute(new).values)
    ours, theirs = (m.impute(new, draws=5).draws for m in (method, loaded))
    np.testing.assert_array_equal(ours.samples, theirs.samples)


def test_bayesian_networks_impute_new_rows_the_same_twice() -> None:
    problem = self_masked()
    method = MissBGM(**TINY, use_bnn=True).fit(problem.train, seed=0)
    new = problem.train.take(np.arange(4))
    new = replace(new, values=new.values + 0.5)
    first = method.impute(new, draws=3)
    np.testing.assert_array_equal(method.impute(new).values, first.values)


# --- tables at the edge -------------------------------------------------------------------------------------------


def complete(values: np.ndarray, columns: tuple[Column, ...] | None = None) -> Incomplete:
    columns = columns or tuple(Column(f"x{j}") for j in range(values.shape[1]))
    return Incomplete(columns, values, ~np.isnan(values))


def holes(values: np.ndarray, rate: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(1)
    hidden = rng.random(values.shape) < rate
    hidden[0] = False
    return np.where(hidden, np.nan, values)


def normal(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d))


def one_value_in_a_column() -> Incomplete:
    values = holes(normal(40, 3))
    values[1:, 2] = np.nan
    return complete(values)


def an_empty_row() -> Incomplete:
    values = holes(normal(40, 3))
    values[7] = np.nan
    return complete(values)


def all_categorical() -> Incomplete:
    columns = (Column("a", "categorical", (0, 1)), Column("b", "categorical", ("x", "y", "z")))
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, 60)
    return complete(holes(np.stack([a, np.where(rng.random(60) < 0.9, a, 2)], 1).astype(float)), columns)


EDGES = {
    "a single column": lambda: complete(holes(normal(40, 1))),
    "nothing hidden": lambda: complete(normal(40, 3)),
    "one value in a column": one_value_in_a_column,
    "a row without values": an_empty_row,
    "fewer rows than a batch": lambda: complete(holes(normal(7, 3))),
    "a single row": lambda: complete(normal(1, 3)),
    "a constant column": lambda: complete(holes(np.concatenate([normal(40, 2), np.ones((40, 1))], 1))),
    "values of huge size": lambda: complete(holes(1e9 * normal(40, 3) + 1e12)),
    "all categorical": all_categorical,
    "a thousand columns": lambda: complete(holes(normal(30, 1000))),
}


@pytest.mark.parametrize("name", EDGES)
def test_tables_at_the_edge(name: str) -> None:
    rows = EDGES[name]()
    method = MissBGM(**TINY).fit(rows, seed=0)
    done = method.impute(rows, draws=3)
    assert np.isfinite(done.values).all()
    np.testing.assert_array_equal(done.values[rows.observed], rows.values[rows.observed])
    assert done.draws is not None
    assert len(done.draws.mean) == rows.hidden.sum()
    assert np.isfinite(done.draws.mean).all()


def test_divergence_is_one_clear_error() -> None:
    rows = complete(holes(normal(40, 3)))
    with pytest.raises(UserError, match=r"MissBGM diverged in epoch 1 \(loss .*\): standardise the columns"):
        MissBGM(**TINY, lr_theta=1e30).fit(rows, seed=0)


def test_levels_that_follow_from_each_other_are_found() -> None:
    """A category that is a function of a number, hidden at random: nearly always right, in draws as well."""
    rng = np.random.default_rng(0)
    number = rng.normal(size=300)
    values = np.stack([number, number + 0.1 * rng.normal(size=300), np.digitize(number, [-0.5, 0.5])], 1)
    columns = (Column("a"), Column("b"), Column("c", "categorical", ("low", "middle", "high")))
    table = Table("t", columns, values, np.zeros(values.shape, bool))
    problem = hide(table, MCAR().draw(table, 0.2, rng))
    settings: dict[str, Any] = {"epochs": 60, "g_units": [32, 32], "e_units": [32, 32], "egm_n_iter": 200}
    method = MissBGM(**settings, burn_in=50, device="cpu").fit(problem.train, seed=0)
    done = method.impute(problem.train, draws=50)
    hidden = problem.answers["train"].ordinary[:, 2] & problem.train.observed[:, :2].any(1)
    assert (done.values[hidden, 2] == values[hidden, 2]).mean() > 0.8
    assert done.draws is not None
    assert done.draws.samples is not None
    mine = done.draws.cells[:, 1] == 2
    assert set(np.unique(done.draws.samples[:, mine])) <= {0.0, 1.0, 2.0}


def test_arguments_are_checked_by_name() -> None:
    for wrong, message in (
        ({"beta": -0.1}, "beta must be at least 0, got -0.1"),
        ({"alpha": 1.0}, r"alpha must lie in \(0, 1\), got 1.0"),
        ({"g_units": []}, r"g_units must be a list of positive widths, got \[\]"),
        ({"lr_z": 0.0}, "lr_z must be positive, got 0.0"),
        ({"momentum": "some"}, "momentum must be one of dense, batch, got 'some'"),
    ):
        with pytest.raises(ValueError, match=message):
            MissBGM(**wrong)  # type: ignore[arg-type]


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    MissBGM(**TINY).fit(complete(normal(20, 2)), seed=0)
    assert torch.get_num_threads() == before


def test_threads_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(posterior.ROOM, "cpu", 0)
    monkeypatch.setattr(posterior, "FEWEST_ROWS", 32)
    train, method, before = self_masked().train.take(np.arange(80)), fitted(), torch.get_num_threads()
    found = []
    for n_threads in (1, 3):
        torch.set_num_threads(n_threads)
        try:
            found.append(method.impute(train, draws=4).draws.samples)
            assert torch.get_num_threads() == n_threads
        finally:
            torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_a_large_table_takes_neighbours_from_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missbgm_method, "PAIRS", 60 * 10)
    monkeypatch.setattr(missbgm_method, "FEWEST_DONORS", 1)
    values = holes(5 + normal(60, 3))
    values[30:, 2] = np.nan  # the part may show little of a column
    method = MissBGM(**TINY, standardise=False).fit(complete(values), seed=0)
    assert len(method.donors_) == 10
    np.testing.assert_allclose(method.center_, np.nanmean(values, axis=0), rtol=1e-5)
