"""Records that are collected, and what stays behind."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from lacuna import paths
from lacuna.config.compose import compose, plain
from lacuna.errors import UserError
from lacuna.records.record import Record, run_folder, run_id
from lacuna.runner.experiment import settled
from lacuna.tables.archive import read_archive, scan
from lacuna.tables.results import collect, restore

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
    results = tmp_path / "results"
    written, broken = collect(outputs / "runs", results)
    assert (written, broken) == (3, [])
    files = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    assert files == {"bayesnet/cmae.jsonl", "bayesnet/oracle.jsonl", "wine/mean_mode.jsonl"}
    assert not any(str(tmp_path) in (results / file).read_text() for file in files)
    originals = {kept.folder: kept.record.scores for kept in scan(outputs / "runs") if isinstance(kept.record, Record)}
    for kept in scan(results):
        assert isinstance(kept.record, Record)
        assert kept.record.scores == originals[kept.folder]
    (oracle,) = (r for r in read_archive([results]).records if r.config["names"]["method"] == "oracle")
    assert oracle.command == "python run.py method=oracle"
    assert oracle.error == "cannot read x.csv"
    assert oracle.diagnostics == {"train": {"kept": 1.5, "file": "b.npz"}}


def test_results_brought_back_to_runs_and_collected_again_are_the_same(
    outputs: Path, tmp_path: Path, fake: Fake
) -> None:
    odd = {"test/acc": math.nan, "test/rmse": 0.1 + 0.2, "test/mae": 1e-300}
    for seed in (0, 1):
        fake(outputs, ["method=oracle", "ratio=0.3", f"seed={seed}"], odd, error="größer", peak_memory_gb=math.nan)
    collect(outputs / "runs", tmp_path / "results")
    assert restore(tmp_path / "results", tmp_path / "runs") == (5, [])
    assert collect(tmp_path / "runs", tmp_path / "again") == (5, [])
    files = sorted((tmp_path / "results").rglob("*.jsonl"))
    for file in files:
        assert (tmp_path / "again" / file.relative_to(tmp_path / "results")).read_bytes() == file.read_bytes()
        folders = [json.loads(line)["folder"] for line in file.read_text().splitlines()]
        assert folders == sorted(folders)
    for kept in scan(tmp_path / "results"):
        assert json.loads((tmp_path / "runs" / kept.folder / "record.json").read_text()) == kept.stored
    assert restore(tmp_path / "results", tmp_path / "runs") == (0, [])


def test_a_result_gives_way_to_a_later_one_only(outputs: Path, tmp_path: Path, fake: Fake) -> None:
    collect(outputs / "runs", tmp_path / "results")
    assert collect(outputs / "runs", tmp_path / "results") == (0, [])
    fake(outputs, ["method=oracle"], {"test/acc": 0.8}, finished="2026-02-01")
    assert collect(outputs / "runs", tmp_path / "results") == (1, [])
    again = read_archive([tmp_path / "results"]).records
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
        archive = read_archive([outputs / "runs"])
        assert [line.split(":")[0] for line in archive.broken] == [str(path.relative_to(outputs / "runs"))]
        assert len(archive.records) == len(paths) - 1
    path.write_text(paths[0].read_text())  # moved to where another run lies
    assert "another run" in read_archive([outputs / "runs"]).broken[0]


def test_a_line_that_is_no_whole_record_is_named(outputs: Path, tmp_path: Path) -> None:
    collect(outputs / "runs", tmp_path / "results")
    file = tmp_path / "results" / "bayesnet" / "oracle.jsonl"
    whole = file.read_text()
    broken = {
        "cut off": whole[:300],
        "no record": '{"folder": "a"}',
        "status": whole.replace('"status":"finished"', '"status":"done"', 1),
        "moved": whole.replace('"folder":"', '"folder":"x', 1).replace('","record"', '0","record"', 1),
    }
    for content in broken.values():
        file.write_text(whole + content)
        archive = read_archive([tmp_path / "results"])
        (problem,) = archive.broken
        assert problem.startswith("bayesnet/oracle.jsonl, line 2: ")
        assert len(archive.records) == 3
        with pytest.raises(UserError, match=r"oracle\.jsonl, line 2: "):  # writing the file again would lose the line
            collect(outputs / "runs", tmp_path / "results")


def test_of_two_folders_with_one_run_the_later_finished_counts(tmp_path: Path, fake: Fake) -> None:
    fake(tmp_path / "a", ["method=oracle"], {"test/acc": 0.5}, finished="2026-01-02")
    fake(tmp_path / "b", ["method=oracle"], {"test/acc": 0.6}, finished="2026-01-01")
    for order in (("a", "b"), ("b", "a")):
        (record,) = read_archive([tmp_path / name for name in order]).records
        assert record.scores["test/acc"] == 0.5


@pytest.mark.skipif(not RESULTS.is_dir(), reason="no results are committed")
def test_committed_results_are_the_runs_that_their_configurations_ask_for() -> None:
    archive = read_archive([RESULTS])
    assert not archive.broken
    assert [run_id(record.config) for record in archive.records] == [record.run for record in archive.records]


@pytest.mark.skipif(not RESULTS.is_dir(), reason="no results are committed")
def test_committed_results_count_as_done_where_they_are_collected(tmp_path: Path) -> None:
    restore(RESULTS, tmp_path / "runs")
    asked = ["experiment=missbgm_table3", "method=mean_mode", "budget=paper", "device=cpu", f"outputs={tmp_path}"]
    for seed in (0, 1, 2):
        for dataset in ("wine", "concrete", "breast"):
            config = plain(compose([*asked, f"dataset={dataset}", f"seed={seed}"]))
            assert settled(config, run_folder(config)), (dataset, seed)
