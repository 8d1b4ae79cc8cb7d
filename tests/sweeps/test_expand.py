"""The configurations of a sweep's jobs are those of the same commands on their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from lacuna import paths
from lacuna.config.compose import compose, plain
from lacuna.errors import MissingPackage, UserError
from lacuna.runner import experiment
from lacuna.sweeps.expand import overrides_of_jobs, settle_jobs

FIXED = ["device=cpu", "tracking=none", "dataset.n_train=60"]


@pytest.fixture
def multirun(tmp_path: Path) -> Iterator[DictConfig]:
    with initialize_config_dir(str(paths.CONF), version_base="1.3"):
        overrides = [*FIXED, f"outputs={tmp_path}", "hydra.mode=MULTIRUN", "hydra.sweep.dir=sweep"]
        yield hydra_compose("config", overrides, return_hydra_config=True)


def test_every_job_is_what_its_command_alone_is(multirun: DictConfig, tmp_path: Path) -> None:
    multirun.hydra.sweeper.params = {"method": "mean_mode,knn", "ratio": "0.2,3e-1", "seed": "range(1,3)"}
    jobs = overrides_of_jobs(multirun)
    assert len(jobs) == 8
    found = settle_jobs(multirun, jobs)
    assert [(c["names"]["method"], c["ratio"], c["seed"]) for c in found][:3] == [
        ("mean_mode", 0.2, 1),
        ("mean_mode", 0.2, 2),
        ("mean_mode", 0.3, 1),
    ]
    GlobalHydra.instance().clear()  # it composes for one caller at a time
    alone = [plain(compose([*job, *FIXED, f"outputs={tmp_path}"])) for job in jobs]
    assert found == alone


def test_an_unknown_key_is_told_with_its_job(multirun: DictConfig) -> None:
    with pytest.raises(UserError, match=r"unknown key 'method.iterations'.*, in the job method=mean_mode method.it"):
        settle_jobs(multirun, [["seed=1", "method=mean_mode", "method.iterations=2"]])
    with pytest.raises(UserError, match="ratio must be less than 1"):
        settle_jobs(multirun, [["ratio=2"]])


def test_a_missing_package_fails_its_own_jobs_only(multirun: DictConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(config: dict) -> None:
        if config["names"]["method"] == "knn":
            raise MissingPackage("knn needs more")

    monkeypatch.setattr(experiment, "check", check)
    with pytest.warns(UserWarning, match="knn needs more"):
        found = settle_jobs(multirun, [["method=knn"], ["method=median"]])
    assert [each["names"]["method"] for each in found] == ["knn", "median"]
