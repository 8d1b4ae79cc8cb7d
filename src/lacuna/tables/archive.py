"""The records that tables are made of: found and checked.

They lie one by one in the folders of their runs, or together in files of JSON lines, ``<data set>/<method>.jsonl``,
each line ``{"folder": ..., "record": ...}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lacuna.records.record import Record, as_record


@dataclass(frozen=True)
class Archive:
    """Every whole record under some folders; one for each run."""

    records: tuple[Record, ...]
    broken: tuple[str, ...] = ()  # files, or lines, that should be records and are none, and why

    @cached_property
    def by_problem(self) -> dict[tuple[str, str, str, float], list[Record]]:
        """By data set, mask, method and ratio."""
        found: dict[tuple[str, str, str, float], list[Record]] = {}
        for record in self.records:
            names = record.config["names"]
            key = (names["dataset"], names["mask"], names["method"], record.config["ratio"])
            found.setdefault(key, []).append(record)
        return found

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The config of every metric that records name, by id."""
        return {name: node for record in self.records for name, node in record.config.get("metrics", {}).items()}


@dataclass(frozen=True)
class Kept:
    """What is kept of one run."""

    place: str  # the file, and the line in it
    folder: str  # of the run, relative: <dataset>/<method>/<mask>-<ratio>/seed<k>-<run id>
    stored: Any  # as JSON holds it
    record: Record | str  # or why there is none


def read_archive(folders: Iterable[Path]) -> Archive:
    """Read every record below ``folders``; of two records of one run the later finished one counts."""
    found: dict[str, Record] = {}
    broken = []
    for folder in folders:
        for kept in scan(folder):
            record = kept.record
            if isinstance(record, str):
                broken.append(f"{kept.place}: {record}")
            elif record.run not in found or rank(record) > rank(found[record.run]):
                found[record.run] = record
    return Archive(tuple(found.values()), tuple(broken))


def rank(record: Record) -> tuple[bool, str]:
    """Of two records of one run the one of higher rank counts."""
    return record.status == "finished", record.finished


def scan(folder: Path) -> Iterator[Kept]:
    """Everything below ``folder`` that should be a record; runs scored on held-out cells belong to no table."""
    for kept in _everything(folder):
        if isinstance(kept.record, str) or not kept.record.config.get("held_out"):
            yield kept


def _everything(folder: Path) -> Iterator[Kept]:
    for path in sorted(folder.rglob("record.json")):
        place = path.relative_to(folder)
        yield _kept(str(place), path.read_bytes(), place.parent.as_posix())
    for path in sorted(folder.rglob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            yield _kept(f"{path.relative_to(folder)}, line {number}", line)


def _kept(place: str, text: bytes, folder: str = "") -> Kept:
    """Of a line, which names its folder itself, or of a file in ``folder``."""
    stored = None
    try:
        stored = json.loads(text)
        if not folder:
            folder, stored = stored["folder"], stored["record"]
        record = as_record(stored)
    except (ValueError, RecursionError) as error:
        return Kept(place, folder, stored, str(error))
    except (TypeError, KeyError):
        return Kept(place, folder, stored, "it has no folder and record")
    is_own = folder.endswith(f"-{record.run}")
    return Kept(place, folder, stored, record if is_own else f"it is the record of another run, {record.run}")
