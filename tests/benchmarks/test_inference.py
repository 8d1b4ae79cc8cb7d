"""benchmarks/inference.py: its laws and mechanisms are what they say, and pooled draws of `chained` cover the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def inference(loaded: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return loaded("benchmarks/inference.py")


@pytest.mark.parametrize("law", ["linear", "interaction", "quadratic", "logistic", "mixed", "wide"])
def test_analysis_of_complete_tables_finds_the_truth(inference: ModuleType, law: str) -> None:
    table = inference.draw_table(law, 20_000, np.random.default_rng(0))
    estimate, variance = inference.analyse(law, table)
    truth = np.array(inference.LAWS[law].truth)
    assert table.columns[-1] == "y"
    assert (np.abs(estimate - truth) < 4 * variance**0.5).all()
    assert (variance**0.5 < 0.05).all()


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "dropout"])
def test_blanks_come_at_their_rate(inference: ModuleType, mechanism: str) -> None:
    rng = np.random.default_rng(0)
    table = inference.draw_table("mixed", 20_000, rng)
    blank = inference.hide(table, mechanism, 0.3, rng).isna()
    assert blank.iloc[:, 1:].to_numpy().mean() == pytest.approx(0.3, abs=0.01)
    assert blank["x1"].any() == (mechanism == "mcar")
    told = table["x1"][blank["y"]].mean() - table["x1"][~blank["y"]].mean()
    assert (abs(told) < 0.1) == (mechanism == "mcar")
    if mechanism == "dropout":  # who leaves does not come back
        assert (np.diff(blank.iloc[:, 1:].to_numpy().astype(int), axis=1) >= 0).all()


def test_a_method_without_draws_is_taken_for_the_truth(inference: ModuleType) -> None:
    key = {"law": "linear", "mechanism": "mcar", "rate": 0.3, "n": 100, "m": 3, "repetitions": 2}
    line = inference.measure(key | {"method": "mean_mode"})
    assert np.isfinite(line["se"]).all()
    assert "| linear | mcar 0.3 | 100 |" in inference.as_table([key | {"method": "mean_mode"} | line])


def test_completed_tables_keep_what_was_seen(inference: ModuleType) -> None:
    key = {"law": "mixed", "mechanism": "mar", "rate": 0.3, "n": 60, "method": "ice", "m": 2, "repetitions": 1}
    ((_, blank),) = inference.blank_tables(key)
    (tables,) = inference.completions(key)
    assert len(tables) == 2
    for done in tables:
        assert not done.isna().any().any()
        pd.testing.assert_frame_equal(done.mask(blank.isna()), blank, check_dtype=False)


@pytest.mark.slow
@pytest.mark.parametrize(("law", "mechanism"), [("linear", "mcar"), ("logistic", "mar")])
def test_pooled_slopes_cover_the_truth(inference: ModuleType, law: str, mechanism: str) -> None:
    key = {"law": law, "mechanism": mechanism, "rate": 0.3, "n": 300, "method": "chained", "m": 10, "repetitions": 25}
    line = inference.measure(key)
    noise = 2.5 * np.array(line["sd"]) / 25**0.5
    assert (np.abs(line["bias"]) < 0.05 + noise).all()
    assert (np.array(line["coverage"]) >= 0.84).all()  # 21 of 25: P(fewer) is 0.007 at 0.95
    # what Rubin's rules say of the error is what the estimates show
    np.testing.assert_allclose(line["se"], line["sd"], rtol=0.45)
