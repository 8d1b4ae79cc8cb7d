"""Uncertainty metrics against closed forms for Gaussian draws."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from scipy.stats import norm

from lacuna.errors import NothingToScore
from lacuna.metrics import uncertainty
from lacuna.metrics.score import score
from lacuna.metrics.uncertainty import (
    _rounded,
    empirical_coverage,
    uq_coverage,
    uq_crps,
    uq_interval_score,
    uq_interval_width,
    uq_sd_rmse,
    uq_width_pearson,
    uq_width_spearman,
)
from lacuna.types import Answer, Column, Draws, Imputation

METRICS = (uq_coverage, uq_interval_width, uq_interval_score, uq_crps, uq_sd_rmse, uq_width_pearson, uq_width_spearman)


def gaussian(
    n: int = 4000, spread: float = 1.0, n_draws: int = 400, columns: tuple[Column, ...] = (Column("x"), Column("y"))
) -> tuple[Answer, Imputation]:
    """True values from N(0, s_i^2), s_i in 1..2, the law known; draws from N(0, (spread s_i)^2)."""
    rng = np.random.default_rng(0)
    sd = rng.uniform(1, 2, (n, len(columns)))
    truth = sd * rng.normal(size=sd.shape)
    hidden = np.ones(sd.shape, bool)
    cells = np.argwhere(hidden)
    flat = sd.ravel()
    low, high = norm.ppf([0.025, 0.975])
    posterior = Draws(cells, np.zeros(len(cells)), flat, flat * low, flat * high)
    samples = (spread * flat * rng.normal(size=(n_draws, len(cells)))).astype(np.float32)
    answer = Answer(columns, truth, ~hidden, hidden, np.ones(len(columns)), posterior)
    return answer, Imputation(np.zeros(truth.shape), draws=Draws.from_samples(cells, samples))


def test_draws_of_the_law_are_calibrated() -> None:
    answer, done = gaussian()
    assert uq_coverage(answer, done) == pytest.approx(0.95, abs=0.01)
    assert uq_interval_width(answer, done) == pytest.approx(2 * 1.96 * 1.5, rel=0.02)
    assert uq_sd_rmse(answer, done) < 0.07
    assert uq_width_pearson(answer, done) > 0.95
    assert uq_width_spearman(answer, done) > 0.95
    levels = np.linspace(0.1, 0.9, 5)
    np.testing.assert_allclose(empirical_coverage(answer, done, levels), levels, atol=0.02)


def test_narrow_draws_are_not() -> None:
    answer, done = gaussian(spread=0.3)
    assert uq_coverage(answer, done) == pytest.approx(2 * norm.cdf(1.96 * 0.3) - 1, abs=0.02)
    assert uq_sd_rmse(answer, done) == pytest.approx(0.7 * np.sqrt(7 / 3), rel=0.02)
    assert uq_width_spearman(answer, done) > 0.95


@pytest.mark.parametrize("n_draws", [3, 400])
@pytest.mark.parametrize("chunk", [2**24, 100])
def test_crps_of_gaussians(n_draws: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """CRPS of N(0, s^2) at y ~ N(0, s^2) is s / sqrt(pi) on average, for any number of draws."""
    monkeypatch.setattr(uncertainty, "SAMPLES_AT_ONCE", chunk * n_draws)
    answer, done = gaussian(n_draws=n_draws)
    assert uq_crps(answer, done) == pytest.approx(1.5 / np.sqrt(np.pi), rel=0.02)


def test_interval_score_of_an_exact_interval() -> None:
    """For N(0, s^2) and its central interval: 2 s phi(q) 2 / alpha."""
    answer, done = gaussian()
    exact = replace(done, draws=answer.posterior)
    wanted = 1.5 * 2 * norm.pdf(norm.ppf(0.975)) * 2 / 0.05
    assert uq_interval_score(answer, exact) == pytest.approx(wanted, rel=0.02)
    assert uq_crps(answer, exact) is None  # its samples were not kept
    assert uq_sd_rmse(answer, exact) == 0
    assert uq_width_pearson(answer, exact) == pytest.approx(1)


def test_without_draws_nothing_applies() -> None:
    answer, done = gaussian(n=10)
    assert all(metric(answer, replace(done, draws=None)) is None for metric in METRICS)


def test_without_a_law_only_the_truth_scores() -> None:
    answer, done = gaussian(n=10)
    blind = replace(answer, posterior=None)
    assert uq_coverage(blind, done) is not None
    assert [m(blind, done) for m in (uq_sd_rmse, uq_width_pearson, uq_width_spearman)] == [None] * 3


def test_only_ordinary_cells_of_plain_continuous_columns_count() -> None:
    columns = (Column("x"), Column("y", mm_candidate=True), Column("z", "integer"))
    answer, done = gaussian(n=50, columns=columns)
    wild = done.draws
    shifted = wild.samples.copy()
    shifted[:, wild.cells[:, 1] > 0] += 1000
    far = replace(done, draws=Draws.from_samples(wild.cells, shifted))
    assert uq_coverage(answer, far) == uq_coverage(answer, done)
    nothing = replace(answer, ordinary=np.zeros((50, 3), bool))
    with pytest.raises(NothingToScore, match="uq_crps"):
        uq_crps(nothing, done)


def test_constant_widths_correlate_with_nothing() -> None:
    answer, done = gaussian(n=20)
    even = replace(done, draws=replace(done.draws, lower=np.zeros(40), upper=np.ones(40)))
    assert np.isnan(uq_width_pearson(answer, even))


def test_scores_of_single_columns() -> None:
    answer, done = gaussian(n=300)
    scores, notes = score(answer, done, {"uq_sd_rmse": uq_sd_rmse, "uq_coverage": uq_coverage})
    assert set(scores) == {f"{m}{c}" for m in ("uq_sd_rmse", "uq_coverage") for c in ("", "/x", "/y")}
    assert not notes
    assert scores["uq_coverage"] == pytest.approx((scores["uq_coverage/x"] + scores["uq_coverage/y"]) / 2)


def test_every_metric_has_a_config() -> None:
    folder = resources.files("lacuna").joinpath("conf", "metric")
    assert all(folder.joinpath(f"{metric.__name__}.yaml").is_file() for metric in METRICS)


def test_ranks_keep_ties_that_rounding_would_break():
    equal = 1.539 + np.array([0.0, 1e-15, -1e-15, 3e-16])
    assert len(set(_rounded(equal))) == 1
    np.testing.assert_array_equal(_rounded(np.array([1.0, 1.00001, 2.0])) * 2, [1.0, 1.00001, 2.0])
