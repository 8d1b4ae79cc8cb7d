"""Records -> MLflow, which shows and compares them. This is the only importer of mlflow.

A record is written before anything happens here, and everything here can be made good later by
``scripts/sync_mlflow.py``: one MLflow run for each record, found by the tag ``lacuna.run``, and one parent for
each sweep and data set, found by ``lacuna.sweep``.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import re
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from lacuna.errors import require
from lacuna.files import locked, whole
from lacuna.records.record import Record
from lacuna.runner.tracking import artifacts, metrics, note_published, parameters, run_title

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

COMPARED = ("dataset", "mask", "method")  # by these, ratio and seed runs are told apart, grouped and filtered
LONGEST_VALUE = 6000  # characters of a parameter that MLflow keeps
LONGEST_NAME = 250
PARENT = "mlflow.parentRunId"
DESCRIPTION = "mlflow.note.content"
STATUS = {"finished": "FINISHED", "unsupported": "FINISHED", "interrupted": "KILLED"}  # else FAILED
LOCK = ".mlflow.lock"


class Tracker:
    """MLflow at ``uri``; the artifacts of a local database lie beside it under ``outputs``."""

    def __init__(self, uri: str, outputs: Path) -> None:
        require("tracking=mlflow", "tracking", "mlflow")
        self.uri, self.outputs = uri, outputs
        self._local = uri.startswith("sqlite:")
        self._experiments: dict[str, str] = {}
        if self._local:
            with locked(outputs, name=LOCK):  # two processes that create the same fresh database break it
                _ensure_database(Path(uri.removeprefix("sqlite:///")))
                self.client = _quiet_client(uri)
                self.client.search_experiments(max_results=1)
        else:
            self.client = _quiet_client(uri)

    # --- runs ---

    def publish(self, record: Record, folder: Path, parent: str | None = None) -> bool:
        """Write ``record`` into MLflow, in place of an earlier run of the same id.

        Returns:
            False where MLflow held this very record; then only its parent may have changed.
        """
        with locked(folder, name=LOCK):  # two launchers may hold the same record
            return self._publish(record, folder, parent)

    def _publish(self, record: Record, folder: Path, parent: str | None) -> bool:
        experiment = self.experiment(record.config["names"]["dataset"])
        run_id = None
        for run in self._tagged(experiment, "lacuna.run", record.run):
            same = run.data.tags.get("lacuna.finished") == record.finished and run.info.status != "RUNNING"
            if same and run_id is None:
                run_id = run.info.run_id
            else:
                self.client.delete_run(run.info.run_id)
        held = run_id is not None
        run_id = run_id or self._create(experiment, record, folder)
        if parent is not None:
            self.client.set_tag(run_id, PARENT, parent)
        note_published(record, folder, self.uri)
        return not held

    def _create(self, experiment: str, record: Record, folder: Path) -> str:
        from mlflow.entities import Metric, Param

        start, end = _milliseconds(record.started), _milliseconds(record.finished)
        run = self.client.create_run(experiment, start, _tags(record), run_title(record))
        run_id = run.info.run_id
        params = [Param(_clean(name), value[:LONGEST_VALUE]) for name, value in parameters(record.config).items()]
        numbers = [Metric(_clean(k), v, end, step) for k, v, step in metrics(record) if math.isfinite(v)]
        for i in range(0, len(params), 100):
            self.client.log_batch(run_id, params=params[i : i + 100])
        for i in range(0, len(numbers), 1000):
            self.client.log_batch(run_id, metrics=numbers[i : i + 1000])
        self._log_data(run_id, record)
        for name in artifacts(record):
            if (path := folder / name).exists():
                self.client.log_artifact(run_id, str(path))
        self.client.set_terminated(run_id, STATUS.get(record.status, "FAILED"), end)
        return run_id

    def _log_data(self, run_id: str, record: Record) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if record.data_digest is None:
            return
        name, source = record.config["names"]["dataset"], json.dumps(record.config["dataset"])
        data = Dataset(name, record.data_digest[:32], "lacuna", source)
        self.client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "imputation")])])

    # --- sweeps ---

    def parent(self, dataset: str, key: str, name: str, command: str, description: str = "") -> str:
        """The parent run of a sweep's jobs on one data set; the same sweep has the same one again.

        Args:
            dataset: whose experiment it belongs to.
            key: of the sweep.
            name: of the run.
            command: that makes the sweep.
            description: Markdown that MLflow shows on the run's page.
        """
        with locked(self.outputs, name=LOCK):
            return self._parent(dataset, key, name, command, description)

    def _parent(self, dataset: str, key: str, name: str, command: str, description: str) -> str:
        experiment = self.experiment(dataset)
        for run in self._tagged(experiment, "lacuna.sweep", key):
            return run.info.run_id
        tags = {"lacuna.sweep": key, "lacuna.command": command, "lacuna.process": _process()}
        tags |= {DESCRIPTION: description} if description else {}
        run_id = self.client.create_run(experiment, tags=tags, run_name=name[:LONGEST_NAME]).info.run_id
        self.close(run_id, "FINISHED")
        return run_id

    def reopen(self, run_id: str) -> None:
        """Show a run as going on, in this process."""
        self.client.set_tag(run_id, "lacuna.process", _process())
        self.client.update_run(run_id, "RUNNING")

    def close(self, run_id: str, status: str) -> None:
        self.client.set_terminated(run_id, status)

    def close_abandoned(self) -> int:
        """Mark as KILLED the runs that a process of this machine left open when it died; returns how many."""
        ids = [e.experiment_id for e in self.client.search_experiments()]
        running = self.client.search_runs(ids, "attributes.status = 'RUNNING'") if ids else []
        dead = [run for run in running if _abandoned(run.data.tags.get("lacuna.process"))]
        for run in dead:
            self.client.set_terminated(run.info.run_id, "KILLED")
        return len(dead)

    # --- experiments ---

    def experiment(self, name: str) -> str:
        """The id of the experiment of a data set, created where it does not exist."""
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                beside = (self.outputs / "mlflow-artifacts" / name).as_uri() if self._local else None
                self._experiments[name] = self.client.create_experiment(name, beside)
            else:
                self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def _tagged(self, experiment: str, tag: str, value: str) -> list[Run]:
        return list(self.client.search_runs([experiment], f"tags.`{tag}` = '{value}'"))


def _ensure_database(path: Path) -> None:
    """Create the database at ``path`` where there is none, whole or not at all.

    A process that was killed while MLflow created it in place leaves one that MLflow refuses for ever. It holds no
    experiment yet, not even the default one, which MLflow creates last: it is made anew.
    """
    if path.exists() and not _is_half_made(path):
        return
    with whole(path) as temporary:
        _quiet_client(f"sqlite:///{temporary}").search_experiments(max_results=1)


def _is_half_made(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute("SELECT count(*) FROM experiments").fetchone() == (0,)
    except sqlite3.OperationalError as error:
        return "no such table" in str(error)


def _quiet_client(uri: str) -> MlflowClient:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # it would print the password of a URI
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):  # importing mlflow sets its own levels
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(uri)


def _tags(record: Record) -> dict[str, str]:
    tags: dict[str, Any] = {
        "lacuna.run": record.run,
        "lacuna.finished": record.finished,
        "lacuna.status": record.status,
        "lacuna.command": record.command,
        "lacuna.process": _process(),
        **{key: record.config["names"][key] for key in COMPARED},
        "table": record.config["dataset"].get("table"),
        "budget": record.config["budget"]["name"],
        "ratio": f"{record.config['ratio']:g}",
        "seed": record.config["seed"],
        "device": record.device,
        "commit": record.commit,
        "dirty": record.dirty,
        "credentialed": record.credentialed or None,
        "error": record.error,
        **{f"version.{package}": version for package, version in record.versions.items()},
        **{f"hardware.{key}": value for key, value in record.hardware.items()},
    }
    return {key: str(value)[:LONGEST_VALUE] for key, value in tags.items() if value is not None}


def _clean(name: str) -> str:
    """A name that MLflow takes.

    >>> _clean("test/mm_f1/income (€)"), _clean("test/acc//a")
    ('test/mm_f1/income ___', 'test/acc/a')
    """
    parts = re.sub(r"[^\w\-. /:]", "_", name).split("/")
    return "/".join(part.replace("..", "__") for part in parts if part not in ("", "."))[:LONGEST_NAME]


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _process() -> str:
    return f"{platform.node()}:{os.getpid()}:{_start(os.getpid())}"


def _abandoned(process: str | None) -> bool:
    """Whether a process of this machine is gone; of others nothing is known here."""
    host, pid, *start = (process or ":").split(":")
    if host != platform.node():
        return False
    if not psutil.pid_exists(int(pid)):  # os.kill(pid, 0) would end it on Windows
        return True
    return bool(start) and start[0] != _start(int(pid))  # its number went to another process


def _start(pid: int) -> str:
    """When a process began, in the system's own terms; empty where it does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        with suppress(psutil.Error):
            return str(psutil.Process(pid).create_time())
        return ""
