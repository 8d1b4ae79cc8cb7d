"""The records that tables are made of: found, checked, and prepared to be kept in the repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lacuna.files import write_text
from lacuna.records.record import Record, as_json, parse_record, read_record

LONGEST_LIST = 20  # of diagnostics that are kept in the repository
FOLDERS = re.compile(r"(?<![\w.:])~?/(?:[^\s/'\",;:]+/)+")  # of an absolute path, in any text
TO_REPEAT = ("failed", "interrupted")  # their records say nothing of a method
OWN = ("outputs=", "tracking=", "resume=", "limits.", "hydra", "--config-dir")  # of whoever typed the command


@dataclass(frozen=True)
class Archive:
    """Every whole record under some folders; one for each run."""

    records: tuple[Record, ...]
    broken: tuple[str, ...] = ()  # files that should be records and are none, and why

    @cached_property
    def by_problem(self) -> dict[tuple[str, str, str, float], list[Record]]:
        """By data set, mask, method and ratio."""
        found: dict[tuple[str, str, str, float], list[Record]] = {}
        for record in self.records:
            names = record.config["names"]
            key = (names["dataset"], names["mask"], names["method"], record.config["ratio"])
            found.setdefault(key, []).append(record)
        return found


def load(folders: Iterable[Path]) -> Archive:
    """Read every record.json below ``folders``; of two records of one run the later finished one counts."""
    found: dict[str, Record] = {}
    broken = []
    for folder in folders:
        for path, record in _scan(folder):
            if isinstance(record, str):
                broken.append(f"{path}: {record}")
            elif record.run not in found or _rank(record) > _rank(found[record.run]):
                found[record.run] = record
    return Archive(tuple(found.values()), tuple(broken))


def _scan(folder: Path) -> Iterator[tuple[Path, Record | str]]:
    """The path of each record below ``folder``, relative to it, with what it holds or why that is no record."""
    for path in sorted(folder.rglob("record.json")):
        try:
            record: Record | str = parse_record(path)
        except (OSError, ValueError) as error:
            record = str(error)
        if isinstance(record, Record) and not path.parent.name.endswith(f"-{record.run}"):
            record = f"it is the record of another run, {record.run}"
        yield path.relative_to(folder), record


def _rank(record: Record) -> tuple[bool, str]:
    return record.status == "finished", record.finished


def collect(source: Path, target: Path) -> tuple[int, list[str]]:
    """Copy the records below ``source``, ready to be committed, under the same relative paths.

    Records of failed and interrupted runs and of completed files of a user stay behind.

    Args:
        source: a folder of run folders, such as outputs/runs.
        target: a record that is there gives way to a later finished one only.

    Returns:
        How many records were written, and which files are no records.
    """
    written, broken = 0, []
    for path, record in _scan(source):
        if isinstance(record, str):
            broken.append(f"{path}: {record}")
        elif record.status not in TO_REPEAT and record.completed is None and _is_news(record, target / path):
            write_text(target / path, json.dumps(shareable(record), indent=1, allow_nan=False) + "\n")
            written += 1
    return written, broken


def _is_news(record: Record, path: Path) -> bool:
    kept = read_record(path.parent)
    return kept is None or _rank(record) > _rank(kept)


def shareable(record: Record) -> dict[str, Any]:
    """A record in JSON's terms without folders of a machine, tracebacks and long lists."""
    stored: dict[str, Any] = as_json(asdict(record))
    if record.config["names"].get("metrics") == "all":
        stored["config"].pop("metrics", None)  # names them one by one
    stored["command"] = " ".join(part for part in record.command.split(" ") if not part.startswith(OWN))
    stored["traceback"] = None
    stored["diagnostics"] = _short(stored["diagnostics"])
    return _without_folders(stored)


def _short(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _short(value) for key, value in node.items() if not _is_long(value)}
    return node


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and len(value) > LONGEST_LIST


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
