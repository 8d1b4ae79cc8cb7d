"""A cell's numbers, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lacuna.metrics.display import Display
from lacuna.records.record import Record
from lacuna.tables.cell_statistics import Cell, one_for_each_seed, value_of
from lacuna.tables.published_number import PublishedNumber

ABOUT = ("t", "bayesnet", None, None, "mcar", 0.1, "", "x", "test/acc")
PRINTED = PublishedNumber(*ABOUT, value=0.5, std=0.02, unit=0.001)
ACCURACY = Display("accuracy", better=1)


def run(seed: int, value: float, **other: Any) -> Record:
    about = {"status": "finished", "scores": {"test/acc": value}, "finished": "2026-01-01"} | other
    return Record(run=f"r{seed}{value}", name="", config={"seed": seed}, command="", **about)


def cell(*values: float, **other: Any) -> Cell:
    runs = tuple(run(seed, value) for seed, value in enumerate(values))
    return Cell("test/acc", ACCURACY, runs, **{"published": PRINTED, "paper_runs": 5} | other)


def test_mean_and_sd_over_seeds() -> None:
    found = cell(0.1, 0.2, 0.6)
    assert found.mean == pytest.approx(0.3)
    assert found.sd == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))
    assert found.n == 3
    assert math.isnan(cell(0.1).sd)


def test_a_single_run_stands_for_all_where_the_seed_has_no_say() -> None:
    exact = cell(0.5004, published=replace(PRINTED, std=None), seeded=False)
    assert exact.sd == 0
    assert exact.noise == pytest.approx(0.0005)  # half a printed digit
    assert exact.verdict == "same"
    assert cell(0.502, published=replace(PRINTED, std=None), seeded=False).verdict == "better"
    assert math.isnan(cell(seeded=False).sd)


def test_a_seed_without_a_number_does_not_count() -> None:
    found = cell(0.1, math.nan, 0.3)
    assert found.values == {0: 0.1, 2: 0.3}
    assert found.mean == pytest.approx(0.2)


def test_noise_is_the_standard_error_of_the_difference() -> None:
    found = cell(0.55, 0.57)  # sd sqrt(2) / 100
    assert found.difference == pytest.approx(0.06)
    assert found.noise == pytest.approx(math.sqrt(0.0002 / 2 + 0.0004 / 5 + 0.0005**2))


def test_the_margin_is_welchs() -> None:
    ours, printed = np.array([0.55, 0.57, 0.53]), np.array([0.5, 0.52, 0.48, 0.53, 0.47])
    about = replace(PRINTED, value=float(printed.mean()), std=float(printed.std(ddof=1)), unit=0.0)
    test = stats.ttest_ind(ours, printed, equal_var=False)
    interval = test.confidence_interval(0.95)
    found = cell(*ours, published=about)
    assert found.margin == pytest.approx((interval.high - interval.low) / 2)
    assert (found.verdict == "same") == (test.pvalue >= 0.05)


def test_a_paper_without_an_sd_has_ours() -> None:
    found = cell(0.55, 0.57, 0.53, published=replace(PRINTED, std=None, unit=0.0))
    assert found.margin == pytest.approx(stats.t.ppf(0.975, 2) * 0.02 * math.sqrt(1 / 3 + 1 / 5))


def test_one_seed_has_no_verdict() -> None:
    assert cell(0.9).verdict == "unknown"


def test_what_is_too_small_to_matter() -> None:
    assert not replace(cell(0.503, 0.505), display=Display("accuracy", 1, percent=True)).material
    assert replace(cell(0.507, 0.509), display=Display("accuracy", 1, percent=True)).material


@pytest.mark.parametrize(
    ("values", "better", "verdict"),
    [
        ((0.59, 0.60, 0.61), 1, "better"),
        ((0.59, 0.60, 0.61), -1, "worse"),
        ((0.59, 0.60, 0.61), 0, "higher"),
        ((0.39, 0.40, 0.41), 1, "worse"),
        ((0.39, 0.40, 0.41), 0, "lower"),
        ((0.50, 0.51, 0.52), 1, "same"),
        ((), 1, "unknown"),
    ],
)
def test_verdict(values: tuple[float, ...], better: int, verdict: str) -> None:
    assert replace(cell(*values), display=Display("accuracy", better)).verdict == verdict


def test_no_verdict_without_a_spread_or_on_other_data() -> None:
    no_spread = replace(PRINTED, std=None)
    assert cell(0.9, published=no_spread).verdict == "unknown"
    assert cell(0.9, 0.91, published=no_spread).verdict == "better"
    assert math.isnan(cell(0.9, 0.91, comparable=False).difference)


def test_a_run_that_timed_out_is_a_dash_with_its_status() -> None:
    runs = (run(0, 0.5, status="timeout"), run(1, 0.5, status="timeout"))
    found = Cell("test/acc", ACCURACY, runs)
    assert (found.n, found.dash) == (0, "timeout")
    assert replace(found, runs=(*runs, run(2, 0.5))).dash is None


def test_of_two_records_of_a_seed_the_later_finished_one_counts() -> None:
    runs = [run(0, 0.1), run(0, 0.2, finished="2026-01-02"), run(0, 0.3, status="failed", finished="2026-01-03")]
    assert [r.scores["test/acc"] for r in one_for_each_seed(runs)] == [0.2]


def test_numbers_of_a_record_beside_scores() -> None:
    steps = [{"iteration": 1, "scores": {"test/acc": 0.3}}, {"iteration": 2, "scores": {"test/acc": 0.4}}]
    found = run(0, 0.5, iterations=steps, seconds={"total": 7.0}, meaningful_rates={"D2": 0.14})
    assert value_of(found, "test/acc") == 0.5
    assert value_of(found, "test/acc", iteration=2) == 0.4
    assert math.isnan(value_of(found, "test/acc", iteration=3))
    assert value_of(found, "seconds/total") == 7.0
    assert value_of(found, "meaningful_rates/D2/mm_rate") == 0.14
