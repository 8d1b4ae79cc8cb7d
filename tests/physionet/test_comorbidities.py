"""The code lists of Quan et al. 2005: examples in and out of each group, and what SQL makes of them."""

from __future__ import annotations

from collections import Counter

import pytest

from lacuna.datasets.mimic_ed.scores import CCI_WEIGHTS
from lacuna.physionet.comorbidities import prefixes

# (ICD version, a code with its meaning, the Charlson groups, the Elixhauser groups)
EXAMPLES = [
    (9, "410.71", "MI", ""),  # subendocardial infarction
    (9, "411.1", "", ""),  # unstable angina
    (10, "I25.2", "MI", ""),  # old infarction
    (10, "I25.10", "", ""),  # coronary atherosclerosis
    (10, "I20.0", "", ""),  # unstable angina
    (9, "428.0", "CHF", "CHF"),
    (9, "398.91", "CHF", "CHF"),  # rheumatic heart failure
    (9, "398.90", "", ""),  # rheumatic heart disease without failure
    (9, "404.93", "CHF Renal", "CHF Renal Hypertension2"),  # heart and kidney failure
    (9, "425.5", "CHF", "CHF Alcohol"),  # alcoholic cardiomyopathy
    (9, "425.3", "", ""),  # endocardial fibroelastosis
    (10, "I50.9", "CHF", "CHF"),
    (10, "I42.6", "CHF", "CHF Alcohol"),
    (10, "I42.1", "", ""),  # hypertrophic cardiomyopathy
    (10, "I11.0", "CHF", "CHF Hypertension2"),
    (10, "I11.9", "", "Hypertension2"),
    (9, "443.9", "PVD", "PVD"),
    (9, "442.0", "", ""),  # other aneurysm
    (10, "I73.9", "PVD", "PVD"),
    (10, "I73.0", "", ""),  # Raynaud's
    (9, "434.91", "Stroke", ""),
    (9, "362.34", "Stroke", ""),  # amaurosis fugax
    (10, "I63.9", "Stroke", ""),
    (10, "G45.9", "Stroke", ""),
    (9, "331.2", "Dementia", ""),
    (9, "331.0", "", ""),  # Alzheimer's: not in the ICD-9-CM list
    (10, "G30.9", "Dementia", ""),
    (10, "F05.0", "", ""),  # delirium without dementia
    (9, "496", "Pulmonary", "Pulmonary"),
    (9, "493.90", "Pulmonary", "Pulmonary"),
    (9, "416.8", "Pulmonary", "Pulmonary PulmonaryCirculation"),
    (9, "486", "", ""),  # pneumonia
    (10, "J44.9", "Pulmonary", "Pulmonary"),
    (10, "J18.9", "", ""),
    (9, "714.0", "Rheumatic", "Rheumatic"),
    (9, "714.3", "", "Rheumatic"),  # juvenile arthritis
    (9, "715.90", "", ""),  # osteoarthritis
    (10, "M32.10", "Rheumatic", "Rheumatic"),
    (10, "M08.0", "", "Rheumatic"),
    (9, "531.40", "PUD", ""),  # with bleeding
    (9, "531.70", "PUD", "PUD"),
    (9, "535.50", "", ""),  # gastritis
    (10, "K25.9", "PUD", "PUD"),
    (10, "K25.4", "PUD", ""),
    (9, "571.5", "Liver1", "Liver"),
    (9, "571.2", "Liver1", "Liver Alcohol"),
    (9, "070.30", "", ""),  # acute hepatitis B
    (9, "070.54", "Liver1", "Liver"),  # chronic hepatitis C
    (10, "K74.60", "Liver1", "Liver"),
    (10, "K75.4", "", ""),
    (9, "250.00", "DM1", "DM1"),
    (9, "250.80", "DM1", "DM2"),  # the two indices disagree
    (9, "250.40", "DM2", "DM2"),
    (9, "251.2", "", ""),  # hypoglycaemia
    (10, "E11.9", "DM1", "DM1"),
    (10, "E11.65", "DM1", "DM2"),
    (10, "E11.22", "DM2", "DM2"),
    (9, "342.90", "Paralysis", "Paralysis"),
    (9, "344.8", "", ""),
    (10, "G81.94", "Paralysis", "Paralysis"),
    (10, "G80.9", "", ""),
    (9, "585.6", "Renal", "Renal"),
    (9, "403.90", "", "Hypertension2"),  # hypertensive kidney disease without failure
    (9, "582.9", "Renal", ""),
    (9, "584.9", "", ""),  # acute failure
    (10, "N18.3", "Renal", "Renal"),
    (10, "N17.9", "", ""),
    (10, "Z99.2", "Renal", "Renal"),
    (9, "174.9", "Cancer1", "SolidTumor"),
    (9, "173.3", "", ""),  # of the skin
    (9, "202.80", "Cancer1", "Lymphoma"),
    (9, "204.00", "Cancer1", ""),  # leukaemia
    (10, "C50.911", "Cancer1", "SolidTumor"),
    (10, "C44.3", "", ""),
    (10, "C91.0", "Cancer1", ""),
    (10, "C90.0", "Cancer1", "Lymphoma"),
    (9, "572.2", "Liver2", "Liver"),
    (9, "456.1", "Liver2", "Liver"),
    (9, "572.0", "", ""),  # abscess
    (10, "K76.6", "Liver2", "Liver"),
    (10, "I85.00", "Liver2", "Liver"),
    (9, "197.7", "Cancer2", "Metastasis"),
    (10, "C78.7", "Cancer2", "Metastasis"),
    (9, "042", "HIV", "HIV"),
    (9, "42", "", ""),
    (9, "041.9", "", ""),
    (10, "B20", "HIV", "HIV"),
    (10, "B23.8", "", ""),
    (9, "427.31", "", "Arrhythmia"),
    (9, "427.5", "", ""),  # cardiac arrest
    (10, "I48.91", "", "Arrhythmia"),
    (10, "I46.9", "", ""),
    (9, "424.1", "", "Valvular"),
    (10, "I35.0", "", "Valvular"),
    (10, "I33.0", "", ""),
    (9, "415.19", "", "PulmonaryCirculation"),
    (10, "I26.99", "", "PulmonaryCirculation"),
    (10, "I28.1", "", ""),
    (9, "401.9", "", "Hypertension1"),
    (10, "I10", "", "Hypertension1"),
    (10, "I16.0", "", ""),
    (9, "345.90", "", "OtherNeurological"),
    (9, "346.90", "", ""),  # migraine
    (10, "G40.909", "", "OtherNeurological"),
    (10, "G43.9", "", ""),
    (9, "244.9", "", "Hypothyroidism"),
    (10, "E03.9", "", "Hypothyroidism"),
    (10, "E05.9", "", ""),
    (9, "287.5", "", "Coagulopathy"),
    (9, "287.2", "", ""),
    (10, "D69.6", "", "Coagulopathy"),
    (10, "D69.2", "", ""),
    (9, "278.01", "", "Obesity"),
    (9, "278.1", "", ""),
    (10, "E66.01", "", "Obesity"),
    (9, "263.9", "", "WeightLoss"),
    (10, "R63.4", "", "WeightLoss"),
    (10, "R63.5", "", ""),
    (9, "276.1", "", "FluidElectrolyte"),
    (10, "E87.6", "", "FluidElectrolyte"),
    (10, "E83.5", "", ""),
    (9, "280.0", "", "BloodLossAnemia"),
    (10, "D50.0", "", "BloodLossAnemia"),
    (9, "280.9", "", "DeficiencyAnemia"),
    (10, "D51.0", "", "DeficiencyAnemia"),
    (10, "D64.9", "", ""),
    (9, "303.90", "", "Alcohol"),
    (9, "291.4", "", ""),
    (10, "F10.20", "", "Alcohol"),
    (9, "305.1", "", ""),  # tobacco
    (9, "304.00", "", "Drugs"),
    (10, "F11.20", "", "Drugs"),
    (10, "F17.210", "", ""),
    (9, "295.30", "", "Psychoses"),
    (9, "296.54", "", "Psychoses Depression"),
    (10, "F20.9", "", "Psychoses"),
    (10, "F20.4", "", "Psychoses Depression"),
    (10, "F31.0", "", ""),
    (9, "311", "", "Depression"),
    (10, "F33.1", "", "Depression"),
    (10, "F34.0", "", ""),
]


def names_of(code: str, icd: int) -> set[str]:
    """The comorbidities that one diagnosis belongs to."""
    return {p.name for p in prefixes() if p.icd == icd and code.replace(".", "").startswith(p.prefix)}


@pytest.mark.parametrize(("icd", "code", "charlson", "elixhauser"), EXAMPLES)
def test_a_code_is_in_its_groups_and_in_no_other(icd: int, code: str, charlson: str, elixhauser: str) -> None:
    assert names_of(code, icd) == {f"cci_{g}" for g in charlson.split()} | {f"eci_{g}" for g in elixhauser.split()}


def test_every_group_has_an_example_and_a_list_in_both_versions() -> None:
    shown = {(name, icd) for icd, code, *_ in EXAMPLES for name in names_of(code, icd)}
    assert shown == {(p.name, p.icd) for p in prefixes()}
    groups = {p.name for p in prefixes()}
    assert Counter(name[:3] for name in groups) == {"cci": 17, "eci": 31}
    assert {name.removeprefix("cci_") for name in groups if name.startswith("cci_")} == set(CCI_WEIGHTS)


def test_no_prefix_is_twice_in_a_group_or_covered_by_another() -> None:
    by_group: dict[tuple[str, int], list[str]] = {}
    for p in prefixes():
        by_group.setdefault((p.name, p.icd), []).append(p.prefix)
    for group, found in by_group.items():
        assert len(found) == len(set(found)), group
        assert not [(a, b) for a in found for b in found if a != b and b.startswith(a)], group


def test_sql_matches_by_prefix_alike() -> None:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.execute("CREATE TABLE prefixes (name VARCHAR, icd INTEGER, prefix VARCHAR)")
    connection.executemany("INSERT INTO prefixes VALUES (?, ?, ?)", [list(p) for p in prefixes()])
    for icd, code, *_ in EXAMPLES:
        bare = code.replace(".", "")
        found = connection.execute(
            "SELECT DISTINCT name FROM prefixes WHERE icd = ? AND starts_with(?, prefix)", [icd, bare]
        ).fetchall()
        assert {name for (name,) in found} == names_of(code, icd)
