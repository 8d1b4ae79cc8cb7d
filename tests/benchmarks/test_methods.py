"""benchmarks/methods.py: one line a run, none measured twice, and what was cut is said and extrapolated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def methods(loaded: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Runs the benchmark on a tiny table; returns the lines of its file."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module, out = loaded("benchmarks/methods.py"), tmp_path / "lines.jsonl"

    def run(*arguments: str) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.argv", ["methods.py", "run", "--out", str(out), *arguments])
        module.main()
        return [json.loads(line) for line in out.read_text().splitlines()]

    return run


def test_a_run_is_measured_once_and_a_cut_one_says_so(methods: Callable[..., Any]) -> None:
    tiny = ["--methods", "mean_mode,gain", "--n", "60", "--p", "7"]
    cut = ["--cut", '{"gain": {"iterations": 5}}', "--budget", "paper"]
    mean, gain = methods(*tiny, *cut)
    assert mean["status"] == gain["status"] == "finished"
    assert mean["rmse_all"] == pytest.approx(mean["mean_mode"]["rmse_all"], abs=1e-4)
    assert "whole_fit_s" not in mean
    assert gain["cut"] == {"iterations": 5}
    assert gain["whole_fit_s"] == pytest.approx(gain["fit_s"] * 10_000 / 5, rel=0.01)
    assert methods(*tiny, *cut) == [mean, gain]
    assert len(methods(*tiny, "--cut", '{"gain": {"iterations": 6}}', "--budget", "paper")) == 3
    with pytest.raises(SystemExit, match="hint"):
        methods(*tiny, "--cut", '{"gain": {"hint": 1}}')


def test_epochs_that_were_cut_count_at_the_pace_of_the_later_ones(methods: Callable[..., Any]) -> None:
    from clocks import Stopwatch, whole  # in benchmarks/, where the script looks too

    watch = Stopwatch()
    watch.epoch_s = 2.0
    uncut = {"epochs": 100, "batch": 10, "max_batches": None}
    assert whole(30.0, watch, uncut, {"epochs": 10}, n_rows=50) == {"whole_fit_s": 30 + 90 * 2.0}
    assert whole(30.0, watch, uncut, {"max_batches": 25}, n_rows=50) == {"whole_fit_s": 30 + 95 * 2.0}
    assert whole(30.0, watch, uncut | {"iterations": 4}, {"iterations": 1, "epochs": 10}, 50)["whole_fit_s"] == 840
    watch.stopped = True  # it would not have gone on for longer
    assert whole(30.0, watch, uncut, {"epochs": 10}, n_rows=50) == {"whole_fit_s": 30.0}
    assert whole(30.0, watch, uncut, {}, n_rows=50) == {}
