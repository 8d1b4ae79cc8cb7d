"""Plots of uncertainty: drawn where a run has what they show, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lacuna.reports.run_plots import calibration, sampler, write_plots
from lacuna.types import Answer, Column, Draws, Imputation


def run(n_draws: int = 50) -> tuple[Answer, Imputation]:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(200, 2))
    hidden = np.ones(truth.shape, bool)
    draws = Draws.from_samples(np.argwhere(hidden), rng.normal(size=(n_draws, 400)).astype(np.float32))
    diagnostics = {"step_sizes": np.full((60, 2), 0.1), "rhat": np.ones(20), "ess": np.full(20, 30.0)}
    answer = Answer((Column("a"), Column("b")), truth, ~hidden, hidden)
    return answer, Imputation(truth, draws=draws, diagnostics=diagnostics)


def test_calibrated_draws_lie_on_the_diagonal() -> None:
    figure = calibration(*run())
    assert figure is not None
    nominal, reached = figure.axes[0].lines[1].get_data()
    assert np.abs(np.asarray(nominal) - np.asarray(reached)).max() < 0.08


def test_sampler_shows_what_there_is() -> None:
    _, done = run()
    shown = sampler(done)
    assert shown is not None
    assert len(shown.axes) == 3
    assert len(sampler(Imputation(done.values, diagnostics={"step_sizes": np.full((9, 2), 0.1)})).axes) == 1


def test_a_run_without_draws_has_neither(tmp_path: Path) -> None:
    answer, done = run()
    assert calibration(answer, Imputation(done.values)) is None
    assert sampler(Imputation(done.values)) is None
    assert not write_plots(answer, Imputation(done.values), [], tmp_path)


@pytest.mark.slow
def test_both_are_written(tmp_path: Path) -> None:
    names = {path.name for path in write_plots(*run(), [], tmp_path)}
    assert names == {"calibration.png", "sampler.png"}
