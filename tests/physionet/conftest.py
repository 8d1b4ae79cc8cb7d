"""A download of a few patients, made by hand."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

TABLES = {
    "edstays": ("ed", "subject_id,hadm_id,stay_id,intime,outtime,gender,race,arrival_transport,disposition"),
    "triage": (
        "ed",
        "subject_id,stay_id,temperature,heartrate,resprate,o2sat,sbp,dbp,pain,acuity,chiefcomplaint",
    ),
    "vitalsign": (
        "ed",
        "subject_id,stay_id,charttime,temperature,heartrate,resprate,o2sat,sbp,dbp,rhythm,pain",
    ),
    "patients": ("hosp", "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod"),
    "admissions": ("hosp", "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type"),
    "icustays": ("icu", "subject_id,hadm_id,stay_id,first_careunit,intime,outtime"),
    "diagnoses_icd": ("hosp", "subject_id,hadm_id,seq_num,icd_code,icd_version"),
}


class Download:
    """Tables to which rows are added, and which are then written as PhysioNet lays them out."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES}

    def add(self, table: str, **cells: object) -> None:
        self.rows[table].append(cells)

    def stay(
        self, number: int, subject: int | None = None, intime: str = "2150-06-01 10:00:00",
        outtime: str = "2150-06-01 16:00:00", hadm_id: object = "", **triage: object,
    ) -> None:  # fmt: skip
        """One ED stay, by default of an adult of its own with normal triage values."""
        if subject is None:
            subject = number
            self.patient(subject)
        self.add("edstays", subject_id=subject, hadm_id=hadm_id, stay_id=number, intime=intime, outtime=outtime)
        normal = {"temperature": 98.6, "heartrate": 70, "resprate": 16, "o2sat": 99, "sbp": 120, "dbp": 70}
        rest = {"pain": 0, "acuity": 3, "chiefcomplaint": "Ankle injury"}
        self.add("triage", subject_id=subject, stay_id=number, **{**normal, **rest, **triage})

    def patient(self, subject: int, anchor_age: int = 40, anchor_year: int = 2150, dod: str = "") -> None:
        self.add("patients", subject_id=subject, anchor_age=anchor_age, anchor_year=anchor_year, dod=dod)

    def vitals(self, stay: int, charttime: str, **vitals: object) -> None:
        self.add("vitalsign", subject_id=stay, stay_id=stay, charttime=charttime, **vitals)

    def write(self, root: Path, core: bool = False, gz: bool = False) -> Path:
        """The folders below ``root``; patients and admissions lie in core/ or in hosp/."""
        for name, (usual, header) in TABLES.items():
            folder = "core" if core and name in ("patients", "admissions") else usual
            path = root / folder / f"{name}.csv{'.gz' if gz else ''}"
            path.parent.mkdir(parents=True, exist_ok=True)
            with gzip.open(path, "wt") if gz else path.open("w") as file:
                writer = csv.DictWriter(file, header.split(","), restval="")
                writer.writeheader()
                writer.writerows(self.rows[name])
        return root


@pytest.fixture(scope="session")
def make_download() -> type[Download]:
    return Download


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Path]:
    """Writes a download of twenty stays in which nothing is odd."""

    def write(**layout: bool) -> Path:
        made = Download()
        for number in range(1, 21):
            made.stay(number, pain=number % 11)
            vitals = {"temperature": 98, "heartrate": 60 + number, "resprate": 15, "o2sat": 98, "sbp": 120, "dbp": 80}
            made.vitals(number, "2150-06-01 12:00:00", **vitals)
        return made.write(tmp_path / "raw", **layout)

    return write
