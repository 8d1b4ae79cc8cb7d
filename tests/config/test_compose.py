"""Composition, resolvers, ranges, and objects from configs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from lacuna.config.compose import compose, literal
from lacuna.config.instantiate import instantiate
from lacuna.datasets.bayesnet import BayesNet
from lacuna.errors import UserError
from lacuna.methods.mean_mode import MeanMode
from lacuna.records.record import run_id
from lacuna.rng import stream

EXTRAS = Path(__file__).parents[1] / "extras"


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTRAS))


def settled(*overrides: str):
    return compose(["method=mean_mode", *overrides], EXTRAS / "conf")


def test_defaults_are_those_of_the_documentation() -> None:
    cfg = compose()
    assert (cfg.names.dataset, cfg.names.mask, cfg.names.method) == ("bayesnet", "mcar", "diffjoint")
    assert (cfg.ratio, cfg.seed, cfg.names.budget, cfg.names.tracking) == (0.1, 0, "auto", "mlflow")
    assert cfg.budget.name == ("paper" if cfg.device == "cuda" else "quick")


@given(st.text(st.sampled_from("$\\{}ab:.'\"")))
def test_literal_text_is_never_resolved(text: str) -> None:
    config = OmegaConf.create(literal({"a": text, "b": [text]}))
    assert OmegaConf.to_container(config, resolve=True) == {"a": text, "b": [text]}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ratio=1.7", "ratio must be less than 1, got 1.7"),
        ("ratio=0", "ratio must be greater than 0, got 0"),
        ("ratio=abc", "ratio must be a valid number, got 'abc'"),
        ("seed=-1", "seed must be greater than or equal to 0, got -1"),
        ("draws=-1", "draws must be greater than or equal to 0, got -1"),
        ("limits.seconds=0", "limits.seconds must be greater than 0, got 0"),
        ("device=gpu", "device must be 'cpu' or 'cuda', got 'gpu'"),
        ("methd=x", "unknown key 'methd': did you mean 'method'?"),
        ("+methd=x", "unknown key 'methd'"),
        ("method=mean_mod", "unknown method 'mean_mod': did you mean 'mean_mode'?"),
        ("experiment=nope", "unknown experiment 'nope'"),
        ("dataset.n_trian=3", "unknown key 'dataset.n_trian': did you mean 'n_train'?"),
        ("metrics=[accc]", "unknown metric 'accc': did you mean 'acc'?"),
        ("metrics=acc", "metrics must be all or a list such as [acc,rmse], got 'acc'"),
        ("score_iterations=[val]", "score_iterations.0 must be 'train' or 'test', got 'val'"),
        ("seed=0,1", "Ambiguous value for argument 'seed=0,1': add -m to run one job for each value"),
        ("ratio=[", "cannot read the override 'ratio=['"),
        ("dataset=csv", "dataset.path is not given: add dataset.path=..."),
        ("ratio=${nothing}", "Interpolation key 'nothing' not found"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        settled(override)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_every_method_is_listed_when_none_is_near() -> None:
    with pytest.raises(UserError, match=r"unknown method 'zzz' \(known: always_na, .*oracle"):
        settled("method=zzz")


@pytest.mark.parametrize(
    ("overrides", "iterations"),
    [
        (["budget=quick"], 2),
        (["budget=paper"], 10),
        (["budget=paper", "dataset=wine"], 3),
        (["budget=paper", "dataset=wine", "method.iterations=7"], 7),
        (["device=cpu"], 2),
    ],
)
def test_budget_and_dataset_choose_values_and_overrides_win(overrides: list[str], iterations: int) -> None:
    assert settled("method=scaled", *overrides).method.iterations == iterations


def test_metrics_are_chosen_by_name() -> None:
    assert list(settled("metrics=[rmse,acc]").metrics) == ["rmse", "acc"]
    assert len(settled().metrics) > 5


def test_a_method_on_top_of_another_takes_it_by_name() -> None:
    cfg = settled("method=wrapper", "method.base=scaled", "budget=paper")
    assert cfg.method.base.iterations == 10
    assert isinstance(instantiate(settled("method=wrapper").method, "method").base, MeanMode)
    with pytest.raises(UserError, match="unknown method 'mean_moda': did you mean 'mean_mode'"):
        settled("method=wrapper", "method.base=mean_moda")


def test_the_settings_of_a_method_below_another_are_given_with_it() -> None:
    whole = "method.base={_target_: lacuna.methods.external.ice.ICE, rounds: 2}"
    assert compose(["method=selective", whole]).method.base.rounds == 2
    with pytest.raises(UserError, match=r"to choose rounds, use 'method\.base=\{_target_: lacuna\.methods\.external"):
        compose(["method=selective", "method.base=ice", "method.base.rounds=2"])


def test_outputs_are_absolute_and_tracking_follows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    cfg = settled("outputs=here")
    assert cfg.outputs == str(tmp_path / "here")
    assert cfg.tracking.uri == f"sqlite:///{tmp_path}/here/mlflow.db"
    assert settled("tracking=none").tracking.uri is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    assert settled().tracking.uri == "http://somewhere"


NODE = {"_target_": "lacuna.datasets.bayesnet.BayesNet", "n_train": 10, "n_test": 5}


def test_build_calls_what_the_config_names() -> None:
    built = instantiate(NODE, "dataset")
    assert isinstance(built, BayesNet)
    assert (built.n_train, built.n_test) == (10, 5)
    bound = instantiate({"a": [1, {"_target_": "lacuna.rng.stream", "_partial_": True, "seed": 2}]}, "x")["a"][1]
    assert bound().random() == stream(2).random()


@pytest.mark.parametrize(("budget", "hidden"), [("paper", 1024), ("fast", 256), ("quick", 64)])
def test_a_budget_chooses_among_values(budget: str, hidden: int) -> None:
    cfg = compose(["method=diffjoint", f"budget={budget}"])
    assert (cfg.method.hidden, cfg.method.repeats) == (hidden, 10)
    assert compose(["method=gain", "budget=fast"]).method.iterations == 10_000  # none of its own: the paper's


def test_a_version_of_the_code_changes_the_id_and_nothing_else():
    config = OmegaConf.to_container(compose(["method=mean_mode"]))
    newer = config | {"method": config["method"] | {"_version_": 2}}
    assert run_id(newer) != run_id(config)
    assert vars(instantiate(newer["method"], "method")).keys() == vars(instantiate(config["method"], "method")).keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_train": "many"}, "dataset.n_train must be a valid integer, got 'many'"),
        ({"n_train": 1.5}, "dataset.n_train must be a valid integer, got 1.5"),
        ({"n_train": None}, "dataset.n_train must be a valid integer, got None"),
        ({"n_tests": 3}, "unknown key 'dataset.n_tests': did you mean 'n_test'?"),
        ({"n_train": 0}, "dataset: n_train must be at least 1"),
        ({"_target_": "lacuna.datasets.nowhere.Nothing"}, "dataset: cannot import lacuna.datasets.nowhere.Nothing"),
    ],
)
def test_build_refuses_in_one_line(change: dict, message: str) -> None:
    with pytest.raises(UserError) as caught:
        instantiate(NODE | change, "dataset")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_build_names_a_missing_argument() -> None:
    with pytest.raises(UserError, match=r"dataset\.path is not given"):
        instantiate({"_target_": "lacuna.datasets.csv.CSV"}, "dataset")
