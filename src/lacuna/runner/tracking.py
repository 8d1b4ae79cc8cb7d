"""Records -> whatever shows and compares them: MLflow, TensorBoard or Weights & Biases.

A record is written before anything happens here. It is the truth: a tracker is written from records alone, and the
same command with another ``tracking`` brings records that exist into another one.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from lacuna.errors import MissingPackage
from lacuna.files import write_text
from lacuna.records.record import Record
from lacuna.runner.credentials import redacted

ARTIFACTS = ("config.yaml", "record.json", "log.txt", "plots")  # never the data
NAMES = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases"}  # by the scheme of the URI; else MLflow


class Tracking(Protocol):
    """What every tracker does."""

    uri: str

    def publish(self, record: Record, folder: Path, parent: str | None = None) -> bool:
        """Write ``record``, which lies in ``folder``, in place of an earlier run of the same id.

        Args:
            record: of a run that ended.
            folder: of the run.
            parent: the sweep it belongs to, as ``parent`` gives it.

        Returns:
            False where the tracker held this very record.
        """

    def parent(self, dataset: str, key: str, name: str, command: str, description: str = "") -> str:
        """What groups a sweep's jobs on one data set; the same sweep has the same one again."""

    def reopen(self, run_id: str) -> None:
        """Show a parent as going on, where the tracker can."""

    def close(self, run_id: str, status: str) -> None:
        """Show a parent as ended: FINISHED, FAILED or KILLED."""


def open_tracker(uri: str, outputs: Path) -> Tracking:
    """The tracker that a URI names: ``tensorboard:FOLDER``, ``wandb:PROJECT``, else one of MLflow's.

    Raises:
        MissingPackage: its package is not installed.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "tensorboard":
        from lacuna.runner.tensorboard_tracking import TensorBoard

        return TensorBoard(uri, Path(rest))
    if scheme == "wandb":
        from lacuna.runner.wandb_tracking import WeightsAndBiases

        return WeightsAndBiases(uri, rest, outputs)
    from lacuna.runner.mlflow_tracking import Tracker

    return Tracker(uri, outputs)


def _marker(folder: Path, uri: str) -> Path:
    scheme = uri.partition(":")[0]
    return folder / f"{scheme if scheme in NAMES else 'mlflow'}.json"


def note_published(record: Record, folder: Path, uri: str) -> None:
    """Note beside a record that it was written to ``uri``."""
    write_text(_marker(folder, uri), json.dumps({"uri": redacted(uri), "finished": record.finished}))


def is_published(record: Record, folder: Path, uri: str) -> bool:
    """Whether this very record was written to ``uri`` before, without asking there."""
    try:
        marker = json.loads(_marker(folder, uri).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    local = uri.removeprefix("tensorboard:").removeprefix("sqlite:///")
    gone = local != uri and not Path(local).exists()
    return not gone and marker == {"uri": redacted(uri), "finished": record.finished}


@contextmanager
def forgiven(what: str, uri: str = "") -> Iterator[None]:
    """A tracker never costs a run: its errors become one warning."""
    try:
        yield
    except MissingPackage as error:
        warnings.warn(f"{error} (or tracking=none); records are written all the same", stacklevel=2)
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        name = NAMES.get(uri.partition(":")[0], "MLflow")
        later = "scripts/sync_mlflow.py" if name == "MLflow" else "the same command"
        warnings.warn(f"{name} does not have {what} ({redacted(first)[:200]}); {later} will write it", stacklevel=2)


def artifacts(record: Record) -> tuple[str, ...]:
    """Of credentialed data nothing that may show, or quote, single rows."""
    return ("config.yaml", "record.json") if record.credentialed else ARTIFACTS


def run_title(record: Record) -> str:
    """The record's name, with the size of data that can have several."""
    data = record.config["dataset"]
    rows = [str(data[key]) for key in ("n_train", "n_test") if data.get(key) is not None]
    shape = [f"{key}{data[key]}" for key in ("n", "p") if data.get(key) is not None]
    sizes = ["n" + "+".join(rows)] if rows else shape
    return "-".join([record.name, *sizes])


def metrics(record: Record) -> Iterator[tuple[str, float, int]]:
    """(name, value, step): final scores, the scores of outer iterations as curves, seconds and memory.

    MLflow shows one section of charts for each prefix, in alphabetical order: test, train, usage.
    """
    for key, value in sorted(record.scores.items(), key=lambda score: not score[0].startswith("test/")):
        yield key, value, 0
    for key, value in record.seconds.items():
        yield f"usage/seconds_{key}", value, 0
    yield "usage/peak_memory_gb", record.peak_memory_gb or math.nan, 0
    for step in record.iterations:
        for key, value in step["scores"].items():
            split, _, name = key.partition("/")
            yield f"{split}/by_iteration/{name}", value, step["iteration"]


def parameters(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested configuration as flat text, without the metric definitions.

    >>> parameters({"method": {"hidden": 64, "rule": "or"}, "ratio": 0.1})
    {'method.hidden': '64', 'method.rule': 'or', 'ratio': '0.1'}
    """
    flat: dict[str, str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= {} if name == "metrics" else parameters(value, f"{name}.")
        else:
            flat[name] = str(value)
    return flat


def typed(text: str) -> float | str:
    """Of a parameter: a number where it is one, so that scores can be plotted against it.

    >>> typed("64"), typed("or")
    (64.0, 'or')
    """
    try:
        return float(text)
    except ValueError:
        return text
