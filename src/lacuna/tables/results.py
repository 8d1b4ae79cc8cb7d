"""Records on their way into the repository, as JSON lines, and back into the folders of their runs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from lacuna.errors import UserError
from lacuna.files import write_text
from lacuna.records.record import Record, as_json, read_record
from lacuna.tables.archive import rank, scan

LONGEST_LIST = 20  # of diagnostics that are kept in the repository
FOLDERS = re.compile(r"(?<![\w.:])~?/(?:[^\s/'\",;:]+/)+")  # of an absolute path, in any text
OWN = ("outputs=", "tracking=", "resume=", "limits.", "hydra")  # of whoever typed the command
OWN_CONFIGS = re.compile(r"--config-dir[ =]('[^']*'|\S+) ?")


def collect(runs: Path, results: Path) -> tuple[int, list[str]]:
    """Add the records below ``runs`` to the files of ``results``, one for each data set and method, to be committed.

    Records of failed runs and of completed files of a user stay behind.

    Args:
        runs: a folder of run folders, such as outputs/runs.
        results: a record that is there gives way to a later finished one only.

    Returns:
        How many records were written, and which files are no records.

    Raises:
        UserError: ``results`` holds a line that is no record.
    """
    kept: dict[str, tuple[Record, Any]] = {}
    for old in scan(results):
        if isinstance(old.record, str):  # writing its file again would lose it
            raise UserError(f"{results / old.place}: {old.record}: mend or remove it")
        kept[old.folder] = old.record, old.stored
    news, broken = set(), []
    for found in scan(runs):
        if isinstance(record := found.record, str):
            broken.append(f"{found.place}: {record}")
            continue
        own = kept.get(found.folder)
        is_news = own is None or rank(record) > rank(own[0])
        if is_news and record.status not in ("failed", "interrupted") and record.completed is None:
            kept[found.folder] = record, shareable(record)
            news.add(found.folder)
    for file in {_file(folder) for folder in news}:
        folders = sorted(folder for folder in kept if _file(folder) == file)
        write_text(results / file, "".join(_line(folder, kept[folder][1]) for folder in folders))
    return len(news), broken


def _file(folder: str) -> PurePosixPath:
    """
    >>> str(_file("wine/gain/mcar-0.1/seed0-0123456789"))
    'wine/gain.jsonl'
    """
    dataset, method, *_ = folder.split("/")
    return PurePosixPath(dataset, f"{method}.jsonl")


def _line(folder: str, stored: Any) -> str:
    line = {"folder": folder, "record": stored}
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"


def restore(results: Path, runs: Path) -> tuple[int, list[str]]:
    """Bring the records of ``results`` back into folders of their runs, so that a sweep goes on from them.

    Args:
        results: a folder that ``collect`` wrote.
        runs: such as outputs/runs; a record that is there gives way to a later finished one only.

    Returns:
        How many records were written, and which lines are no records.
    """
    written, broken = 0, []
    for found in scan(results):
        if isinstance(record := found.record, str):
            broken.append(f"{found.place}: {record}")
            continue
        own = read_record(runs / found.folder)
        if own is None or rank(record) > rank(own):
            write_text(runs / found.folder / "record.json", json.dumps(found.stored, indent=1, allow_nan=False) + "\n")
            written += 1
    return written, broken


def shareable(record: Record) -> dict[str, Any]:
    """A record in JSON's terms without folders of a machine, tracebacks and long lists."""
    stored: dict[str, Any] = as_json(asdict(record))
    if record.config["names"].get("metrics") == "all":
        stored["config"].pop("metrics", None)  # names them one by one
    stored["command"] = " ".join(
        part for part in OWN_CONFIGS.sub("", record.command).split(" ") if not part.startswith(OWN)
    )
    stored["traceback"] = None
    stored["diagnostics"] = _short(stored["diagnostics"])
    return _without_folders(stored)


def _short(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _short(value) for key, value in node.items() if not _is_long(value)}
    return node


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and _count(value) > LONGEST_LIST


def _count(value: Any) -> int:
    """
    >>> _count([[1, 2], [3]])
    3
    """
    return sum(map(_count, value)) if isinstance(value, list) else 1


def _without_folders(node: Any) -> Any:
    """
    >>> _without_folders({"error": "no file /home/me/data/uci/wine.csv: put it there", "share": "3/4"})
    {'error': 'no file wine.csv: put it there', 'share': '3/4'}
    """
    if isinstance(node, dict):
        return {key: _without_folders(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_folders(value) for value in node]
    return FOLDERS.sub("", node) if isinstance(node, str) else node
