"""One suite for whatever conf/ holds: a new method, mask, data set or metric is tested by being there.

``tests/tiny.yaml`` says how to make one small.
"""

from __future__ import annotations

import os
import random
import re
import socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from sklearn.ensemble._forest import BaseForest

from lacuna import paths
from lacuna.config.compose import compose, plain
from lacuna.config.instantiate import instantiate
from lacuna.errors import MissingPackage, MissingWeights, NothingToScore, UserError
from lacuna.masks.mcar import MCAR
from lacuna.methods.base import Method
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.runner import experiment
from lacuna.types import Column, Imputation, Incomplete, Problem, Table, where

TINY: Any = OmegaConf.load(Path(__file__).parent / "tiny.yaml")
CSV = "size,kind,date\n" + "".join(f"{i},{'ab'[i % 2]},2024-01-{i % 28 + 1:02d}\n" for i in range(40)) + ",,\n"


def ids(group: str) -> list[str]:
    return sorted(path.stem for path in (paths.CONF / group).glob("*.yaml"))


def tiny(group: str, name: str, **paths: Any) -> list[str]:
    return [override.format(**paths) for override in TINY.get(group, {}).get(name, [])]


@pytest.fixture(autouse=True)
def _small_forests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten trees a forest where the number is the package's own affair: its 100 take a minute of these tests."""
    if re.search(r"\[(.*-)?(missforest|hyperimpute)[\]-]", request.node.name):
        fit = BaseForest.fit

        def of_ten(self: BaseForest, *args: object, **options: object) -> object:
            self.n_estimators = min(self.n_estimators, 10)
            return fit(self, *args, **options)

        monkeypatch.setattr(BaseForest, "fit", of_ten)


@pytest.fixture(scope="session")
def csv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "small.csv"
    path.write_text(CSV)
    return path


# --- problems to try methods on ----------------------------------------------------------------------------------


@cache
def mixed() -> Problem:
    """150 rows of every kind of column, with blanks that mean something in two of them."""
    rng = stream(0, "mixed")
    columns = (
        Column("height", "continuous"),
        Column("income", "continuous", mm_candidate=True),
        Column("children", "integer"),
        Column("city", "categorical", ("Bonn", "Rome", "Oslo"), mm_candidate=True),
        Column("smokes", "categorical", (False, True)),
    )
    n = 150
    latent = rng.normal(size=n)
    city = rng.integers(0, 3, n)
    smokes = rng.random(n) < 1 / (1 + np.exp(-latent))
    values = np.stack([170 + 8 * latent, 40 + 9 * latent, 2 + np.round(latent), city, smokes], axis=1)
    meaningful = np.zeros(values.shape, bool)
    meaningful[:, 1] = latent > 1
    meaningful[:, 3] = rng.random(n) < 0.1
    train_rows = np.arange(n) < 110
    table = Table("mixed", columns, np.where(meaningful, np.nan, values), meaningful, train_rows)
    return hide(table, MCAR().draw(table, 0.15, stream(0, "mask")))


@cache
def of_config(*overrides: str) -> Problem:
    cfg = compose(["method=mean_mode", "device=cpu", *overrides])
    table = instantiate(cfg.dataset, "dataset").load(stream(0, "dataset"), stream(0, "split"))
    return hide(table, instantiate(cfg.mask, "mask").draw(table, 0.3, stream(0, "mask")))


def without_candidates(problem: Problem) -> Problem:
    columns = tuple(replace(column, mm_candidate=False) for column in problem.train.columns)
    splits = [None if rows is None else replace(rows, columns=columns) for rows in (problem.train, problem.test)]
    return replace(problem, train=splits[0], test=splits[1])


PROBLEMS: tuple[Callable[[], Problem], ...] = (
    mixed,
    lambda: of_config(*tiny("dataset", "bayesnet")),
    lambda: without_candidates(mixed()),
    lambda: of_config("dataset=mnar_oracle", "mask=self", *tiny("dataset", "mnar_oracle")),
    lambda: of_config("dataset=wine", "mask=self_logistic"),
    lambda: of_config("dataset=three_kinds", "mask=lost_or_self", *tiny("dataset", "three_kinds")),
)


# --- methods ------------------------------------------------------------------------------------------------------


def built_or_skipped(node: Any, where: str) -> Any:
    """A method whose package is not installed skips its test, unless the environment demands all baselines."""
    try:
        return instantiate(node, where)
    except MissingPackage as missing:
        if os.environ.get("LACUNA_REQUIRE_BASELINES") and "[baselines]" in str(missing):
            raise
        pytest.skip(str(missing))
    except MissingWeights as missing:
        pytest.skip(str(missing))


def fresh(method: str, problem: Problem) -> Method:
    cfg = compose([f"method={method}", "budget=quick", "device=cpu", *tiny("method", method)])
    built = built_or_skipped(cfg.method, "method")
    if built.needs_law:
        built.law = problem.law
    return built


@dataclass(frozen=True)
class Fitted:
    problem: Problem
    method: Method
    train: Imputation
    test: Imputation | None

    @property
    def rows(self) -> Incomplete:
        return self.problem.test or self.problem.train

    @property
    def done(self) -> Imputation:
        return self.test or self.train


@cache
def fitted(name: str) -> Fitted:
    """The method on the first problem that it serves."""
    reasons = []
    for make in PROBLEMS:
        problem = make()
        if reason := fresh(name, problem).unsupported(problem):
            reasons.append(reason)
            continue
        return fit(name, problem)
    pytest.fail(f"{name} serves no problem: {reasons}")


def fit(name: str, problem: Problem) -> Fitted:
    method = fresh(name, problem).fit(problem.train, seed=3)
    train = method.impute(problem.train)
    return Fitted(problem, method, train, None if problem.test is None else method.impute(problem.test))


def check_contract(rows: Incomplete, done: Imputation) -> None:
    assert done.values.shape == rows.values.shape
    np.testing.assert_array_equal(done.values[rows.observed], rows.values[rows.observed])
    assert np.isfinite(done.values).all()
    whole = where(rows.columns, kind="integer") | where(rows.columns, discrete=True)
    np.testing.assert_array_equal(done.values[:, whole], np.round(done.values[:, whole]))
    for j, column in enumerate(rows.columns):
        if column.discrete:
            assert done.values[:, j].min() >= 0
            assert done.values[:, j].max() < column.n_levels
    may_be = rows.hidden & rows.candidates
    if done.meaningful is not None:
        assert done.meaningful.dtype == bool
        assert not (done.meaningful & ~may_be).any()
    if done.meaningful_probability is not None:
        assert ((done.meaningful_probability >= 0) & (done.meaningful_probability <= 1)).all()
        assert not done.meaningful_probability[~may_be].any()


def global_state() -> tuple[Any, ...]:
    """What a process shares and a method might change."""
    numbers = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    return *numbers, torch.get_num_threads(), torch.get_float32_matmul_precision(), list(warnings.filters)


methods = pytest.mark.parametrize("name", ids("method"))


@methods
def test_method_keeps_what_is_observed_and_fills_the_rest(name: str) -> None:
    known = fitted(name)
    for split, rows in known.problem.splits.items():
        check_contract(rows, known.train if split == "train" else known.test)


@methods
def test_method_gives_the_same_numbers_for_the_same_seed(name: str) -> None:
    """Whatever ran before in this process, and without a trace for what runs after."""
    known = fitted(name)
    random.seed(7), np.random.seed(7), torch.manual_seed(7)  # noqa: NPY002
    before = global_state()
    again = fit(name, known.problem)
    np.testing.assert_array_equal(again.train.final, known.train.final)
    np.testing.assert_array_equal(again.done.final, known.done.final)
    assert global_state() == before


@methods
def test_method_gives_the_same_numbers_for_any_seed_where_it_says_so(name: str) -> None:
    known = fitted(name)
    if known.method.seeded:
        pytest.skip("the method says that its seed has a say")
    other = fresh(name, known.problem).fit(known.problem.train, seed=8).impute(known.problem.train)
    np.testing.assert_array_equal(other.final, known.train.final)


@methods
def test_method_leaves_complete_rows_alone(name: str) -> None:
    known = fitted(name)
    complete = Incomplete(known.rows.columns, known.done.values, np.ones(known.rows.observed.shape, bool))
    done = known.method.impute(complete)
    np.testing.assert_array_equal(done.values, complete.values)
    assert done.meaningful is None or not done.meaningful.any()


@methods
def test_method_takes_columns_in_any_order(name: str) -> None:
    problem = fitted(name).problem
    order = np.arange(len(problem.train.columns))[::-1]

    def turned(rows: Incomplete) -> Incomplete:
        columns = tuple(rows.columns[j] for j in order)
        return Incomplete(columns, rows.values[:, order], rows.observed[:, order])

    method = fresh(name, problem)
    if method.needs_law:
        pytest.skip("a law knows its columns by their place")
    rows = turned(problem.train)
    check_contract(rows, method.fit(rows, seed=3).impute(rows))


@methods
def test_method_refuses_a_column_without_a_value_by_name(name: str) -> None:
    train = fitted(name).problem.train
    observed = train.observed.copy()
    observed[:, 1] = False
    blank = Incomplete(train.columns, np.where(observed, train.values, np.nan), observed)
    with pytest.raises(UserError, match=repr(train.columns[1].name)):
        fresh(name, fitted(name).problem).fit(blank, seed=3)


@methods
def test_method_fills_columns_of_any_kind_with_one_observed_value(name: str) -> None:
    train = fitted(name).problem.train
    observed = train.observed.copy()
    observed[:, 1:4] &= observed[:, 1:4].cumsum(0) == 1
    rows = Incomplete(train.columns, np.where(observed, train.values, np.nan), observed)
    check_contract(rows, fresh(name, fitted(name).problem).fit(rows, seed=3).impute(rows))


@methods
def test_method_imputes_rows_alone_as_together_where_it_says_so(name: str) -> None:
    known = fitted(name)
    if not known.method.inductive:
        pytest.skip("the method says that it is not inductive")
    for i in np.flatnonzero(known.rows.hidden.any(1))[:4]:
        alone = known.method.impute(known.rows.take([i]))
        np.testing.assert_allclose(alone.values[0], known.done.values[i], rtol=1e-5, atol=1e-6)
        if alone.meaningful is not None:
            np.testing.assert_array_equal(alone.meaningful[0], known.done.meaningful[i])


@methods
def test_method_gives_draws_of_the_hidden_cells_or_says_that_it_has_none(name: str) -> None:
    known = fitted(name)
    try:
        done = known.method.impute(known.rows, draws=4)
    except UserError:
        return
    check_contract(known.rows, done)
    if (draws := done.draws) is None:
        return
    k = int(known.rows.hidden.sum())
    np.testing.assert_array_equal(draws.cells, np.argwhere(known.rows.hidden))
    for summary in (draws.mean, draws.sd, draws.lower, draws.upper):
        assert summary.shape == (k,)
        assert np.isfinite(summary).all()
    assert (draws.sd >= 0).all()
    assert (draws.lower <= draws.upper).all()
    if draws.samples is not None:
        assert draws.samples.shape == (4, k)


@dataclass(frozen=True)
class OtherUnits:
    """The same rows with their numbers in other units: ``factor * (values + offset)``, rounded nowhere."""

    columns: tuple[Column, ...]
    factor: float
    offset: float = 2.0**28

    def __post_init__(self) -> None:
        assert np.log2(self.factor).is_integer()

    def by_column(self) -> tuple[np.ndarray, np.ndarray]:
        """Factor and offset, (d,) each: whole numbers get whole ones, levels none."""
        number, whole = ~where(self.columns, discrete=True), where(self.columns, kind="integer")
        factor = np.where(whole, max(self.factor, 2.0**20), self.factor)
        return np.where(number, factor, 1.0), np.where(number, self.offset, 0.0)

    def encode(self, rows: Incomplete) -> Incomplete:
        factor, offset = self.by_column()
        return Incomplete(rows.columns, factor * (np.round(rows.values * 2**16) / 2**16 + offset), rows.observed)

    def decode(self, values: np.ndarray) -> np.ndarray:
        factor, offset = self.by_column()
        return values / factor - offset


@methods
def test_method_gives_the_same_answer_in_any_units(name: str) -> None:
    known = fitted(name)
    if known.method.needs_law:
        pytest.skip("a law has the units of its table")
    train, truth = known.problem.train, known.problem.answers["train"]
    numbers = truth.ordinary & ~where(train.columns, discrete=True)
    answers = []
    for units in (OtherUnits(train.columns, 2.0**-40), OtherUnits(train.columns, 2.0**30)):
        problem = replace(known.problem, train=units.encode(train), test=None)
        done = fit(name, problem).train
        check_contract(problem.train, done)
        answers.append(units.decode(done.values))
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-6)

    def error(values: np.ndarray) -> float:
        """In sds of the columns."""
        return float(np.sqrt((((values - truth.values) / np.nanstd(train.values, axis=0))[numbers] ** 2).mean()))

    # a column within the range that methods are trusted with is not brought to the very scale of the others
    assert error(answers[0]) == pytest.approx(error(known.train.values), rel=0.1, abs=0.1)


# --- data sets, masks, metrics, experiments -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ids("dataset"))
def test_dataset_loads_the_same_table_for_the_same_seed(
    name: str, csv_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: Any) -> None:
        raise OSError("tests do not download")

    monkeypatch.setattr(socket.socket, "connect", offline)
    cfg = compose([f"dataset={name}", "method=mean_mode", *tiny("dataset", name, csv=csv_file)])
    dataset = instantiate(cfg.dataset, "dataset")
    try:
        seeds = (1, 1 if dataset.seeded else 2)
        table, again = (dataset.load(stream(seed, "dataset"), stream(seed, "split")) for seed in seeds)
    except UserError as missing:
        pytest.skip(f"the data are not here: {missing}")
    assert table.digest == again.digest
    assert (table.train_rows is None) or (0 < table.train_rows.sum() < len(table.values))
    for j, column in enumerate(table.columns):
        seen = table.values[~np.isnan(table.values[:, j]), j]
        if column.discrete:
            assert set(seen) <= set(range(column.n_levels))
        if column.kind == "integer":
            np.testing.assert_array_equal(seen, np.round(seen))
        assert column.mm_candidate or not table.meaningful[:, j].any()


@pytest.mark.parametrize("name", ids("mask"))
def test_mask_hides_at_its_rate_and_the_same_for_the_same_seed(name: str, csv_file: Path) -> None:
    mask = instantiate(compose([f"mask={name}", "method=mean_mode", *tiny("mask", name, csv=csv_file)]).mask, "mask")
    for dataset, options in (
        ("bayesnet", ["dataset.n_train=3000"]),
        ("mnar_oracle", ["dataset.n=3000", "dataset.p=8"]),
        ("three_kinds", ["dataset.n_train=3000"]),
    ):
        cfg = compose([f"dataset={dataset}", "method=mean_mode", *options])
        table = instantiate(cfg.dataset, "dataset").load(stream(1, "dataset"), stream(1, "split"))
        if mask.unsupported(table):
            continue
        drawn, again = (mask.draw(table, 0.3, stream(seed, "mask")) for seed in (1, 1 if mask.seeded else 2))
        np.testing.assert_array_equal(drawn.ordinary, again.ordinary)
        assert drawn.ordinary.shape == table.values.shape
        assert drawn.ordinary.dtype == bool
        rates = np.array(list(drawn.rates(table.columns).values()))
        if not mask.equal_rates:
            exists = ~np.isnan(table.values)
            rates = (drawn.ordinary & exists).sum(0) / exists.sum(0)
            rates = rates[rates > 0].mean(keepdims=True)
        assert ((rates == 0) | (np.abs(rates - 0.3) < 0.05)).all()
        assert name == "none" or drawn.ordinary.any()
        return
    pytest.fail(f"{name} can be applied to none of the tables")


@pytest.mark.parametrize("name", ids("metric"))
def test_metric_is_a_number_or_absent(name: str) -> None:
    metric = instantiate(compose(["method=mean_mode", f"metrics=[{name}]"]).metrics, "metrics")[name]
    found = []
    for method in ("mean_mode", "always_na", "oracle"):
        known = fitted(method)
        rows, answer = known.rows, known.problem.answers["train" if known.test is None else "test"]
        assert len(rows) == len(answer.values)
        with suppress(NothingToScore):
            found.append(metric(answer, known.done))
    assert found
    assert all(value is None or isinstance(value, float) for value in found)


GROUPS = ("dataset", "mask", "method", "budget", "downstream", "tracking")
CONFIGS = [(group, name) for group in GROUPS for name in ids(group)]


@pytest.mark.parametrize(("group", "name"), CONFIGS)
def test_every_config_composes_and_builds(group: str, name: str, csv_file: Path) -> None:
    base = [] if group == "method" else ["method=mean_mode"]
    cfg = compose([*base, f"{group}={name}", *tiny(group, name, csv=csv_file)])
    if "_target_" in cfg[group]:
        assert built_or_skipped(cfg[group], group) is not None


@pytest.mark.parametrize("name", ids("experiment"))
def test_experiment_runs_its_first_job(name: str, tmp_path: Path, csv_file: Path) -> None:
    jobs = first_job(name)
    cfg = compose([f"experiment={name}", *jobs])
    small = [*tiny("dataset", cfg.names.dataset, csv=csv_file), *tiny("method", cfg.names.method)]
    small += [*tiny("experiment", name), "device=cpu", "tracking=none", f"outputs={tmp_path}"]
    record = experiment.run(plain(compose([f"experiment={name}", *jobs, *small]))).record
    assert record.status in ("finished", "unsupported"), record.error


def first_job(name: str) -> list[str]:
    """The first of the values that the experiment sweeps over, for each key."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    node: Any = OmegaConf.load(paths.CONF / "experiment" / f"{name}.yaml")
    params = OmegaConf.select(node, "hydra.sweeper.params") or {}
    overrides = OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in params.items()])
    return list(BasicSweeper.split_arguments(overrides, None)[0][0])
