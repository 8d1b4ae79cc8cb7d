"""Settings of a method searched by held-out error."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from lacuna import paths
from lacuna.errors import UserError
from lacuna.records.record import find_records, run_id
from lacuna.sweeps.expand import overrides_of_jobs
from lacuna.sweeps.search_space import search_space
from lacuna.sweeps.tuning import SCORE, open_study, search

optuna = pytest.importorskip("optuna")
ROOT = Path(__file__).parents[2]
FIXED = ["device=cpu", "tracking=none", "dataset.n_train=60", "dataset.n_test=20"]


@pytest.fixture
def multirun(tmp_path: Path) -> Iterator[DictConfig]:
    with initialize_config_dir(str(paths.CONF), version_base="1.3"):
        overrides = [*FIXED, f"outputs={tmp_path}", "hydra.mode=MULTIRUN", "hydra.sweep.dir=sweep"]
        yield hydra_compose("config", [*overrides, "hydra/sweeper=optuna"], return_hydra_config=True)


def typed(config: DictConfig, *overrides: str) -> DictConfig:
    config.hydra.overrides.task = list(overrides)
    return config


@pytest.mark.parametrize(
    ("value", "distribution"),
    [
        ("interval(0.5,2)", optuna.distributions.FloatDistribution(0.5, 2)),
        ("tag(log,interval(1e-4,1))", optuna.distributions.FloatDistribution(1e-4, 1, log=True)),
        ("int(interval(1,8))", optuna.distributions.IntDistribution(1, 8)),
        ("tag(log,int(interval(1,8)))", optuna.distributions.IntDistribution(1, 8, log=True)),
        ("range(2,9,3)", optuna.distributions.IntDistribution(2, 8, step=3)),
        ("range(9,2,-3)", optuna.distributions.IntDistribution(3, 9, step=3)),
        ("range(0.5,1.2,0.25)", optuna.distributions.FloatDistribution(0.5, 1.0, step=0.25)),
        ("16,32", optuna.distributions.CategoricalDistribution(["16", "32"])),
        ("choice(or,'a b')", optuna.distributions.CategoricalDistribution(["or", "a\\ b"])),
    ],
)
def test_the_override_grammar_is_the_search_space(multirun: DictConfig, value: str, distribution: object) -> None:
    space = search_space(typed(multirun, "seed=3", f"method.x={value}"))
    assert space.fixed == ["seed=3"]
    assert space.dimensions == {"method.x": distribution}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method=knn"], "nothing to search"),
        (["method=knn", "seed=0,1"], "give one seed"),
        (["method=knn", "method.neighbours=interval(9,1)"], "cannot be searched"),
        (["method=knn", "method.neighbours=interval(1,9)"], r"valid integer, got .*write int\(interval"),
        (["method=knn", "method.neighbors=range(1,9)"], "did you mean 'neighbours'"),
        (["method=knn", "method.neighbours=range(1,9)", "downstream=xgboost"], "downstream"),
    ],
)
def test_what_cannot_be_searched_is_told_in_a_line(multirun: DictConfig, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        search(typed(multirun, *overrides))


def test_an_interval_in_a_plain_sweep_names_the_sweeper(multirun: DictConfig) -> None:
    with pytest.raises(UserError, match=r"method.x=interval\(0,1\) has no list of values: add hydra/sweeper=optuna"):
        overrides_of_jobs(typed(multirun, "method.x=interval(0,1)"))


def test_the_same_search_has_the_same_study_and_no_run_outside_it_changes(multirun: DictConfig) -> None:
    overrides = ["method=knn", "method.neighbours=range(1,9)"]
    found = search(typed(multirun, *overrides))
    multirun.hydra.sweeper.n_trials = 99
    assert search(typed(multirun, *overrides)).folder == found.folder
    assert search(typed(multirun, *overrides, "seed=1")).folder != found.folder
    assert search(typed(multirun, *overrides, "held_out=0.2")).folder != found.folder
    plain = {**found.settled, "held_out": None}
    assert run_id(plain) == run_id({key: value for key, value in plain.items() if key != "held_out"})
    assert run_id(plain) != run_id(found.settled)


def start(outputs: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "run.py"), "-m", "hydra/sweeper=optuna", *FIXED, f"outputs={outputs}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, *arguments], env=environment, cwd=outputs, start_new_session=True, **pipes)


def trials(outputs: Path) -> list[tuple]:
    (folder,) = outputs.glob("sweeps/optuna-*")
    return [(t.number, t.params, t.value) for t in open_study(folder).trials]


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    space = ["method=boosting", "method.rounds=range(10,60,10)", "method.learning_rate=tag(log,interval(0.01,0.5))"]
    space += ["hydra.sweeper.n_trials=12"]
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    out, err = start(tmp_path / "whole", *space).communicate(timeout=240)
    for n_done in (1, 4, 11):
        killed = start(tmp_path / "broken", *space)
        deadline = time.monotonic() + 240
        while len(list((tmp_path / "broken").glob("runs/**/record.json"))) < n_done and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
    resumed = start(tmp_path / "broken", *space)
    again, _ = resumed.communicate(timeout=240)
    assert resumed.returncode == 0
    assert trials(tmp_path / "broken") == trials(tmp_path / "whole")
    assert len(trials(tmp_path / "whole")) == 12
    for _, record in find_records(tmp_path / "broken"):
        assert {key.split("/")[0] for key in record.scores} == {"held_out"}
        assert SCORE in record.scores

    best = min(trials(tmp_path / "whole"), key=lambda trial: trial[2])
    *_, told, line = out.splitlines()
    assert f"best of 12 trials by held-out error: {best[2]:.4g}, trial {best[0]}" in told, err
    assert line == again.splitlines()[-1].replace("broken", "whole")
    (written,) = (tmp_path / "whole").glob("sweeps/*/best.yaml")
    assert dict(OmegaConf.load(written).settings) == best[1]
    command = [sys.executable, str(ROOT / "run.py"), *shlex.split(line)[2:]]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "test" in done.stdout
