"""Printed numbers, read as shares and found by what they are about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lacuna.tables.papers.published import published, published_for


def config(dataset: str, mask: str, ratio: float, method: str, **shape: int) -> dict[str, Any]:
    return {"names": {"dataset": dataset, "mask": mask, "method": method}, "ratio": ratio, "dataset": shape}


def test_every_number_of_both_papers_is_read() -> None:
    tables = {row.table for row in published()}
    assert {"diffjoint_table01", "diffjoint_table13", "missbgm_table01", "missbgm_table07"} <= tables
    assert all(row.metric and row.value == row.value for row in published())
    assert all(
        0 <= row.value <= 1 for row in published() if row.metric.startswith(("test/mm_", "test/acc", "downstream/"))
    )


@pytest.mark.parametrize(
    ("about", "metric", "value", "std"),
    [
        (config("bayesnet", "mcar", 0.1, "diffjoint"), "test/acc", 0.7834, None),
        (config("bayesnet", "mcar", 0.1, "diffjoint"), "test/mm_recall", 0.9202, 0.0134),  # table 2 before table 10
        (config("bayesnet", "mar", 0.3, "diffjoint"), "test/mm_precision", 0.4398, None),
        (config("mnar_oracle", "self", 0.5, "missbgm", n=1000, p=50), "train/rmse_all", 1.538, 0.011),
        (config("mnar_oracle", "self", 0.2, "missbgm", n=5000, p=50), "train/uq_interval_width", 2.620, None),
        (config("wine", "self_logistic", 0.2, "mean_mode"), "train/rmse_all", 1.043, None),
    ],
)
def test_a_number_is_found_by_what_it_is_about(
    about: dict[str, Any], metric: str, value: float, std: float | None
) -> None:
    row = published_for(about)[metric]
    assert row.value == pytest.approx(value)
    assert row.std == (None if std is None else pytest.approx(std))


@pytest.mark.parametrize(
    "about",
    [
        config("bayesnet", "mcar", 0.15, "diffjoint"),
        config("bayesnet", "none", 0.1, "diffjoint"),
        config("bayesnet", "mcar", 0.1, "oracle"),
        config("mnar_oracle", "self", 0.5, "missbgm", n=1000, p=10),
    ],
)
def test_nothing_is_said_of_what_was_not_printed(about: dict[str, Any]) -> None:
    assert published_for(about) == {}


def test_the_printed_accuracy_of_mimic_counts_integer_columns() -> None:
    """Solved for how many columns it counts, as the notes of Table 4 say: 16 with the integers, 10 without."""
    blank = sum(row.value for row in published() if row.table == "diffjoint_table08")
    printed = {
        row.ratio: row.value
        for row in published()
        if row.table == "diffjoint_table04" and (row.method, row.metric) == ("mean_mode", "test/acc")
    }
    slope, intercept = np.polyfit(1 / np.array(list(printed)), 1 / np.array(list(printed.values())), 1)
    assert blank * (1 + intercept / slope) == pytest.approx(16, abs=0.6)
