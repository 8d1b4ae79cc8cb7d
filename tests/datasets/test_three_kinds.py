"""Three kinds of blanks: the posterior against rejection sampling, calibration, and what the law refuses."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.datasets.three_kinds import (
    N_PREDICTORS,
    RESIDUALS,
    SIGMA,
    SLOPES,
    ThreeKinds,
    meaningful_probability,
    panels,
)
from lacuna.masks.lost_or_self import LostOrSelf
from lacuna.masks.mcar import MCAR
from lacuna.methods.oracle import Oracle
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Incomplete, Problem, Table

residuals = pytest.mark.parametrize("residual", list(RESIDUALS))


def load(residual: str, n: int = 2000, seed: int = 0) -> Table:
    return ThreeKinds(n, 0, residual).load(stream(seed, "dataset"), stream(seed, "split"))


def masked(table: Table, ratio: float = 0.5) -> Problem:
    return hide(table, LostOrSelf().draw(table, ratio, stream(0, "mask")))


@residuals
def test_quadrature_has_the_moments_of_the_residuals(residual: str) -> None:
    grid = panels(residual)
    masses = RESIDUALS[residual].pdf(grid.nodes) * grid.weights
    np.testing.assert_allclose([masses @ grid.nodes**k for k in range(3)], [1, 0, 1], atol=1e-6)


@residuals
def test_the_posterior_of_a_row_is_what_simulated_rows_like_it_do(residual: str) -> None:
    """Many rows with the same predictors, drawn and hidden anew: of those that are blank, what is behind."""
    table = load(residual)
    mechanism = LostOrSelf().draw(table, 0.5, stream(0, "mask")).mechanism
    rng = stream(1, "simulation")
    z = np.array([0.4, 0.9, 0.7, -1.1])
    n = 400_000
    x = z @ SLOPES + SIGMA * RESIDUALS[residual].rvs((n, 4), random_state=rng)
    meaningful = rng.random((n, 4)) < meaningful_probability(z[None])
    values = np.column_stack([np.tile(z, (n, 1)), x])
    blank = (rng.random((n, 8)) < mechanism.hide_probability(values))[:, 4:] | meaningful
    one = Incomplete(table.columns, np.r_[z, np.full(4, np.nan)][None], np.r_[np.ones(4), np.zeros(4)][None] > 0)
    found = hide(table, LostOrSelf().draw(table, 0.5, stream(0, "mask"))).law.posterior(one, 20_000, rng)
    for j in range(4):
        assert found.meaningful[j] == pytest.approx(meaningful[blank[:, j], j].mean(), abs=0.005)
        behind = x[blank[:, j] & ~meaningful[:, j], j]
        margin = 5 * behind.std() / np.sqrt(len(behind))
        assert found.regular.mean[j] == pytest.approx(behind.mean(), abs=margin)
        assert found.regular.sd[j] == pytest.approx(behind.std(), rel=0.1 if residual == "t3" else 0.01)
        low, high = np.quantile(behind, [0.025, 0.975])
        assert found.regular.lower[j] == pytest.approx(low, abs=0.05)
        assert found.regular.upper[j] == pytest.approx(high, abs=0.08)
        samples = found.regular.samples[:, j]
        assert np.isnan(samples).mean() == pytest.approx(found.meaningful[j], abs=0.015)
        kept = samples[~np.isnan(samples)]
        if len(kept) > 1000:
            assert kept.mean() == pytest.approx(found.regular.mean[j], abs=6 * kept.std() / np.sqrt(len(kept)))


@residuals
def test_probabilities_and_intervals_are_calibrated(residual: str) -> None:
    table = load(residual, 20_000)
    problem = masked(table, 0.4)
    found = problem.law.posterior(problem.train)
    at = tuple(found.regular.cells.T)
    truth, probability = table.meaningful[at], found.meaningful
    for low, high in ((0.0, 0.2), (0.2, 0.6), (0.6, 1.0)):
        some = (probability > low) & (probability <= high)
        assert truth[some].mean() == pytest.approx(probability[some].mean(), abs=0.02)
    values = table.values[at]
    assert (values < found.regular.lower)[~truth].mean() == pytest.approx(0.025, abs=0.004)
    assert (values > found.regular.upper)[~truth].mean() == pytest.approx(0.025, abs=0.004)


@residuals
def test_the_table_is_as_described(residual: str) -> None:
    table = load(residual, 40_000)
    np.testing.assert_allclose(table.meaningful.mean(0)[N_PREDICTORS:], [0.22, 0.253, 0, 0], atol=0.01)
    residual_cells = table.law.residuals(table.values)
    assert np.isnan(residual_cells).mean(0) == pytest.approx(table.meaningful.mean(0)[N_PREDICTORS:])
    mask = LostOrSelf().draw(table, 0.5, stream(0, "mask"))
    assert mask.ordinary[:, N_PREDICTORS:][:, 2:].mean() == pytest.approx(0.5, abs=0.01)
    assert not mask.ordinary[:, :N_PREDICTORS].any()


def test_the_oracle_flags_by_the_posterior() -> None:
    problem = masked(load("normal", 600))
    oracle = Oracle()
    oracle.law = problem.law
    done = oracle.fit(problem.train).impute(problem.train, draws=5)
    found = problem.law.posterior(problem.train)
    at = tuple(found.regular.cells.T)
    np.testing.assert_allclose(done.meaningful_probability[at], found.meaningful)
    assert done.meaningful.any()
    assert not done.meaningful[:, N_PREDICTORS + 2 :].any()


def test_no_law_under_other_masks_and_none_without_predictors() -> None:
    table = load("normal", 50)
    assert hide(table, MCAR().draw(table, 0.3, stream(0, "mask"))).law is None
    problem = masked(table)
    values = problem.train.values.copy()
    values[0, 0] = np.nan
    with pytest.raises(ValueError, match="every predictor"):
        problem.law.posterior(Incomplete(table.columns, values, ~np.isnan(values)))
    complete = problem.train.take(problem.train.observed.all(1))
    assert not len(problem.law.posterior(complete, 3, stream(0, "x")).meaningful)
    with pytest.raises(ValueError, match="residual must be one of"):
        ThreeKinds(residual="cauchy")
