"""Records: what identifies a run, and files that are whole or absent."""

from __future__ import annotations

import errno
import json
import math
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lacuna.config.compose import compose, plain
from lacuna.errors import StorageError
from lacuna.files import locked, sweep_temporaries, whole, write_text
from lacuna.records.record import Record, as_json, clear_record, find_records, read_record, run_folder, run_id


def config(*overrides: str) -> dict:
    return plain(compose(["method=mean_mode", "device=cpu", *overrides]))


@pytest.mark.parametrize(
    ("overrides", "same"),
    [
        (["outputs=/elsewhere"], True),
        (["tracking=none"], True),
        (["limits.seconds=5"], True),
        (["resume=false"], True),
        (["lacuna.debug=true"], True),
        (["seed=1"], False),
        (["ratio=0.2"], False),
        (["mask=mar"], False),
        (["method=always_na"], False),
        (["dataset.n_train=7"], False),
        (["budget=paper"], False),
        (["metrics=[acc]"], False),
    ],
)
def test_only_what_decides_numbers_decides_the_id(overrides: list[str], same: bool) -> None:
    assert (run_id(config(*overrides)) == run_id(config())) is same


def test_the_processes_that_share_the_work_decide_no_number() -> None:
    one, two = (config("method=forest_diffusion", f"method.jobs={jobs}") for jobs in (1, 2))
    assert run_id(one) == run_id(two)


def test_an_engine_counts_where_it_is_chosen() -> None:
    automatic, chosen = (config("method=missbgm", f"method.engine={engine}") for engine in ("auto", "reference"))
    before = {**automatic, "method": {key: value for key, value in automatic["method"].items() if key != "engine"}}
    assert run_id(automatic) == run_id(before)
    assert run_id(automatic) != run_id(chosen)


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("x\n1\n")
    second.write_text("x\n1\n")

    def run_id_of(path: Path) -> str:
        return run_id(config("dataset=csv", f"dataset.path={path}"))

    before = run_id_of(first)
    assert run_id_of(second) == before
    second.write_text("x\n2\n")
    assert run_id_of(second) != before


@pytest.mark.parametrize("dataset", ["concrete", "breast", "gisette"])
def test_a_run_has_one_id_wherever_its_files_are_kept(dataset: str, tmp_path: Path) -> None:
    asked = [f"dataset={dataset}", "mask=self_logistic"]
    here, there = (
        config(*asked, f"dataset.folder={tmp_path / name}", f"outputs={tmp_path / name}") for name in ("here", "there")
    )
    assert run_id(here) == run_id(there) == run_id(config(*asked))
    assert run_folder(here).relative_to(tmp_path / "here") == run_folder(there).relative_to(tmp_path / "there")


def test_a_built_cohort_counts_by_its_manifest(tmp_path: Path) -> None:
    ids = {}
    for name, content in (("a", "{1}"), ("moved", "{1}"), ("rebuilt", "{2}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(content)
        ids[name] = run_id(config("dataset=mimic_ed", f"dataset.folder={tmp_path / name}"))
    assert ids["a"] == ids["moved"] != ids["rebuilt"]


def test_the_folder_says_what_it_holds() -> None:
    settled = config("ratio=0.30", "seed=5", "outputs=/somewhere")
    folder = run_folder(settled)
    assert folder.parent == Path("/somewhere/runs/bayesnet/mean_mode/mcar-0.3")
    assert folder.name == f"seed5-{run_id(settled)}"


def test_a_record_survives_the_disk_and_nan_is_null(tmp_path: Path) -> None:
    record = Record("id", "name", config(), "python run.py", status="finished", finished="2026-01-01")
    record.scores = {"test/acc": 0.5, "test/mm_f1": math.nan}
    record.iterations = [{"iteration": 1, "scores": {"train/acc": math.inf}}]
    record.write(tmp_path)
    stored = json.loads((tmp_path / "record.json").read_text())
    assert stored["scores"] == {"test/acc": 0.5, "test/mm_f1": None}
    back = read_record(tmp_path)
    assert back is not None
    assert back.scores["test/acc"] == 0.5
    assert math.isnan(back.scores["test/mm_f1"])
    assert math.isnan(back.iterations[0]["scores"]["train/acc"])
    assert [found.name for _, found in find_records(tmp_path.parent, "nothing")] == []


BROKEN = ["", '{"run": "x"', "[]", '{"run": "x"}', '{"run": 1, "scores": null}', "\x00" * 50, "[" * 100_000]


def broken() -> Iterator[str]:
    yield from BROKEN
    good = {
        "run": "id",
        "name": "n",
        "config": config(),
        "command": "c",
        "status": "finished",
        "finished": "2026-01-01",
    }
    spoiled = [("config", None), ("config", {}), ("finished", None), ("finished", ""), ("scores", [1]), ("notes", "x")]
    for key, value in [*spoiled, ("iterations", {}), ("seconds", 3), ("status", "odd"), ("error", {}), ("run", None)]:
        yield json.dumps(good | {key: value})
    yield json.dumps(good | {"config": config() | {"names": "x"}})
    yield json.dumps(good | {"config": config() | {"ratio": None}})


def test_a_folder_in_the_place_of_a_record_counts_as_absent(tmp_path: Path) -> None:
    (tmp_path / "record.json").mkdir()
    with pytest.warns(UserWarning, match="record.json is not a whole record"):
        assert read_record(tmp_path) is None
    clear_record(tmp_path)
    assert read_record(tmp_path) is None
    assert len(list(tmp_path.iterdir())) == 1  # aside


@pytest.mark.parametrize("content", list(broken()))
def test_a_broken_record_counts_as_absent(tmp_path: Path, content: str) -> None:
    (tmp_path / "record.json").write_text(content)
    with pytest.warns(UserWarning, match="record.json is not a whole record"):
        assert read_record(tmp_path) is None


def test_no_record_is_no_warning(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


def test_arrays_by_cell_stay_out_of_json() -> None:
    given = {"rate": np.float32(0.5), "ids": np.arange(3), "cells": np.zeros((2, 2)), "deep": {"long": np.zeros(500)}}
    assert as_json(given) == {"rate": 0.5, "ids": [0, 1, 2], "deep": {}}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")

    def write_half() -> None:
        with whole(path) as temporary:
            temporary.write_text("half")
            raise OSError(number, "the disk says no")

    with pytest.raises(StorageError, match=r"cannot write .*record.json: the disk says no"):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with whole(tmp_path / "new") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".record.json.123.tmp").write_text("half")
    write_text(tmp_path / "record.json", "{}")
    sweep_temporaries(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def hold(folder: Path, ready: multiprocessing.synchronize.Event, seconds: float) -> None:
    with locked(folder):
        ready.set()
        time.sleep(seconds)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, 0.5))
    other.start()
    ready.wait()
    waited: list[bool] = []
    with locked(tmp_path, lambda: waited.append(True)):
        assert waited == [True]
        assert not other.is_alive() or other.join(1) is None
    other.join()
