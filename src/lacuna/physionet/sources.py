"""Where the raw tables lie, whether they are whole, and what is read of each."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.errors import UserError, did_you_mean
from lacuna.files import sha256

# How the cells of a column, which are text, become values: SQL of a column {x}.
READ = {
    "id": "try_cast(trim({x}) AS BIGINT)",
    "whole": "try_cast(trim({x}) AS INTEGER)",
    "time": "try_cast(trim({x}) AS TIMESTAMP)",
    "date": "try_cast(trim({x}) AS DATE)",
    "number": "number({x})",
    "text": "trim({x})",
    "code": "upper(replace(trim({x}), '.', ''))",  # text: 0389 and 389 are two diagnoses
}
# Where a cell that cannot be read is an error, and what it should have been; elsewhere it is missing.
STRICT = {"id": "whole numbers", "whole": "whole numbers", "time": "times", "date": "dates"}
VITALS = dict.fromkeys(("temperature", "heartrate", "resprate", "o2sat", "sbp", "dbp"), "number")


@dataclass(frozen=True)
class Raw:
    """One raw table."""

    folders: tuple[str, ...]  # where it lies, by layout
    columns: Mapping[str, str]  # what is read of it, and as what
    key: str | None = None  # holds each value once


TABLES = {
    "edstays": Raw(
        ("ed",),
        {"subject_id": "id", "hadm_id": "id", "stay_id": "id", "intime": "time", "outtime": "time"},
        "stay_id",
    ),
    "triage": Raw(
        ("ed",),
        {"stay_id": "id", **VITALS, "pain": "text", "acuity": "number", "chiefcomplaint": "text"},
        "stay_id",
    ),
    "vitalsign": Raw(("ed",), {"stay_id": "id", "charttime": "time", **VITALS}),
    "patients": Raw(
        ("hosp", "core"),
        {"subject_id": "id", "anchor_age": "whole", "anchor_year": "whole", "dod": "date"},
        "subject_id",
    ),
    "admissions": Raw(
        ("hosp", "core"),
        {"subject_id": "id", "hadm_id": "id", "admittime": "time", "dischtime": "time"},
        "hadm_id",
    ),
    "icustays": Raw(("icu",), {"subject_id": "id", "hadm_id": "id", "intime": "time"}),
    "diagnoses_icd": Raw(("hosp",), {"subject_id": "id", "hadm_id": "id", "icd_code": "code", "icd_version": "whole"}),
}
KNOWN_VERSIONS = {
    "mimic-iv": ("0.4", "1.0", "2.0", "2.1", "2.2", "3.0", "3.1"),
    "mimic-iv-ed": ("1.0", "2.0", "2.1", "2.2"),
}
# mimic-iv-ed-2.2 or mimiciv/3.1, as downloads are named
NAMED_VERSION = re.compile(r"mimic[-_]?iv(?:[-_]?ed)?[-_/ ]v?(?P<version>\d+(?:\.\d+)+)", re.IGNORECASE)
DEPTH = 4  # folders between the root and the tables, at most: physionet.org/files/mimiciv/3.1/hosp


@dataclass(frozen=True)
class RawFile:
    """A raw table that was found."""

    table: str
    path: Path
    header: tuple[str, ...]
    sha256: str  # of the file as it lies there

    @property
    def raw(self) -> Raw:
        return TABLES[self.table]

    @property
    def name(self) -> str:
        """Folder and file, for messages: ed/triage.csv.gz"""
        return f"{self.path.parent.name}/{self.path.name}"

    def as_json(self) -> dict[str, Any]:
        return {"file": self.name, "version": stated_version(self.path) or "not stated", "sha256": self.sha256}


def find(root: Path) -> dict[str, Path]:
    """The file of every raw table under ``root``.

    Raises:
        UserError: a table is not there or there twice, or its folder names a version that is not known.
    """
    if not root.is_dir():
        raise UserError(f"--root {root}: there is no such folder")
    paths = {table: _find(root, table, raw.folders) for table, raw in TABLES.items()}
    for path in paths.values():
        product, version = "mimic-iv-ed" if path.parent.name == "ed" else "mimic-iv", stated_version(path)
        if version and version not in KNOWN_VERSIONS[product]:
            known = ", ".join(KNOWN_VERSIONS[product])
            raise UserError(f"{path.parent}: version {version} of {product} is not known here (known: {known})")
    return paths


def _find(root: Path, table: str, folders: tuple[str, ...]) -> Path:
    patterns = ["/".join([*["*"] * depth, folder, f"{table}.csv{end}"])
                for depth in range(DEPTH) for folder in folders for end in ("", ".gz")]  # fmt: skip
    found = sorted({path for pattern in patterns for path in root.glob(pattern)})
    if not found:
        places = " or ".join(f"{folder}/{table}.csv[.gz]" for folder in folders)
        raise UserError(f"no table {table} under {root}: it should hold {places}")
    if len(found) > 1:
        shown = ", ".join(str(path.relative_to(root)) for path in found)
        raise UserError(f"table {table} is there more than once under {root}: {shown}; keep one, of one version")
    return found[0]


def stated_version(path: Path) -> str | None:
    """The version that the folders above a table name, if they do.

    >>> stated_version(Path("files/mimic-iv-ed/2.2/ed/triage.csv")), stated_version(Path("mimic-iv-3.1/hosp/x.csv"))
    ('2.2', '3.1')
    >>> stated_version(Path("data/ed/triage.csv"))
    """
    found = list(NAMED_VERSION.finditer("/".join(path.absolute().parts[-4:-2])))
    return found[-1]["version"] if found else None


def inspect(table: str, path: Path) -> RawFile:
    """Read the whole file once: its checksum, its header, and whether a .gz is whole.

    Raises:
        UserError: it cannot be read, is cut short, or lacks a column.
    """
    try:
        header = _header(path)
        digest = sha256(path)
        if path.suffix == ".gz":
            with gzip.open(path) as content:
                while content.read(1 << 20):
                    pass
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path} is cut short or damaged: download it again") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: the header is not text") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    source = RawFile(table, path, header, digest)
    for column in source.raw.columns:
        if column not in header:
            raise UserError(
                f"{path} has no column {column!r}{did_you_mean(column, header)}; is it a table of MIMIC-IV?"
            )
    return source


def _header(path: Path) -> tuple[str, ...]:
    def read(file: Any) -> tuple[str, ...]:
        return tuple(name.strip().lower() for name in next(csv.reader(file), []))

    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            return read(file)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return read(file)
