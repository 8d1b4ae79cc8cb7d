"""benchmarks/inference.py: its laws and mechanisms are what they say, calls resume, `chained` covers the truth."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
LINEAR = {"law": "linear", "mechanism": "mcar", "rate": 0.3, "n": 100, "m": 3}


@pytest.fixture
def inference(loaded: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return loaded("benchmarks/inference.py")


@pytest.fixture
def laws(loaded: Callable[[str], ModuleType]) -> ModuleType:
    return loaded("benchmarks/inference_laws.py")


@pytest.fixture
def shown(loaded: Callable[[str], ModuleType]) -> ModuleType:
    return loaded("benchmarks/inference_shown.py")


LAWS = (
    "linear",
    "interaction",
    "quadratic",
    "logistic",
    "mixed",
    "wide",
    "heteroscedastic",
    "zero_inflated",
    "ordinal",
    "incomes",
)


def test_all_laws_are_tried(laws: ModuleType) -> None:
    assert tuple(laws.LAWS) == LAWS


@pytest.mark.parametrize("law", LAWS)
def test_analysis_of_complete_tables_finds_the_truth(laws: ModuleType, law: str) -> None:
    table = laws.draw_table(law, 20_000, np.random.default_rng(0))
    estimate, variance = laws.analyse(law, table)
    truth = np.array(laws.LAWS[law].truth)
    assert table.columns[-1] == "y"
    assert len(laws.LAWS[law].names) == len(truth)
    assert (np.abs(estimate - truth) < 4 * variance**0.5).all()
    assert (variance**0.5 < 0.05).all()


@pytest.mark.parametrize("law", ["heteroscedastic", "ordinal", "logistic", "incomes"])
def test_standard_errors_are_the_spread_of_estimates(laws: ModuleType, law: str) -> None:
    rng = np.random.default_rng(0)
    found = [laws.analyse(law, laws.draw_table(law, 300, rng)) for _ in range(150)]
    estimates, variances = (np.array(part) for part in zip(*found, strict=True))
    np.testing.assert_allclose(variances.mean(0) ** 0.5, estimates.std(0), rtol=0.2)


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "dropout", "clustered"])
def test_blanks_come_at_their_rate(laws: ModuleType, mechanism: str) -> None:
    rng = np.random.default_rng(0)
    table = laws.draw_table("mixed", 20_000, rng)
    blank = laws.hide(table, mechanism, 0.3, rng).isna()
    assert blank.iloc[:, 1:].to_numpy().mean() == pytest.approx(0.3, abs=0.01)
    assert blank["x1"].any() == (mechanism == "mcar")
    told = table["x1"][blank["y"]].mean() - table["x1"][~blank["y"]].mean()
    if mechanism != "clustered":
        assert (abs(told) < 0.1) == (mechanism == "mcar")
    if mechanism == "dropout":  # who leaves does not come back
        assert (np.diff(blank.iloc[:, 1:].to_numpy().astype(int), axis=1) >= 0).all()
    if mechanism == "clustered":  # neighbours share a rate
        of_site = blank["y"].to_numpy()[table["x1"].argsort()].reshape(laws.SITES, -1).mean(1)
        assert np.ptp(of_site) > 0.7


def test_a_method_without_draws_is_taken_for_the_truth(inference: ModuleType) -> None:
    lines = [inference.measure(LINEAR | {"method": m}, 0, 2) for m in ("complete", "missforest_sklearn")]
    assert all(np.isfinite(line["variance"]).all() for line in lines)
    assert lines[0]["fmi"] == pytest.approx([0.0, 0.0], abs=0.1)
    assert "| linear | mcar 0.3 | 100 |" in inference.as_table(lines)


@pytest.mark.parametrize("law", ["mixed", "incomes"])
def test_completed_tables_keep_what_was_seen(inference: ModuleType, law: str) -> None:
    setting = {"law": law, "mechanism": "mar", "rate": 0.3, "n": 60, "method": "ice", "m": 2}
    _, blank = inference.tables_of(setting, 4)
    ((tables, seconds),) = inference.completions(setting, [4])
    assert len(tables) == 2
    assert seconds > 0
    for done in tables:
        assert not done.isna().any().any()
        pd.testing.assert_frame_equal(done.mask(blank.isna()), blank, check_dtype=False)


def test_selective_leaves_some_without_an_income(inference: ModuleType) -> None:
    setting = {"law": "incomes", "mechanism": "mcar", "rate": 0.1, "n": 400, "method": "selective", "m": 2}
    ((tables, _),) = inference.completions(setting, [0])
    assert all(0.1 < done["y"].isna().mean() < 0.6 and not done["x2"].isna().any() for done in tables)


def test_blocks_merge_to_what_one_block_says(inference: ModuleType, shown: ModuleType) -> None:
    setting = LINEAR | {"method": "ice"}
    whole = inference.measure(setting, 0, 5)
    (merged,) = shown.merged([inference.measure(setting, 2, 5), inference.measure(setting, 0, 2)])
    assert merged.keys() == whole.keys()
    for key in ("estimate", "spread", "variance", "covered", "width", "fmi"):
        assert merged[key] == pytest.approx(whole[key], rel=1e-4, abs=1e-9), key
    assert (merged["first"], merged["repetitions"]) == (0, 5)
    with pytest.raises(ValueError, match="two lines of"):
        shown.merged([whole, whole])


def test_blocks_that_were_cut_short_leave_gaps(shown: ModuleType) -> None:
    lines = [
        LINEAR | {"method": "a", "failed": n, "first": at, "repetitions": n} for at, n in ((10, 5), (0, 5), (5, 2))
    ]
    assert [line["repetitions"] for line in shown.merged(lines)] == [12]
    assert [(line["first"], line["repetitions"]) for line in shown.merged(lines, apart=True)] == [(0, 7), (10, 5)]


def test_what_lines_tell_of_is_not_done_again(inference: ModuleType) -> None:
    setting = LINEAR | {"method": "ice"}
    lines = [setting | {"first": 0, "repetitions": 3}, setting | {"first": 10, "repetitions": 10}]
    other = setting | {"method": "boosting"}
    blocks = inference.to_do([setting, other], lines, repetitions=20, block=10)
    assert blocks == [(setting, 3, 10), (other, 0, 10), (other, 10, 20)]


def test_a_deadline_keeps_what_was_done(inference: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = LINEAR | {"method": "complete"}
    assert inference.measure(setting, 0, 5, time.time() - 1) is None
    clock = iter(range(0, 1000, 10))  # each look at the clock comes ten seconds after the last
    monkeypatch.setattr(inference.time, "time", lambda: float(next(clock)))
    line = inference.measure(setting, 3, 9, 45.0)
    assert (line["first"], 0 < line["repetitions"] < 6) == (3, True)


def test_tables_mark_what_misses(shown: ModuleType) -> None:
    line = LINEAR | {"method": "a", "first": 0, "repetitions": 200, "failed": 0, "estimands": ["x"], "truth": [2.0]}
    line |= {"estimate": [2.02], "spread": [0.04], "variance": [0.04], "width": [0.8], "fmi": [0.3], "seconds": 1.0}
    complete = line | {"method": "complete", "covered": [0.95], "width": [0.4]}

    def row(**found: object) -> str:
        rows = shown.as_table([complete, line | {"covered": [0.95]} | found]).splitlines()
        return next(row for row in rows if "| a |" in row)

    assert "| +1.0 ± 0.7% | 0.95 | 2.00 |" in row()
    assert "| **-15.0 ± 0.7%** |" in row(estimate=[1.7])
    assert "| -15.0 ± 10.6% |" in row(estimate=[1.7], spread=[9.0])  # within two Monte-Carlo errors
    assert "| *0.90* |" in row(covered=[0.9])
    assert "| **0.80** |" in row(covered=[0.8])
    assert "| *0.99* |" in row(covered=[0.99])
    assert "| 0.86 |" in row(covered=[0.86], law="interaction")
    assert "| a | 1 | 1 | 1 | 1 | 1 |" in shown.as_markdown([complete, line | {"covered": [0.95]}])


def test_it_runs_without_the_packages_of_the_command_line(tmp_path: Path) -> None:
    """As on a machine that has numpy, pandas, scipy, scikit-learn and torch alone."""
    absent = ["hydra", "omegaconf", "mlflow", "xgboost", "rich", "skops", "psutil", "scoringrules"]
    absent += ["miceforest", "hyperimpute", "lightgbm", "formulaic", "matplotlib"]
    arguments = ["--laws", "linear", "--mechanisms", "mar", "--rates", "0.3", "--n", "100", "--m", "2", "--jobs", "1"]
    arguments += ["--methods", "complete", "chained", "ice", "miceforest", "--repetitions", "1"]
    out = tmp_path / "lines.jsonl"
    code = (
        f"import runpy, sys; sys.modules |= dict.fromkeys({absent!r});"
        f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r});"
        f"sys.argv = ['inference.py', *{arguments!r}, '--out', {str(out)!r}];"
        f"runpy.run_path({str(ROOT / 'benchmarks' / 'inference.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "left out: miceforest" in done.stderr
    found = [json.loads(line)["method"] for line in out.read_text().splitlines()]
    assert found == ["complete", "chained", "ice"]


def test_chained_draws_reach_the_targets_of_the_linear_law(inference: ModuleType, shown: ModuleType) -> None:
    """As far as a few tables tell: bias under 5% or two Monte-Carlo errors, coverage not below what chance allows."""
    line = inference.measure(LINEAR | {"n": 200, "m": 5, "method": "chained"}, 0, 12)
    (one,) = [shown.Shown(line, None)]
    assert line["failed"] == 0
    assert not one.biased
    assert one.least >= 9 / 12  # P(fewer of 12) is 0.002 at 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("law", "mechanism"), [("linear", "mcar"), ("logistic", "mar")])
def test_pooled_slopes_cover_the_truth(inference: ModuleType, law: str, mechanism: str) -> None:
    setting = {"law": law, "mechanism": mechanism, "rate": 0.3, "n": 300, "method": "chained", "m": 10}
    line = inference.measure(setting, 0, 25)
    bias = np.array(line["estimate"]) / line["truth"] - 1
    noise = 2.5 * np.sqrt(np.array(line["spread"]) / 25)
    assert (np.abs(bias) < 0.05 + noise).all()
    assert (np.array(line["covered"]) >= 0.84).all()  # 21 of 25: P(fewer) is 0.007 at 0.95
    # what Rubin's rules say of the error is what the estimates show
    np.testing.assert_allclose(np.sqrt(line["variance"]), np.sqrt(line["spread"]), rtol=0.45)
