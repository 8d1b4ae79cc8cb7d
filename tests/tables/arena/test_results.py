"""From records to losses, the planted checks, and the page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.records.record import Record
from lacuna.tables.arena.checks import checks, mean_loses_on_energy, oracle_first, stable, twice_ties
from lacuna.tables.arena.page import as_html, page_data
from lacuna.tables.arena.results import Entry, Problem, Results, problem_of, results
from lacuna.tables.arena.scores import BY_ID, SCORES
from lacuna.tables.arena.statistics import mean_ranks, ratios

Fake = Callable[..., Record]
DATA = ("wine", "breast", "concrete")


@pytest.fixture
def records(tmp_path: Path, fake: Fake) -> list[Record]:
    """Three methods on three tables, two seeds; one fails on one."""
    made = []
    for d, data in enumerate(DATA):
        for seed in (0, 1):
            for method, rmse in (("mean_mode", 1.0), ("knn", 0.5 + 0.1 * d), ("ice", 0.7)):
                asked = [f"dataset={data}", "mask=self_logistic", f"method={method}", f"seed={seed}"]
                if (method, data, seed) == ("ice", "concrete", 1):
                    made.append(fake(tmp_path, asked, {}, status="timeout", error="took too long"))
                    continue
                scores = {"train/rmse_std": rmse + seed / 50, "train/energy_distance": rmse / 10}
                made.append(fake(tmp_path, asked, scores | {"train/rmse_std/a_column": 9.0}))
    return made


def test_scores_are_means_over_seeds_and_a_failure_is_a_loss(records: list[Record]) -> None:
    found = results(records)
    losses = found.losses(BY_ID["rmse"])
    assert losses.methods == ("ice", "knn", "mean_mode")
    assert [problem.table for problem in losses.problems] == ["breast", "concrete", "wine"]
    want = [[0.71, 0.61, 1.01], [math.inf, 0.71, 1.01], [0.71, 0.51, 1.01]]
    np.testing.assert_allclose(losses.values, want)
    assert mean_ranks(losses) == pytest.approx({"knn": 1, "ice": (2 + 3 + 2) / 3, "mean_mode": (3 + 2 + 3) / 3})
    assert ratios(losses)["ice"] == pytest.approx((0.71 / 0.61 + 0.71 / 0.51) / 2)
    assert not found.losses(BY_ID["accuracy"]).methods


def test_all_methods_of_a_problem_are_compared_by_one_metric(records: list[Record]) -> None:
    """The newer name counts where every run has it, and not beside an older one."""
    newer = [record for record in records if record.status == "finished"]
    for record in newer:
        record.scores["train/rmse_std_all"] = 2 * record.scores["train/rmse_std"]
    np.testing.assert_allclose(results(newer).losses(BY_ID["rmse"]).values[0], [1.42, 1.22, 2.02])
    del newer[0].scores["train/rmse_std_all"]
    assert newer[0].config["names"]["dataset"] == "wine"
    np.testing.assert_allclose(results(newer).losses(BY_ID["rmse"]).values[2], [0.71, 0.51, 1.01])
    np.testing.assert_allclose(results(newer).losses(BY_ID["rmse"]).values[0], [1.42, 1.22, 2.02])


def test_a_table_is_called_by_what_tells_it_from_others(records: list[Record]) -> None:
    record = records[0]
    assert problem_of(record) == Problem("wine", "self_logistic", record.config["ratio"])
    for node, name in (
        ({"table": "college"}, "college"),
        ({"path": "some/where/mine.csv"}, "mine"),
        ({"package": "datasets", "item": "airquality"}, "wine/airquality"),
        ({"id": 109}, "wine/109"),
    ):
        record.config["dataset"] = node
        assert problem_of(record).table == name


def test_seconds_are_those_of_fit_and_imputation(records: list[Record]) -> None:
    record = records[0]
    record.seconds = {"load": 5.0, "fit": 2.0, "impute_train": 0.5, "impute_test": 0.25, "score": 9.0, "total": 20.0}
    (entry,) = results([record]).entries
    assert entry.scores["seconds"] == 2.75


def arena(scores: dict[str, dict[str, float]], tables: int = 6) -> Results:
    """The same scores on every table, a little worse on each."""
    entries = [
        Entry(Problem(f"t{i}", "mcar", 0.3), method, {key: value * (1 + i / 10) for key, value in of_method.items()})
        for i in range(tables)
        for method, of_method in scores.items()
    ]
    return Results(tuple(entries), {})


GOOD = {
    "oracle": {"rmse": 0.5, "energy": 0.01},
    "mean_mode": {"rmse": 1.0, "energy": 0.5},
    "mine": {"rmse": 0.6, "energy": 0.02},
}


def test_planted_checks_hold_where_scores_are_right_and_fail_where_not() -> None:
    assert [check.holds for check in checks(arena(GOOD))] == [True] * 4
    above = arena(GOOD | {"mine": {"rmse": 0.4, "energy": 0.02}})
    assert oracle_first(above).holds is False
    assert oracle_first(above).details[0] == "mine on t0 mcar 0.3"
    by_chance = arena(GOOD | {"mine": {"rmse": 0.495, "energy": 0.02}})
    assert oracle_first(by_chance).holds
    wrong_energy = arena(GOOD | {"mean_mode": {"rmse": 1.0, "energy": 0.001}})
    assert mean_loses_on_energy(wrong_energy).holds is False
    assert twice_ties(wrong_energy).holds
    assert stable(arena(GOOD, tables=2)).holds is None
    assert [check.holds for check in checks(arena({"mine": {"rmse": 1.0}}))] == [None] * 4


def test_the_page_holds_every_number_and_needs_nothing_else(records: list[Record]) -> None:
    page = as_html(records, rounds=5)
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert data == json.loads(json.dumps(page_data(results(records), data["methods"], 5)))
    assert len(data["entries"]) == 9
    failed = [entry for entry in data["entries"] if isinstance(entry[2], str)]
    assert failed == [[1, "ice", "timeout"]]
    assert data["methods"]["ice"] == "ICE"
    assert set(data["statistics"]) == {"rmse", "energy"}
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert "src=" not in page


def test_a_page_of_one_run_or_of_runs_that_failed_is_a_page(records: list[Record], tmp_path: Path, fake: Fake) -> None:
    assert "1 runs" in as_html(records[:1], rounds=2)
    lost = fake(
        tmp_path / "other", ["dataset=wine", "mask=self_logistic", "method=ice"], {}, status="failed", error="x"
    )
    assert "1 runs" in as_html([lost], rounds=2)


def test_ids_of_scores_are_their_own() -> None:
    assert len(BY_ID) == len(SCORES)


def test_texts_of_records_are_no_markup(records: list[Record]) -> None:
    record: Any = records[0]
    record.config["dataset"] = {"table": "</script><b>bold"}
    assert "</script><b>" not in as_html([record], rounds=2)
