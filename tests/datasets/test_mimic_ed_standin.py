"""Invented visits: rates, ranges, scores computed again, and dependence in the right direction."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lacuna.datasets.mimic_ed.schema import COLUMNS, NAMES, RANGES, TARGETS, by_name, measured
from lacuna.datasets.mimic_ed_standin import MimicEDStandin, draw_values
from lacuna.datasets.standin_patients import draw_patients
from lacuna.rng import stream
from lacuna.tables.papers.mm_rates import mm_rates
from lacuna.types import Table

N = 60_000
Columns = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def table() -> Table:
    return MimicEDStandin(N, N // 4).load(stream(3, "dataset"), stream(3, "split"))


@pytest.fixture(scope="module")
def truth() -> Columns:
    """The visits before any is made meaningfully missing."""
    return by_name(draw_values(N, stream(4, "dataset")))


def test_rates_of_table_8(table: Table) -> None:
    for ours, printed in mm_rates(table).values():
        assert abs(ours - printed) < 0.008
    kept = {c.name for c, found in zip(table.columns, table.meaningful.any(0), strict=True) if found}
    assert kept == set(TARGETS)


def test_rates_do_not_hang_on_the_size() -> None:
    small = [MimicEDStandin(800, 200).load(stream(s, "dataset"), stream(s, "split")) for s in range(10)]
    for name in TARGETS:
        j = NAMES.index(name)
        assert np.mean([t.meaningful[:, j].mean() for t in small]) == pytest.approx(
            mm_rates(small[0])[name][1], abs=0.015
        )


def test_kinds_sizes_and_ranges(table: Table, truth: Columns) -> None:
    assert table.name == "mimic_ed_standin"  # never that of the real one
    assert table.columns == COLUMNS
    assert table.train_rows is not None
    assert (len(table.values), table.train_rows.sum()) == (N + N // 4, N)
    np.testing.assert_array_equal(np.isnan(table.values), table.meaningful)
    for column in COLUMNS:
        cells = truth[column.name]
        if column.kind == "continuous":
            low, high = RANGES[measured(column.name)].inner
            assert cells.min() >= low
            assert cells.max() <= high
        else:
            np.testing.assert_array_equal(cells, np.round(cells))
            assert cells.min() >= 0
    assert truth["age"].min() == 18
    assert truth["age"].max() <= 103
    assert (truth["n_icu_365d"] <= truth["n_hosp_365d"]).all()


def news(x: Columns) -> np.ndarray:
    """The bands of the early warning score once more, as a chain of conditions."""
    rr, o2, t = x["triage_resprate"], x["triage_o2sat"], x["triage_temperature"]
    bp, hr = x["triage_sbp"], x["triage_heartrate"]
    return (
        np.select([rr <= 8, rr <= 11, rr <= 20, rr <= 24], [3, 1, 0, 2], 3)
        + np.select([o2 <= 91, o2 <= 93, o2 <= 95], [3, 2, 1], 0)
        + np.select([t <= 35, t <= 36, t <= 38, t <= 39], [3, 1, 0, 1], 2)
        + np.select([bp <= 90, bp <= 100, bp <= 110, bp <= 219], [3, 2, 1, 0], 3)
        + np.select([hr <= 40, hr <= 50, hr <= 90, hr <= 110, hr <= 130], [3, 1, 0, 1, 2], 3)
    )


def test_scores_follow_from_what_they_are_made_of(truth: Columns) -> None:
    np.testing.assert_array_equal(truth["score_NEWS"], news(truth))
    patients = draw_patients(N, stream(4, "dataset"))  # the first draws of the stream are the patients
    ill = patients.illnesses
    one = ("MI", "CHF", "PVD", "Stroke", "Dementia", "Pulmonary", "PUD", "Rheumatic", "Liver1", "DM1")
    points = sum(ill[name].astype(int) for name in one) + 3 * ill["Liver2"]
    points = points + 2 * sum(ill[name].astype(int) for name in ("DM2", "Paralysis", "Renal", "Cancer1"))
    points = points + 6 * (ill["Cancer2"].astype(int) + ill["HIV"])
    age = np.select([patients.age < 50, patients.age < 60, patients.age < 70, patients.age < 80], [0, 1, 2, 3], 4)
    np.testing.assert_array_equal(truth["score_CCI"], points + age)
    np.testing.assert_array_equal(truth["cci_CHF"], ill["CHF"])


def test_what_is_certain_of_the_rules_is_there(table: Table) -> None:
    x, blank = by_name(table.values), by_name(table.meaningful)
    urgent = x["triage_acuity"] <= 2
    breath = (x["triage_o2sat"] < 95) | (x["triage_resprate"] >= 22)
    np.testing.assert_array_equal(blank["outcome_critical"], urgent & (breath | (x["triage_heartrate"] >= 110)))
    np.testing.assert_array_equal(blank["outcome_icu_transfer_12h"], urgent & (breath | (x["n_icu_365d"] >= 1)))


def test_the_other_two_are_blank_as_often_as_their_conditions_say(table: Table) -> None:
    """Appendix C.2 once more: two per cent and ten for each condition, three and sixteen for heart failure."""
    x, blank = by_name(table.values), by_name(table.meaningful)
    hospital = (x["triage_acuity"] <= 2, x["score_NEWS"] >= 2, x["age"] >= 70, x["n_hosp_365d"] >= 1)
    failure = (x["age"] >= 75, x["n_hosp_365d"] >= 2, x["triage_sbp"] < 110, x["score_CCI"] >= 4)
    for target, conditions, chances in (
        ("outcome_hospitalization", hospital, (0.02, 0.12, 0.22, 0.32, 0.42)),
        ("cci_CHF", failure, (0.03, 0.19, 0.35, 0.51, 0.67)),
    ):
        met = np.sum(conditions, axis=0)
        for n_met, chance in enumerate(chances):
            cells = blank[target][met == n_met]
            assert cells.mean() == pytest.approx(chance, abs=4 * np.sqrt(chance / max(len(cells), 1))), (target, n_met)


def test_one_seed_one_table(table: Table) -> None:
    small = [MimicEDStandin(300, 100).load(stream(s, "dataset"), stream(s, "split")) for s in (5, 5, 6)]
    assert small[0].digest == small[1].digest != small[2].digest
    assert MimicEDStandin(50, 0).load(stream(0, "dataset"), stream(0, "split")).train_rows is None
    with pytest.raises(ValueError, match="n_train"):
        MimicEDStandin(0, 10)


def test_outcomes_follow_from_how_ill_the_patient_is(truth: Columns) -> None:
    hospital, critical = truth["outcome_hospitalization"] == 1, truth["outcome_critical"] == 1
    assert hospital[critical].all()
    assert critical[truth["outcome_icu_transfer_12h"] == 1].all()

    def difference(name: str, among: np.ndarray) -> float:
        """In sds, between those rows and the others."""
        return (truth[name][among].mean() - truth[name][~among].mean()) / truth[name].std()

    for outcome in (hospital, critical):
        for name in ("score_NEWS", "age", "n_hosp_365d", "score_CCI"):
            assert difference(name, outcome) > 0.15, name
        assert difference("triage_acuity", outcome) < -0.5
    for name, sign in [("triage_heartrate", 1), ("triage_resprate", 1), ("triage_o2sat", -1), ("triage_sbp", -1)]:
        assert sign * difference(name, critical) > 0.1, name
    assert difference("triage_temperature", truth["chiefcom_fever_chills"] == 1) > 0.8
    assert difference("triage_o2sat", truth["chiefcom_shortness_of_breath"] == 1) < -0.4
    assert difference("triage_pain", truth["chiefcom_abdominal_pain"] == 1) > 0.4
    assert difference("age", truth["cci_CHF"] == 1) > 0.7


def test_the_last_reading_goes_with_the_first(truth: Columns) -> None:
    for name in ("temperature", "heartrate", "resprate", "o2sat", "sbp", "dbp"):
        both = np.corrcoef(truth[f"triage_{name}"], truth[f"ed_{name}_last"])[0, 1]
        assert 0.3 < both < 0.8, name
    assert np.corrcoef(truth["triage_sbp"], truth["triage_dbp"])[0, 1] > 0.35


@pytest.mark.parametrize(("ratio", "printed"), [(0.1, 0.5798), (0.2, 0.6532), (0.3, 0.6826), (0.4, 0.6977)])
def test_modes_are_as_often_right_as_in_table_4(table: Table, ratio: float, printed: float) -> None:
    """Of hidden cells in discrete and integer columns under mcar, Mean/Mode filling integers with their mode too."""
    counted = [j for j, column in enumerate(COLUMNS) if column.kind != "continuous"]
    right = 0.0
    for j in counted:
        cells = table.values[~table.meaningful[:, j], j].astype(int)
        right += ratio * np.bincount(cells).max() / len(table.values)
    blank = table.meaningful[:, counted].mean(0).sum()
    assert right / (blank + ratio * (len(counted) - blank)) == pytest.approx(printed, abs=0.025)


def test_spread_is_that_of_mean_imputation_in_table_4(truth: Columns) -> None:
    """Filling with column means is printed with rmse 11.4 and mae 6.3 over the continuous columns."""
    cells = np.stack([truth[c.name] for c in COLUMNS if c.kind == "continuous"], axis=1)
    errors = cells - cells.mean(0)
    assert np.sqrt((errors**2).mean()) == pytest.approx(11.39, abs=0.25)
    assert np.abs(errors).mean() == pytest.approx(6.32, abs=0.25)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory of a process is counted in another unit")
def test_a_run_on_the_whole_table_takes_less_than_4_gb(tmp_path: Path) -> None:
    """As the operating system counts it, from reading to writing 441,437 rows; the record knows."""
    run = ["dataset=mimic_ed_standin", "method=mean_mode", "mask=mnar", "tracking=none", f"outputs={tmp_path}"]
    process = subprocess.Popen([sys.executable, Path(__file__).parents[2] / "run.py", *run], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # it has been waited for
    assert status == 0
    record = json.loads(next(tmp_path.glob("runs/*/*/*/*/record.json")).read_text())
    # Linux starts to count a child where the process that started it stands: at this one's memory
    assert 0.5 < record["peak_memory_gb"] <= 1.05 * usage.ru_maxrss / 2**20 < 4
