"""TensorBoard and Weights & Biases hold what the record says, without a network and without MLflow."""

from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lacuna import errors
from lacuna.config.compose import compose, plain
from lacuna.errors import MissingPackage
from lacuna.records.record import Record, read_record
from lacuna.runner import experiment
from lacuna.runner.experiment import Outcome
from lacuna.runner.tracking import forgiven, is_published, metrics, open_tracker

EXTRAS = Path(__file__).parents[1] / "extras"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.syspath_prepend(str(EXTRAS))
    small = ["method=drift", "dataset.n_train=120", "dataset.n_test=40", "device=cpu", f"outputs={tmp_path}"]
    return experiment.run(plain(compose(small, EXTRAS / "conf")), command="python run.py x")


def events(path: Path) -> list[Any]:
    """Of an event file: length, its checksum, the event, its checksum, and so on."""
    from tensorboard.compat.proto.event_pb2 import Event

    content, found, at = path.read_bytes(), [], 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        found.append(Event.FromString(content[at + 12 : at + 12 + length]))
        at += 12 + length + 4
    return found


def numbers(record: Record) -> list[tuple[str, float, int]]:
    return [(name, value, step) for name, value, step in metrics(record) if math.isfinite(value)]


def test_tensorboard_holds_the_record(outcome: Outcome, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    uri = f"tensorboard:{tmp_path}/board"
    tracker = open_tracker(uri, tmp_path)
    assert not is_published(outcome.record, outcome.folder, uri)
    assert tracker.publish(outcome.record, outcome.folder)
    assert not tracker.publish(outcome.record, outcome.folder)
    assert is_published(outcome.record, outcome.folder, uri)
    (path,) = tmp_path.glob("board/bayesnet/drift-mcar-0.1-0-*/events.out.tfevents.*")
    first, *others = events(path)
    assert first.file_version == "brain.Event:2"
    values = [(value, event.step) for event in others for value in event.summary.value]
    scalars = [(v.tag, v.simple_value, step) for v, step in values if v.HasField("simple_value")]
    assert [(tag, step) for tag, _, step in scalars] == [(name, step) for name, _, step in numbers(outcome.record)]
    assert [v for _, v, _ in scalars] == pytest.approx([value for _, value, _ in numbers(outcome.record)], rel=1e-6)
    plugins = {v.metadata.plugin_data.plugin_name for v, _ in values} - {""}
    assert plugins == {"hparams", "text"}

    outcome.record.finished = "2030-01-01T00:00:00.000+00:00"  # run anew
    assert tracker.publish(outcome.record, outcome.folder)
    assert len(list(tmp_path.glob("board/*/*/events*"))) == 1


def test_wandb_offline_holds_the_record(outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = open_tracker("wandb:mine", tmp_path)
    parent = tracker.parent("bayesnet", "key", "a sweep", "python run.py -m x")
    assert tracker.publish(outcome.record, outcome.folder, parent)
    assert not tracker.publish(outcome.record, outcome.folder, parent)
    (folder,) = tmp_path.glob(f"wandb/offline-run-*-{outcome.record.run}-*")
    (kept,) = (path.read_bytes() for path in folder.glob("*.wandb"))
    for text in ("a sweep (key)", "method.iterations", "test/rmse", "train/by_iteration/rmse"):
        assert text.encode() in kept, text
    assert read_record(folder / "files" / "run").run == outcome.record.run
    assert (outcome.folder / "config.yaml").read_text().startswith("dataset:")  # not written over


def test_of_credentialed_data_nothing_made_of_rows_leaves(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    outcome.record.credentialed = True
    open_tracker("wandb:mine", tmp_path).publish(outcome.record, outcome.folder)
    (files,) = tmp_path.glob("wandb/offline-run-*/files/run")
    assert {path.name for path in files.iterdir()} == {"config.yaml", "record.json"}


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_extra_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "find_spec", lambda package: None)
    said = (
        rf"tracking={name} needs {name}, not installed here: pip install 'lacuna-impute\[{name}\]' \(or tracking=none"
    )
    with pytest.raises(MissingPackage, match=r"pip install"):
        open_tracker(f"{name}:x", tmp_path)
    with pytest.warns(UserWarning, match=said), forgiven("this run", f"{name}:x"):
        open_tracker(f"{name}:x", tmp_path)


@pytest.mark.slow
def test_records_that_exist_are_brought_into_another_tracker(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    command = [sys.executable, str(ROOT / "run.py"), "-m", "method=mean_mode", "seed=0,1", "device=cpu"]
    command += ["dataset.n_train=100", "dataset.n_test=50", f"outputs={tmp_path}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    for tracking in ("none", "tensorboard"):
        subprocess.run([*command, f"tracking={tracking}"], env=environment, check=True, capture_output=True)
    assert len(list(tmp_path.glob("tensorboard/bayesnet/*/events*"))) == 2
    assert not list(tmp_path.glob("mlflow*"))
