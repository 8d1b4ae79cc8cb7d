"""The record of a run: what was asked, what came out, on which machine and with which versions.

``outputs/runs/<dataset>/<method>/<mask>-<ratio>/seed<k>-<run id>/record.json``; tables read all of these.
Of a data set of many tables the table's name stands before the run id.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args

import numpy as np

from lacuna.files import sha256, write_text

Status = Literal["finished", "failed", "timeout", "out_of_memory", "unsupported", "interrupted"]
SETTLED = ("finished", "unsupported")  # running again would say the same; the others are tried again
RECORD_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("run", "name", "command", "device", "started", "finished"), str),
    **dict.fromkeys(("config", "scores", "notes", "diagnostics", "mask_rates", "meaningful_rates"), dict),
    **dict.fromkeys(("seconds", "hardware", "versions", "blanks", "size"), dict),
    **dict.fromkeys(("error", "traceback", "completed", "commit", "data_digest"), (str, NoneType)),
    **dict.fromkeys(("iterations", "remarks"), list),
}
LONGEST_LIST = 100  # longer arrays, and those by cell, stay out of the record


@dataclass
class Record:
    """All that is kept of a run besides its tables and plots; built up while the run goes on."""

    run: str  # id: hash of everything that decides the numbers
    name: str  # method-mask-ratio-seed
    config: dict[str, Any]  # resolved; without the keys that do not decide numbers
    command: str  # what to type to run it again
    status: Status = "failed"
    error: str | None = None  # one line
    traceback: str | None = None  # of an error that is not the user's
    scores: dict[str, float] = field(default_factory=dict)  # "<split>/<metric>"
    iterations: list[dict[str, Any]] = field(default_factory=list)  # {"iteration": k, "scores": {...}}
    notes: dict[str, str] = field(default_factory=dict)  # why a metric has no score, by its key
    diagnostics: dict[str, Any] = field(default_factory=dict)  # by split
    remarks: list[str] = field(default_factory=list)  # on the user's file and its completion, in sentences
    mask_rates: dict[str, float] = field(default_factory=dict)  # share of cells hidden, by column
    meaningful_rates: dict[str, float] = field(default_factory=dict)  # by candidate column, before the mask
    inductive: bool = True  # rows imputed one at a time get the same values as all at once
    seconds: dict[str, float] = field(default_factory=dict)  # by phase, and total
    peak_memory_gb: float = math.nan  # resident memory of the process
    device_peak_memory_gb: float | None = None  # allocated on the GPU
    device: str = ""
    hardware: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    completed: str | None = None  # the user's file with its blanks filled
    blanks: dict[str, dict[str, int]] = field(default_factory=dict)  # of that file, by column: blank, kept
    commit: str | None = None
    dirty: bool | None = None  # tracked files differed from the commit
    data_digest: str | None = None
    size: dict[str, int] = field(default_factory=dict)  # of the table: rows, and columns of numbers and of levels
    credentialed: bool = False  # the data may not leave this machine: no file made of rows goes to MLflow
    started: str = ""  # ISO 8601, UTC
    finished: str = ""

    @property
    def doubts(self) -> list[str]:
        """Remarks on the file, and where the method doubts its own assumptions, in sentences."""
        found = (text for of_split in self.diagnostics.values() for text in of_split.get("warnings", ()))
        return list(dict.fromkeys((*self.remarks, *found)))

    @property
    def verdicts(self) -> list[str]:
        """What the method concludes about single columns, in sentences."""
        columns = (found for of_split in self.diagnostics.values() for found in of_split.get("columns", {}).values())
        return list(dict.fromkeys(found["verdict"] for found in columns if "verdict" in found))

    def write(self, folder: Path) -> None:
        """``folder/record.json``, whole or not at all; NaN and infinities become null."""
        write_text(folder / "record.json", json.dumps(as_json(asdict(self)), indent=2, allow_nan=False) + "\n")


def read_record(folder: Path) -> Record | None:
    """The record in ``folder``; None where there is none, or (with a warning) where it cannot be read."""
    path = folder / "record.json"
    try:
        return as_record(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        warnings.warn(f"{path} is not a whole record ({error}): it counts as absent", stacklevel=2)
        return None


def clear_record(folder: Path) -> None:
    """Make room for a record; a folder in its place, which nobody here made, is moved aside."""
    path = folder / "record.json"
    if path.is_dir():
        path.rename(path.with_name(f"record.json.{time.time_ns()}"))
    path.unlink(missing_ok=True)


def as_record(stored: Any) -> Record:
    """The record that JSON holds.

    Raises:
        ValueError: it holds no whole record; the message says why.
    """
    try:
        record = Record(**{f.name: stored[f.name] for f in fields(Record) if f.name in stored})
        _check(record)
        record.scores = _numbers(record.scores)
        record.iterations = [step | {"scores": _numbers(step["scores"])} for step in record.iterations]
    except (TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return record


def _check(record: Record) -> None:
    """Raise a ValueError where a record is not what ``write`` writes."""
    if record.status not in get_args(Status):
        raise ValueError(f"its status is {record.status!r}")
    for key, kind in RECORD_TYPES.items():
        if not isinstance(value := getattr(record, key), kind):
            raise ValueError(f"its {key} is {value!r:.60}")
    names, budget = record.config["names"], record.config["budget"]["name"]
    if not all(isinstance(part, str) for part in (budget, *(names[key] for key in ("dataset", "mask", "method")))):
        raise ValueError("its config names no data set, mask, method or budget")
    if not all(isinstance(record.config[key], int | float) for key in ("ratio", "seed")):
        raise ValueError("its config has no ratio or seed")
    datetime.fromisoformat(record.finished)


def _numbers(scores: Mapping[str, float | None]) -> dict[str, float]:
    return {key: math.nan if value is None else float(value) for key, value in scores.items()}


def find_records(outputs: Path, pattern: str = "*/*/*/*") -> Iterator[tuple[Path, Record]]:
    """Every readable record under ``outputs`` with its folder.

    Args:
        outputs: the folder that holds runs/.
        pattern: of the run folders, dataset/method/mask-ratio/seed-run.
    """
    for path in sorted((outputs / "runs").glob(f"{pattern}/record.json")):
        if record := read_record(path.parent):
            yield path.parent, record


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides numbers.

    Budget and device count, since they change numbers; output folder, tracking, limits and ``jobs``, the processes
    that share a method's work, do not. ``engine: auto`` follows from the device and is left out; another engine counts.
    Downstream tasks count where there are any, and so do random completions, held-out cells and ``calibrate`` where
    they are asked for. Where files lie decides nothing: a file is known by its content, a folder by the manifest of
    what was built there; a folder without one is a cache of public files, and says nothing.
    """
    names = {key: config["names"][key] for key in ("dataset", "mask", "method", "metrics")}
    plain_keys = ("budget", "device", "ratio", "seed", "draws", "alpha", "score_iterations")
    nodes = {key: _by_content(config[key]) for key in ("dataset", "mask", "method")}
    downstream = {"downstream": config["downstream"]} if config.get("downstream") else {}
    usual = {"fill": "best", "m": 0, "calibrate": "auto", "where": None, "predict_only": None, "impute_only": None}
    usual["held_out"] = None
    asked = {key: config[key] for key, value in usual.items() if config.get(key, value) != value}
    return {"names": names, **nodes, **downstream, **asked, **{key: config[key] for key in plain_keys}}


def _by_content(node: Any) -> Any:
    if isinstance(node, Mapping):
        known = {key: value if key == "_target_" else _by_content(value) for key, value in node.items()}
        known.pop("jobs", None)
        if known.get("engine") == "auto":
            del known["engine"]
        if isinstance(folder := known.pop("folder", None), str):
            manifest = Path(folder).expanduser() / "manifest.json"
            known |= {"folder": f"sha256:{sha256(manifest)}"} if manifest.is_file() else {}
        return known
    if isinstance(node, str) and "." in node and (path := Path(node).expanduser()).is_file():
        return f"sha256:{sha256(path)}"
    return node


def run_id(config: Mapping[str, Any]) -> str:
    """Ten hexadecimal digits of the identity's hash."""
    return hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:10]


def run_folder(config: Mapping[str, Any]) -> Path:
    names, ratio = config["names"], f"{config['ratio']:g}"
    above = Path(config["outputs"], "runs", names["dataset"], names["method"], f"{names['mask']}-{ratio}")
    return above / f"seed{config['seed']}-{_table(config)}{run_id(config)}"


def run_name(config: Mapping[str, Any]) -> str:
    names = config["names"]
    return f"{_table(config)}{names['method']}-{names['mask']}-{config['ratio']:g}-{config['seed']}"


def _table(config: Mapping[str, Any]) -> str:
    """The name of a table in a data set of many, such as arena, and a dash; else nothing."""
    table = config["dataset"].get("table")
    return f"{table}-" if table else ""


def as_json(value: Any) -> Any:
    """``value`` in JSON's terms.

    >>> as_json({"a": np.float64(0.5), "b": np.array([1, 2]), "c": float("nan"), "d": np.zeros(1000)})
    {'a': 0.5, 'b': [1, 2], 'c': None}
    """
    if isinstance(value, Mapping):
        kept = {str(k): v for k, v in value.items() if not _is_large(v)}
        return {k: as_json(v) for k, v in kept.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, list | tuple):
        return [as_json(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


def _is_large(value: Any) -> bool:
    return isinstance(value, np.ndarray) and (value.ndim > 1 or value.size > LONGEST_LIST)
