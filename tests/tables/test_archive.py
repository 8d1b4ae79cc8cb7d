"""Records that are collected, and what stays behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lacuna import paths
from lacuna.config.compose import compose, plain
from lacuna.records.record import Record, parse_record, run_folder, run_id
from lacuna.runner.experiment import settled
from lacuna.tables.archive import collect, load

Fake = Callable[..., Record]
RESULTS = paths.PROJECT / "results"


@pytest.fixture
def outputs(tmp_path: Path, fake: Fake) -> Path:
    outputs = tmp_path / "machine"
    about = {"command": f"python run.py outputs={outputs} method=oracle", "error": f"cannot read {outputs}/x.csv"}
    diagnostics = {"train": {"long": list(range(50)), "kept": 1.5, "file": str(outputs / "a" / "b.npz")}}
    fake(outputs, ["method=oracle"], {"test/acc": 0.9}, diagnostics=diagnostics, **about)
    fake(outputs, ["method=mean_mode", "dataset=wine", "mask=self_logistic"], {"train/rmse_all": 1.0})
    fake(outputs, ["method=gain"], {}, status="failed", traceback="Traceback ...")
    fake(outputs, ["method=tabcsdi"], {}, status="interrupted", error="stopped by SIGINT")
    fake(outputs, ["method=cmae"], {}, status="timeout")
    return outputs


def test_results_are_records_without_folders_of_a_machine(outputs: Path, tmp_path: Path) -> None:
    written, broken = collect(outputs / "runs", tmp_path / "results")
    assert (written, broken) == (3, [])
    files = sorted((tmp_path / "results").rglob("*"))
    assert {path.name for path in files if path.is_file()} == {"record.json"}
    for path in files:
        if path.is_file():
            assert str(tmp_path) not in path.read_text()
            source = outputs / "runs" / path.relative_to(tmp_path / "results")
            assert parse_record(path).scores == parse_record(source).scores
    (oracle,) = (r for r in load([tmp_path / "results"]).records if r.config["names"]["method"] == "oracle")
    assert oracle.command == "python run.py method=oracle"
    assert oracle.error == "cannot read x.csv"
    assert oracle.diagnostics == {"train": {"kept": 1.5, "file": "b.npz"}}


def test_a_result_gives_way_to_a_later_one_only(outputs: Path, tmp_path: Path, fake: Fake) -> None:
    collect(outputs / "runs", tmp_path / "results")
    assert collect(outputs / "runs", tmp_path / "results") == (0, [])
    fake(outputs, ["method=oracle"], {"test/acc": 0.8}, finished="2026-02-01")
    assert collect(outputs / "runs", tmp_path / "results") == (1, [])
    again = load([tmp_path / "results"]).records
    assert [r.scores["test/acc"] for r in again if r.config["names"]["method"] == "oracle"] == [0.8]


def test_what_is_no_whole_record_is_named(outputs: Path) -> None:
    paths = sorted((outputs / "runs").rglob("record.json"))
    (path,) = (outputs / "runs").glob("*/oracle/*/*/record.json")
    text = path.read_text()
    broken = {
        "cut off": text[:300],
        "a list": "[]",
        "no scores": text.replace('"scores": {', '"scores": 3, "notes": {', 1),
        "status": text.replace('"status": "finished"', '"status": "done"', 1),
        "binary": "\x00\x01",
    }
    for content in broken.values():
        path.write_text(content)
        archive = load([outputs / "runs"])
        assert [line.split(":")[0] for line in archive.broken] == [str(path.relative_to(outputs / "runs"))]
        assert len(archive.records) == len(paths) - 1
    path.write_text(paths[0].read_text())  # moved to where another run lies
    assert "another run" in load([outputs / "runs"]).broken[0]


def test_of_two_folders_with_one_run_the_later_finished_counts(tmp_path: Path, fake: Fake) -> None:
    fake(tmp_path / "a", ["method=oracle"], {"test/acc": 0.5}, finished="2026-01-02")
    fake(tmp_path / "b", ["method=oracle"], {"test/acc": 0.6}, finished="2026-01-01")
    for order in (("a", "b"), ("b", "a")):
        (record,) = load([tmp_path / name for name in order]).records
        assert record.scores["test/acc"] == 0.5


@pytest.mark.skipif(not RESULTS.is_dir(), reason="no results are committed")
def test_committed_results_are_the_runs_that_their_configurations_ask_for() -> None:
    archive = load([RESULTS])
    assert not archive.broken
    assert [run_id(record.config) for record in archive.records] == [record.run for record in archive.records]


@pytest.mark.skipif(not RESULTS.is_dir(), reason="no results are committed")
def test_committed_results_count_as_done_where_they_are_collected(tmp_path: Path) -> None:
    collect(RESULTS, tmp_path / "runs")
    asked = ["experiment=missbgm_table3", "method=mean_mode", "budget=paper", "device=cpu", f"outputs={tmp_path}"]
    for seed in (0, 1, 2):
        for dataset in ("wine", "concrete", "breast"):
            config = plain(compose([*asked, f"dataset={dataset}", f"seed={seed}"]))
            assert settled(config, run_folder(config)), (dataset, seed)
