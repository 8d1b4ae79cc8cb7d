"""The self-masked benchmark: its published draw, its law, and the law's posterior against simulation."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest
from scipy.stats import norm

from lacuna.datasets.mnar_oracle import N_ANCHORS, MNAROracle
from lacuna.masks.mcar import MCAR
from lacuna.masks.self_masking import SelfMasking
from lacuna.methods.mean_mode import MeanMode
from lacuna.metrics.numeric import rmse_all
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Imputation, Problem, Table


def load(dataset: MNAROracle, seed: int = 0) -> Table:
    return dataset.load(stream(seed, "dataset"), stream(seed, "split"))


def masked(table: Table, ratio: float) -> Problem:
    return hide(table, SelfMasking().draw(table, ratio, stream(0, "mask")))


def published() -> list[tuple[int, float, float]]:
    text = resources.files("lacuna.tables.papers").joinpath("published/missbgm_table01.csv").read_text()
    rows = [row for row in csv.DictReader(text.splitlines()) if row["method"] == "mean_mode"]
    return [(int(row["n"]), float(row["ratio"]), float(row["value"])) for row in rows]


@pytest.mark.parametrize(("n", "ratio", "rmse"), published())
def test_mean_imputation_gives_the_published_column(n: int, ratio: float, rmse: float) -> None:
    problem = masked(load(MNAROracle(n, published=True), seed=5), ratio)
    done = MeanMode().fit(problem.train).impute(problem.train)
    assert round(rmse_all(problem.answers["train"], done), 3) == rmse


def test_table_2_by_the_law() -> None:
    """The printed width, 1.539 at n = 5,000, so that Table 2 is at ratio 0.2, and the sds that its note speaks of."""
    problem = masked(load(MNAROracle(published=True)), 0.2)
    found = problem.law.posterior(problem.train).regular
    assert (found.upper - found.lower).mean() == pytest.approx(1.539, abs=5e-4)
    uncut = problem.law.law.sigma[found.cells[:, 1] - N_ANCHORS]
    assert found.sd.mean() == pytest.approx(0.419, abs=5e-4)
    assert np.sqrt(np.mean(found.sd**2)) == pytest.approx(0.428, abs=5e-4)
    assert np.sqrt(np.mean(uncut**2)) == pytest.approx(0.916, abs=5e-4)


def test_targets_follow_their_law() -> None:
    table = load(MNAROracle(n=20_000, p=9))
    mean, sigma = table.law.given_anchors(table.values)
    standard = (table.values[:, N_ANCHORS:] - mean) / sigma
    np.testing.assert_allclose(standard.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(standard.T), np.eye(4), atol=0.04)
    assert ((sigma > 0.6) & (sigma < 1.2)).all()


def test_other_seeds_are_other_data_unless_published() -> None:
    assert load(MNAROracle(50), 0).digest != load(MNAROracle(50), 1).digest
    assert load(MNAROracle(50, published=True), 0).digest == load(MNAROracle(50, published=True), 1).digest


@pytest.mark.parametrize("ratio", [0.1, 0.6])
def test_posterior_is_the_truth_on_average(ratio: float) -> None:
    problem = masked(load(MNAROracle(n=20_000, p=12)), ratio)
    found = problem.law.posterior(problem.train, alpha=0.1).regular
    truth = problem.answers["train"].values[tuple(found.cells.T)]
    error = (truth - found.mean) / found.sd
    assert abs(error.mean()) < 0.02
    assert error.std() == pytest.approx(1, abs=0.03)
    assert np.mean((found.lower <= truth) & (truth <= found.upper)) == pytest.approx(0.9, abs=0.01)
    values = problem.train.values.copy()
    values[tuple(found.cells.T)] = found.mean
    ideal = rmse_all(problem.answers["train"], Imputation(values))
    assert ideal == pytest.approx(float(np.sqrt(np.mean(found.sd**2))), rel=0.02)


def test_quantiles_are_equation_65() -> None:
    problem = masked(load(MNAROracle(n=30, p=7)), 0.3)
    found = problem.law.posterior(problem.train).regular
    kappa = norm.ppf(0.7)
    mean, sigma = load(MNAROracle(n=30, p=7)).law.given_anchors(problem.train.values)
    row, column = found.cells[0]
    high = norm.ppf(norm.cdf(kappa) + 0.975 * 0.3)
    assert found.upper[0] == pytest.approx(mean[row, column - N_ANCHORS] + sigma[column - N_ANCHORS] * high)


def test_draws_have_the_moments_of_the_posterior() -> None:
    problem = masked(load(MNAROracle(n=20, p=8)), 0.4)
    found = problem.law.posterior(problem.train, draws=4000, rng=np.random.default_rng(0)).regular
    np.testing.assert_allclose(found.samples.mean(0), found.mean, atol=0.05)
    np.testing.assert_allclose(found.samples.std(0), found.sd, rtol=0.06)
    assert problem.law.posterior(problem.train, draws=2, rng=np.random.default_rng(1)).regular.samples.shape[0] == 2


def test_no_law_under_other_masks() -> None:
    table = load(MNAROracle(n=30, p=7))
    assert hide(table, MCAR().draw(table, 0.3, stream(0, "mask"))).law is None


def test_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="p at least 6, got n=10 and p=5"):
        MNAROracle(10, 5)
