"""Exact rules: skip patterns are found, chance and smooth dependence are not taken for one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from lacuna.diagnosis.reading import read_cells
from lacuna.diagnosis.rules import Rule, find_rules
from lacuna.rng import stream


def people(seed: int = 0, n: int = 600) -> pd.DataFrame:
    rng = stream(seed, "people")
    frame = pd.DataFrame({"age": rng.integers(0, 90, n), "job": rng.choice(["yes", "no", "retired"], n)})
    frame["income"] = rng.normal(40, 9, n)
    return frame


def rules(frame: pd.DataFrame, column: str = "income") -> list[Rule]:
    return find_rules(read_cells(frame), list(frame.columns).index(column))


def test_a_skip_pattern_is_found_with_its_share() -> None:
    frame = people()
    no, lost = frame["job"] == "no", stream(0, "lost").random(600) < 0.1
    frame.loc[no | lost, "income"] = np.nan
    (rule,) = rules(frame)
    assert rule.condition == "job = no"
    assert rule.rows.tolist() == no.tolist()
    assert rule.coverage == no.sum() / (no | lost).sum()
    assert rule.elsewhere == lost[~no].mean()
    assert rule.chance < 1e-20


def test_several_levels_make_one_condition() -> None:
    frame = people()
    frame.loc[frame["job"] != "yes", "income"] = np.nan
    (rule,) = rules(frame)
    assert rule.condition == "job in no, retired"
    assert (rule.coverage, rule.elsewhere) == (1.0, 0.0)


def test_limits_are_found_at_both_ends_and_in_dates() -> None:
    frame = people()
    frame.loc[frame["age"] < 18, "income"] = np.nan
    assert [rule.condition for rule in rules(frame)] == ["age < 18"]
    frame = people()
    frame.loc[frame["age"] >= 66, "income"] = np.nan
    assert [rule.condition for rule in rules(frame)] == ["age > 65"]
    frame["age"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(frame["age"], unit="D")
    (rule,) = rules(frame)
    assert rule.condition.startswith("age > 2020-03-06")


def test_blanks_of_the_driver_are_no_obstacle() -> None:
    frame = people()
    no = frame["job"] == "no"
    frame.loc[no, "income"] = np.nan
    frame.loc[stream(1, "lost").random(600) < 0.2, "job"] = np.nan
    (rule,) = rules(frame)
    assert rule.condition == "job = no"
    assert 0.7 < rule.coverage < 0.9


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_blanks_at_random_make_a_rule_in_less_than_one_table_of_a_hundred(rate: float) -> None:
    n_found = 0
    for seed in range(200):
        frame = people(seed, 150)
        frame.loc[stream(seed, "lost", str(rate)).random(150) < rate, "income"] = np.nan
        n_found += len(rules(frame)) > 0
    assert n_found < 2


def test_a_rate_that_rises_smoothly_to_one_is_no_rule() -> None:
    n_found = 0
    for seed in range(30):
        frame = people(seed, 2000)
        steep = expit((30 - frame["age"]) / 3)
        frame.loc[stream(seed, "lost").random(2000) < steep, "income"] = np.nan
        n_found += len(rules(frame)) > 0
    assert n_found <= 3


def test_one_exception_ends_a_rule() -> None:
    frame = people()
    frame.loc[frame["job"] == "no", "income"] = np.nan
    frame.loc[frame.index[frame["job"] == "no"][3], "income"] = 40.0
    assert not rules(frame)
