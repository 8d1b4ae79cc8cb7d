"""Columns, scores and meaningful missingness of MIMIC-IV-ED, against the paper's tables and hand counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lacuna.datasets.mimic_ed.meaningful import draw_meaningful, probabilities
from lacuna.datasets.mimic_ed.schema import COLUMNS, NAMES, RANGES, TARGETS, measured
from lacuna.datasets.mimic_ed.scores import CCI_WEIGHTS, NEWS_BANDS, cci, news
from lacuna.tables.papers.mm_rates import published_mm_rates
from lacuna.tables.papers.published import published

# A young, well patient with a minor complaint: no rule of C.2 applies.
WELL = {
    "triage_acuity": 3, "triage_o2sat": 99, "triage_resprate": 16, "triage_heartrate": 80, "triage_sbp": 120,
    "n_icu_365d": 0, "n_hosp_365d": 0, "score_NEWS": 0, "score_CCI": 0, "age": 30,
}  # fmt: skip


def rows(*changes: dict[str, float]) -> np.ndarray:
    return np.array([[{**WELL, **change}.get(name, 0) for name in NAMES] for change in changes], float)


def test_the_columns_are_those_of_table_6_and_7() -> None:
    assert len(NAMES) == len(set(NAMES)) == 30
    assert Counter(c.kind == "continuous" for c in COLUMNS) == {True: 14, False: 16}
    assert {c.name for c in COLUMNS if c.mm_candidate} == set(TARGETS) == set(published_mm_rates())
    assert {row.target for row in published() if row.table == "diffjoint_table05"} == set(TARGETS)
    assert {measured(c.name) for c in COLUMNS if c.kind == "continuous"} == set(RANGES)


@pytest.mark.parametrize(
    ("name", "value", "clean"),
    [
        ("temperature", 14.1, None), ("temperature", 14.2, 26), ("temperature", 45.5, 45), ("temperature", 47.1, None),
        ("heartrate", -1, None), ("heartrate", 390, 350), ("heartrate", 391, None),
        ("resprate", 330, 300), ("resprate", 331, None), ("o2sat", 150, 100), ("o2sat", 151, None),
        ("sbp", 375, 375), ("sbp", 376, None), ("dbp", -1, None), ("dbp", 0, 0),
        ("pain", 10, 10), ("pain", 11, None), ("acuity", 0, None), ("acuity", 5, 5), ("acuity", 6, None),
    ],
)  # fmt: skip
def test_out_of_range_is_missing_or_clipped(name: str, value: float, clean: float | None) -> None:
    found = RANGES[name].clean(np.array([value], float))[0]
    assert np.isnan(found) if clean is None else found == clean


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("resprate", {8: 3, 9: 1, 11: 1, 12: 0, 20: 0, 21: 2, 24: 2, 25: 3}),
        ("o2sat", {91: 3, 92: 2, 93: 2, 94: 1, 95: 1, 96: 0}),
        ("temperature", {35: 3, 35.1: 1, 36: 1, 36.1: 0, 38: 0, 38.1: 1, 39: 1, 39.1: 2}),
        ("sbp", {90: 3, 91: 2, 100: 2, 101: 1, 110: 1, 111: 0, 219: 0, 220: 3}),
        ("heartrate", {40: 3, 41: 1, 50: 1, 51: 0, 90: 0, 91: 1, 110: 1, 111: 2, 130: 2, 131: 3}),
    ],
)
def test_news_points_of_each_band(name: str, points: dict[float, int]) -> None:
    normal = {"resprate": 15, "o2sat": 98, "temperature": 37, "sbp": 120, "heartrate": 70}
    vitals = {key: np.full(len(points), normal[key], float) for key in NEWS_BANDS}
    np.testing.assert_array_equal(news(vitals | {name: np.array(list(points))}), list(points.values()))


def test_cci_adds_age_and_every_group_without_hierarchy() -> None:
    none = {name: np.zeros(7, bool) for name in CCI_WEIGHTS}
    ages = np.array([18, 49, 50, 59, 60, 79, 80])
    np.testing.assert_array_equal(cci(ages, none), [0, 0, 1, 1, 2, 3, 4])
    everything = {name: np.ones(7, bool) for name in CCI_WEIGHTS}
    np.testing.assert_array_equal(cci(ages, everything) - cci(ages, none), 10 * 1 + 4 * 2 + 3 + 2 * 6)


@pytest.mark.parametrize(
    ("change", "critical", "icu"),
    [
        ({}, 0, 0),
        ({"triage_o2sat": 80, "triage_resprate": 40, "triage_heartrate": 150, "n_icu_365d": 3}, 0, 0),  # not urgent
        ({"triage_acuity": 2}, 0, 0),
        ({"triage_acuity": 2, "triage_o2sat": 95}, 0, 0),
        ({"triage_acuity": 2, "triage_o2sat": 94.9}, 1, 1),
        ({"triage_acuity": 1, "triage_resprate": 22}, 1, 1),
        ({"triage_acuity": 1, "triage_resprate": 21.9}, 0, 0),
        ({"triage_acuity": 2, "triage_heartrate": 110}, 1, 0),
        ({"triage_acuity": 2, "triage_heartrate": 109}, 0, 0),
        ({"triage_acuity": 2, "n_icu_365d": 1}, 0, 1),
    ],
)
def test_outcomes_are_blank_by_rule(change: dict[str, float], critical: int, icu: int) -> None:
    found = probabilities(rows(change))
    assert found["outcome_critical"] == critical
    assert found["outcome_icu_transfer_12h"] == icu
    drawn = draw_meaningful(rows(change), np.random.default_rng(0))
    assert drawn[0, NAMES.index("outcome_critical")] == critical
    assert drawn[0, NAMES.index("outcome_icu_transfer_12h")] == icu


HOSPITAL = ({"triage_acuity": 2}, {"score_NEWS": 2}, {"age": 70}, {"n_hosp_365d": 1})
FAILURE = ({"age": 75}, {"n_hosp_365d": 2}, {"triage_sbp": 109}, {"score_CCI": 4})


@pytest.mark.parametrize(("target", "parts", "base", "step", "most"), [
    ("outcome_hospitalization", HOSPITAL, 0.02, 0.10, 0.45), ("cci_CHF", FAILURE, 0.03, 0.16, 0.70),
])  # fmt: skip
def test_chances_grow_with_each_condition(
    target: str, parts: tuple[dict[str, float], ...], base: float, step: float, most: float
) -> None:
    single = probabilities(rows({}, *parts))[target]
    np.testing.assert_allclose(single, [base, *[base + step] * 4])
    together = rows(*({k: v for part in parts[:k] for k, v in part.items()} for k in range(5)))
    np.testing.assert_allclose(probabilities(together)[target], np.minimum(base + step * np.arange(5), most))
    below = ({"triage_acuity": 3}, {"score_NEWS": 1}, {"age": 69}, {"triage_sbp": 110}, {"score_CCI": 3})
    np.testing.assert_allclose(probabilities(rows(*below))[target], base)


def test_draws_keep_to_their_chances_and_touch_only_targets() -> None:
    values = rows({"triage_acuity": 2, "age": 80}).repeat(20_000, axis=0)
    drawn = draw_meaningful(values, np.random.default_rng(1))
    rates = dict(zip(NAMES, drawn.mean(0), strict=True))
    assert rates["outcome_hospitalization"] == pytest.approx(0.22, abs=0.012)  # 4 sd
    assert rates["cci_CHF"] == pytest.approx(0.19, abs=0.012)
    assert {name for name, rate in rates.items() if rate} == {"outcome_hospitalization", "cci_CHF"}
    np.testing.assert_array_equal(drawn, draw_meaningful(values, np.random.default_rng(1)))


def test_the_rules_refuse_masked_values() -> None:
    values = rows({})
    values[0, 3] = np.nan
    with pytest.raises(ValueError, match="without blanks"):
        draw_meaningful(values, np.random.default_rng(0))
