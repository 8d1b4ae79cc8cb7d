"""Downloads that are not as they should be: one clear line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("duckdb")

from lacuna.errors import UserError
from lacuna.physionet.build import build_cohort


def refused(root: Path, tmp_path: Path, match: str) -> None:
    with pytest.raises(UserError, match=match) as caught:
        build_cohort(root, tmp_path / "out", threads=1)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_no_folder(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", tmp_path, "no such folder")


@pytest.mark.parametrize("table", ["ed/vitalsign", "hosp/patients", "hosp/diagnoses_icd", "icu/icustays"])
def test_a_missing_table(small: Callable[..., Path], tmp_path: Path, table: str) -> None:
    root = small()
    (root / f"{table}.csv").unlink()
    name = table.split("/")[1]
    refused(root, tmp_path, rf"no table {name} under .*: it should hold {table}\.csv\[\.gz\]")


@pytest.mark.parametrize("gz", [False, True])
def test_a_renamed_column(small: Callable[..., Path], tmp_path: Path, gz: bool) -> None:
    root = small()
    triage = root / "ed" / "triage.csv"
    triage.write_text(triage.read_text().replace("o2sat", "spo2", 1))
    if gz:
        subprocess.run(["gzip", triage], check=True)
    refused(root, tmp_path, r"triage\.csv.* has no column 'o2sat'")


@pytest.mark.parametrize("table", ["ed/edstays", "hosp/diagnoses_icd"])
def test_a_gz_that_is_cut_short(small: Callable[..., Path], tmp_path: Path, table: str) -> None:
    root = small(gz=True)
    path = root / f"{table}.csv.gz"
    path.write_bytes(path.read_bytes()[:-9])
    refused(root, tmp_path, rf"{path.name} is cut short or damaged")


def test_a_gz_that_is_none(small: Callable[..., Path], tmp_path: Path) -> None:
    root = small(gz=True)
    (root / "ed" / "triage.csv.gz").write_text("subject_id,stay_id\n")
    refused(root, tmp_path, "cut short or damaged")


def test_an_empty_table(small: Callable[..., Path], tmp_path: Path) -> None:
    root = small()
    (root / "icu" / "icustays.csv").write_text("")
    refused(root, tmp_path, "has no column 'subject_id'")


@pytest.mark.parametrize(
    ("folder", "what"), [("mimic-iv-ed-9.9", "9.9 of mimic-iv-ed"), ("mimic-iv-ed/3.0", "3.0 of mimic-iv-ed")]
)
def test_a_version_that_is_not_known(small: Callable[..., Path], tmp_path: Path, folder: str, what: str) -> None:
    root = small()
    (root / folder).mkdir(parents=True)
    (root / "ed").rename(root / folder / "ed")
    refused(root, tmp_path, rf"version {re.escape(what)} is not known here \(known: 1.0, 2.0, 2.1, 2.2\)")


def test_tables_of_two_versions(small: Callable[..., Path], tmp_path: Path) -> None:
    root = small()
    (root / "core").mkdir()
    shutil.copy(root / "hosp" / "patients.csv", root / "core")
    refused(root, tmp_path, "patients is there more than once.*core/patients.csv, hosp/patients.csv")


@pytest.mark.parametrize(
    ("table", "old", "new", "match"),
    [
        ("ed/edstays", "2150-06-01 16:00:00", "yesterday", "20 cells of column 'outtime' are no times"),
        ("ed/vitalsign", "2150-06-01 12", "2150-13-41 12", "20 cells of column 'charttime' are no times"),
        ("hosp/patients", ",40,2150,", ",forty,2150,", "20 cells of column 'anchor_age' are no whole numbers"),
        ("ed/triage", "1,1,", "2,2,", "1 of 20 rows have no stay_id of their own"),
    ],
)
def test_cells_that_cannot_be_what_they_should(
    small: Callable[..., Path], tmp_path: Path, table: str, old: str, new: str, match: str
) -> None:
    root = small()
    path = root / f"{table}.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *(re.sub(f"^{old}|{old}", new, line, count=1) for line in lines[1:])])
                    if not match.startswith("1 of") else path.read_text().replace("\n1,1,", "\n2,2,"))  # fmt: skip
    refused(root, tmp_path, match)


def test_too_few_stays(small: Callable[..., Path], tmp_path: Path) -> None:
    root = small()
    triage = root / "ed" / "triage.csv"
    triage.write_text(triage.read_text().replace(",3,Ankle", ",,Ankle"))
    refused(root, tmp_path, "0 stays are adult and have a triage acuity")


def test_without_duckdb_it_says_what_to_install(
    small: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    refused(small(), tmp_path, r"pip install 'lacuna-impute\[mimic\]'")
