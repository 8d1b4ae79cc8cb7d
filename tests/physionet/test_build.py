"""The build of a hand-made download: the answer to every rule is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("duckdb")

from lacuna.datasets.mimic_ed.schema import COLUMNS, NAMES
from lacuna.physionet.build import build_cohort

YES, NO = 1, 0
# Stays of people of their own: (number, what is recorded at triage, what the table says)
TRIAGE = [
    (101, {"pain": "7-9"}, {"triage_pain": 8}),
    (102, {"pain": "7.5"}, {"triage_pain": 7.5}),
    (103, {"pain": " 4 "}, {"triage_pain": 4}),
    (104, {"pain": "uta"}, {"triage_pain": "median"}),
    (105, {"pain": "13"}, {"triage_pain": "median"}),
    (106, {"pain": "12-16"}, {"triage_pain": "median"}),
    (107, {"pain": "3 - 4"}, {"triage_pain": 3.5}),
    (108, {"pain": ""}, {"triage_pain": "median"}),
    (109, {"pain": "7-8-9"}, {"triage_pain": "median"}),
    (110, {"temperature": 101.3}, {"triage_temperature": 38.5, "score_NEWS": 1}),
    (111, {"temperature": 36.8}, {"triage_temperature": "median"}),  # degrees Celsius by mistake
    (112, {"temperature": 70}, {"triage_temperature": 26, "score_NEWS": 3}),
    (113, {"temperature": 115}, {"triage_temperature": 45, "score_NEWS": 2}),
    (114, {"temperature": 986}, {"triage_temperature": "median"}),
    (115, {"heartrate": 360}, {"triage_heartrate": 350, "score_NEWS": 3}),
    (116, {"heartrate": 391}, {"triage_heartrate": "median"}),
    (117, {"resprate": 310, "o2sat": 104}, {"triage_resprate": 300, "triage_o2sat": 100, "score_NEWS": 3}),
    (118, {"resprate": 331, "o2sat": 151}, {"triage_resprate": "median", "triage_o2sat": "median"}),
    (119, {"sbp": 376, "dbp": 1000}, {"triage_sbp": "median", "triage_dbp": "median"}),
    (120, {"sbp": 375, "dbp": -1}, {"triage_sbp": 375, "triage_dbp": "median", "score_NEWS": 3}),
    (121, {"heartrate": "unable", "sbp": "nan"}, {"triage_heartrate": "median", "triage_sbp": "median"}),
    (122, {"resprate": 25, "o2sat": 91, "sbp": 90, "heartrate": 131}, {"score_NEWS": 12}),
    (123, {"acuity": 1}, {"triage_acuity": 1}),
    (124, {"acuity": 7}, {"triage_acuity": "median"}),
    (131, {"chiefcomplaint": "CHEST PAIN, Shortness of Breath"},
     {"chiefcom_chest_pain": YES, "chiefcom_shortness_of_breath": YES, "chiefcom_abdominal_pain": NO}),
    (132, {"chiefcomplaint": "Abd pain"}, {"chiefcom_abdominal_pain": YES, "chiefcom_chest_pain": NO}),
    (133, {"chiefcomplaint": "lower ABDOMINAL PAIN"}, {"chiefcom_abdominal_pain": YES}),
    (134, {"chiefcomplaint": "Chills"}, {"chiefcom_fever_chills": YES, "chiefcom_shortness_of_breath": NO}),
    (135, {"chiefcomplaint": "FEVER\nand \"more\""}, {"chiefcom_fever_chills": YES}),
    (136, {"chiefcomplaint": ""}, {"chiefcom_fever_chills": NO, "chiefcom_chest_pain": NO}),
]  # fmt: skip
NOT_IN_THE_COHORT = {201: "17 years old", 202: "no acuity", 203: "no triage", 204: "not among the patients"}


class Case:
    """A download, and what the finished table must say of each stay of its cohort."""

    def __init__(self, download: Any) -> None:
        self.download = download
        self.expected: dict[int, dict[str, object]] = {}

    def expect(self, number: int, **cells: object) -> None:
        self.expected.setdefault(number, {}).update(cells)

    def admitted(
        self, number: int, icu: str = "", dod: str = "", dischtime: str = "2150-06-05 12:00:00", **cells: object
    ) -> None:
        """A stay that ends at 16:00 with the only admission of its patient."""
        self.download.patient(number, dod=dod)
        self.download.stay(number, subject=number, hadm_id=number + 20_000_000)
        ids = {"subject_id": number, "hadm_id": number + 20_000_000}
        self.download.add("admissions", **ids, admittime="2150-06-01 15:00:00", dischtime=dischtime)
        if icu:
            self.download.add("icustays", **ids, intime=icu)
        self.expect(number, outcome_hospitalization=YES, n_icu_365d=0, n_hosp_365d=0, **cells)

    def history(self, number: int, *diagnoses: tuple[str, int], dischtime: str = "2150-01-01 10:00:00") -> None:
        """An earlier admission of the patient of a stay on 2150-06-01 10:00."""
        if number not in self.expected:
            self.download.stay(number)
            self.expect(number)
        ids = {"subject_id": number, "hadm_id": 20_100_000 + len(self.download.rows["admissions"])}
        self.download.add("admissions", **ids, admittime="2140-01-01 10:00:00", dischtime=dischtime)
        for code, version in diagnoses:
            self.download.add("diagnoses_icd", **ids, seq_num=1, icd_code=code, icd_version=version)


def triage_rules(case: Case) -> None:
    for number, triage, cells in TRIAGE:
        case.download.stay(number, **triage)
        case.expect(number, **cells)


def cohort_rules(case: Case) -> None:
    """Age goes by the year alone."""
    case.download.patient(201, anchor_age=15, anchor_year=2148)
    case.download.stay(201, subject=201)
    case.download.stay(202, acuity="")
    case.download.patient(203)
    case.download.add(
        "edstays", subject_id=203, stay_id=203, intime="2150-06-01 10:00:00", outtime="2150-06-01 11:00:00"
    )
    case.download.stay(204, subject=999)
    case.download.patient(205, anchor_age=16, anchor_year=2148)
    case.download.stay(205, subject=205, intime="2150-01-01 00:00:00", outtime="2150-01-01 01:00:00")
    case.expect(205, age=18, score_CCI=0)
    case.download.patient(206, anchor_age=70, anchor_year=2140)
    case.download.stay(206, subject=206)
    case.expect(206, age=80, score_CCI=4)


def last_vitals_rules(case: Case) -> None:
    """The last of each, by time and not by place."""
    case.download.stay(301)
    case.download.vitals(301, "2150-06-01 12:00:00", temperature=100.4, heartrate=80, resprate=20, sbp=110)
    case.download.vitals(301, "2150-06-01 14:00:00", temperature="", heartrate=95, resprate=18, o2sat=97, dbp=60)
    case.download.vitals(301, "2150-06-01 13:00:00", heartrate=60, sbp=105)
    case.expect(301, ed_temperature_last=38, ed_heartrate_last=95, ed_resprate_last=18, ed_o2sat_last=97)
    case.expect(301, ed_sbp_last=105, ed_dbp_last=60)
    case.download.stay(302)
    case.download.vitals(302, "2150-06-01 12:00:00", heartrate=80, temperature=98.6)
    case.download.vitals(302, "2150-06-01 13:00:00", heartrate=400, temperature=37)
    case.expect(302, ed_heartrate_last="median", ed_temperature_last="median")
    case.download.stay(303)  # nothing recorded
    case.expect(303, **{f"ed_{name}_last": "median" for name in ("temperature", "heartrate", "o2sat", "sbp", "dbp")})


def outcome_rules(case: Case) -> None:
    case.admitted(401)
    case.expect(401, outcome_icu_transfer_12h=NO, outcome_critical=NO)
    case.admitted(402, icu="2150-06-02 04:00:00")  # 12 hours to the second
    case.expect(402, outcome_icu_transfer_12h=YES, outcome_critical=YES)
    case.admitted(403, icu="2150-06-02 04:00:01")
    case.expect(403, outcome_icu_transfer_12h=NO, outcome_critical=NO)
    case.download.add("icustays", subject_id=403, hadm_id=20_000_403, intime="2150-06-03 04:00:00")
    case.admitted(404, icu="2150-06-01 14:00:00")  # in the ICU before the ED was left
    case.expect(404, outcome_icu_transfer_12h=YES, outcome_critical=YES)
    case.admitted(409, icu="2150-05-31 08:00:00")  # in the ICU the day before the ED
    case.expect(409, outcome_icu_transfer_12h=YES, outcome_critical=YES, n_icu_365d=1)
    case.admitted(405, dod="2150-06-05")
    case.expect(405, outcome_icu_transfer_12h=NO, outcome_critical=YES)
    case.admitted(406, dod="2150-06-06")  # at home, a day later
    case.expect(406, outcome_icu_transfer_12h=NO, outcome_critical=NO)
    case.download.stay(407, hadm_id=29_999_999)  # an admission that the hospital's table lacks
    case.expect(407, outcome_hospitalization=YES, outcome_critical=NO)
    case.download.stay(408)
    case.download.add(
        "icustays", subject_id=408, hadm_id=20_000_408, intime="2150-06-01 17:00:00"
    )  # of another admission
    case.expect(408, outcome_hospitalization=NO, outcome_icu_transfer_12h=NO, outcome_critical=NO)


def utilisation_rules(case: Case) -> None:
    """One person's visits, the last stay being on 2150-06-01 10:00."""
    case.download.patient(501)
    for number, intime in ((5011, "2149-06-01 10:00:00"), (5012, "2149-06-01 09:59:59"), (5013, "2150-05-31 10:00:00")):
        case.download.stay(number, subject=501, intime=intime, outtime=intime)
    case.download.add(
        "edstays", subject_id=501, stay_id=5014, intime="2150-03-01 10:00:00", outtime="2150-03-01 11:00:00"
    )
    case.download.stay(501, subject=501)
    for k, admittime in enumerate(("2149-06-01 10:00:00", "2149-05-01 10:00:00", "2150-06-01 10:00:00")):
        times = {"admittime": admittime, "dischtime": admittime}
        case.download.add("admissions", subject_id=501, hadm_id=20_005_010 + k, **times)
        case.download.add("icustays", subject_id=501, hadm_id=20_005_010 + k, intime=admittime)
    case.expect(501, n_ed_365d=3, n_hosp_365d=1, n_icu_365d=1)
    case.expect(5011, n_ed_365d=1, n_hosp_365d=1, n_icu_365d=1)
    case.expect(5012, n_ed_365d=0)
    case.expect(5013, n_ed_365d=3, n_hosp_365d=1)


def comorbidity_rules(case: Case) -> None:
    case.history(601, ("4280", 9), ("N186", 10))
    case.expect(601, cci_CHF=YES, cci_Renal=YES, eci_Pulmonary=NO, score_CCI=3)
    case.history(602, ("J449", 10))
    case.expect(602, cci_CHF=NO, eci_Pulmonary=YES, score_CCI=1)
    case.history(603, ("042", 9))  # HIV, 6 points; without its leading zero the code is none
    case.expect(603, score_CCI=6)
    case.history(604, ("42", 9), ("0389", 9))
    case.expect(604, score_CCI=0)
    case.history(605, ("I50.9 ", 10), ("i420", 10))
    case.expect(605, cci_CHF=YES, score_CCI=1)
    case.history(606, ("428", 10), ("I509", 9))  # codes of the other version
    case.expect(606, cci_CHF=NO, score_CCI=0)
    case.history(607, ("4280", 9), dischtime="2150-06-01 10:00:00")  # not before the stay
    case.expect(607, cci_CHF=NO, score_CCI=0)
    case.history(608, ("4280", 9), dischtime="2145-07-17 10:00:00")  # 1780 days before to the second
    case.expect(608, cci_CHF=YES, score_CCI=1)
    case.history(609, ("4280", 9), dischtime="2145-07-17 09:59:59")
    case.expect(609, cci_CHF=NO, score_CCI=0)
    case.history(610, ("25000", 9), ("25040", 9), ("E1122", 10))  # both kinds of diabetes, no hierarchy
    case.expect(610, score_CCI=3)
    case.history(611, ("4280", 9))
    case.history(611, ("J45", 10), ("4280", 9), dischtime="2149-01-01 10:00:00")
    case.expect(611, cci_CHF=YES, eci_Pulmonary=YES, score_CCI=2)


def without_ed_rules(case: Case) -> None:
    """An admission of someone who was never in the ED."""
    case.download.patient(701)
    ids = {"subject_id": 701, "hadm_id": 20_700_001}
    case.download.add("admissions", **ids, admittime="2150-01-01 10:00:00", dischtime="2150-01-02 10:00:00")
    case.download.add("diagnoses_icd", **ids, seq_num=1, icd_code="I509", icd_version=10)


RULES = (triage_rules, cohort_rules, last_vitals_rules, outcome_rules, utilisation_rules, comorbidity_rules,
         without_ed_rules)  # fmt: skip


def whole_case(download: Any) -> Case:
    case = Case(download)
    for add in RULES:
        add(case)
    return case


@pytest.fixture(scope="module", params=["hosp", "hosp gz", "core", "core gz"])
def built(request, tmp_path_factory: pytest.TempPathFactory, make_download) -> tuple[dict, pd.DataFrame, Path]:
    """What is expected, the finished rows by stay, and the output folder; in every layout."""
    folder = tmp_path_factory.mktemp("built")
    case = whole_case(make_download())
    root = case.download.write(folder / "raw", core="core" in request.param, gz="gz" in request.param)
    build_cohort(root, folder / "out", threads=1)
    return case.expected, finished_rows(folder / "out"), folder / "out"


def finished_rows(out: Path) -> pd.DataFrame:
    stays = pd.read_parquet(out / "stays.parquet")
    parts = [
        pd.read_parquet(out / f"{split}.parquet").set_index(stays.loc[stays.split == split, "stay_id"])
        for split in ("train", "test")
    ]
    return pd.concat(parts)


def test_every_rule_has_its_known_answer(built) -> None:
    expected, rows, out = built
    medians = json.loads((out / "manifest.json").read_text())["medians"]
    for stay, cells in expected.items():
        for name, wanted in cells.items():
            value = medians[name] if wanted == "median" else wanted
            assert rows.loc[stay, name] == pytest.approx(value), (stay, name)


def test_the_cohort_is_adults_with_an_acuity(built) -> None:
    expected, rows, _ = built
    assert set(rows.index) == set(expected)
    assert not set(rows.index) & set(NOT_IN_THE_COHORT)
    assert (rows.age >= 18).all()


def test_the_tables_are_complete_and_of_the_schemas_kinds(built) -> None:
    _, _, out = built
    train, test = (pd.read_parquet(out / f"{split}.parquet") for split in ("train", "test"))
    assert list(train.columns) == list(test.columns) == list(NAMES)
    assert len(train) == round(0.8 * (len(train) + len(test)))
    for frame in (train, test):
        assert not frame.isna().any(axis=None)
        kinds = ["continuous" if kind == "f" else "discrete" for kind in (frame[c.name].dtype.kind for c in COLUMNS)]
        assert kinds == ["continuous" if c.kind == "continuous" else "discrete" for c in COLUMNS]


def test_medians_are_those_of_valid_training_cells(built) -> None:
    _, rows, out = built
    medians = json.loads((out / "manifest.json").read_text())["medians"]
    valid = {number: cells["triage_pain"] for number, _, cells in TRIAGE if "triage_pain" in cells}
    unusable = {number for number, cell in valid.items() if cell == "median"}
    stays = pd.read_parquet(out / "stays.parquet")
    train = stays.loc[stays.split == "train", "stay_id"]
    assert medians["triage_pain"] == np.median(rows.loc[[s for s in train if s not in unusable], "triage_pain"])


def test_the_manifest_counts_every_step(built) -> None:
    expected, _, out = built
    manifest = json.loads((out / "manifest.json").read_text())
    rows = manifest["rows"]
    assert rows["edstays"] == len(expected) + len(NOT_IN_THE_COHORT) + 1  # 5014 is one without triage
    assert rows["adults"] == rows["edstays"] - 2  # 17 years old, and not among the patients
    assert rows["cohort"] == rows["features"] == rows["train"] + rows["test"] == len(expected)
    assert manifest["repairs"]["triage_pain"] == {"blank": 3, "out_of_range": 2, "clipped": 0}
    assert manifest["repairs"]["triage_temperature"] == {"blank": 0, "out_of_range": 2, "clipped": 2}
    assert {len(source["sha256"]) for source in manifest["sources"].values()} == {64}
    assert set(manifest["files"]) == {"train.parquet", "test.parquet", "stays.parquet"}
    assert not (out / ".build").exists()


def test_the_card_counts_but_names_no_few_patients(built) -> None:
    _, rows, out = built
    card = (out / "card.md").read_text()
    counted = [column.name for column in COLUMNS if column.kind != "continuous" and column.name != "age"]
    for name in counted:
        assert 0 < (rows[name] > 0).sum() < 10
        assert f"\n| {name} | <10 |\n" in card
    assert "\n| triage_pain | <10 | <10 | 0 |\n" in card
    assert f"\n| cohort | {len(rows)} | 441,437 |\n" in card


def test_layout_and_compression_do_not_matter(make_download, tmp_path: Path) -> None:
    contents = []
    for number, layout in enumerate(({"core": True}, {"gz": True})):
        download = whole_case(make_download()).download
        build_cohort(download.write(tmp_path / f"raw{number}", **layout), tmp_path / f"out{number}", threads=1)
        contents.append(json.loads((tmp_path / f"out{number}" / "manifest.json").read_text())["files"])
    assert contents[0] == contents[1]


def test_a_download_may_lie_as_physionet_names_it(small: Callable[..., Path], tmp_path: Path) -> None:
    root = small()
    (tmp_path / "files" / "mimiciv").mkdir(parents=True)
    (tmp_path / "files" / "mimic-iv-ed" / "2.2").mkdir(parents=True)
    (root / "ed").rename(tmp_path / "files" / "mimic-iv-ed" / "2.2" / "ed")
    root.rename(tmp_path / "files" / "mimiciv" / "3.1")
    manifest = build_cohort(tmp_path / "files", tmp_path / "out", threads=1)
    assert manifest["sources"]["triage"]["version"] == "2.2"
    assert manifest["sources"]["patients"]["version"] == "3.1"
