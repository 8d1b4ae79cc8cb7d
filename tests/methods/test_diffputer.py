from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lacuna.methods.diffjoint import DiffJoint
from lacuna.methods.diffputer import DiffPuter
from lacuna.methods.iterative_diffusion import Samples
from lacuna.types import Column, Incomplete

TINY: dict[str, Any] = {
    "iterations": 1,
    "samples": 3,
    "steps": 3,
    "repeats": 1,
    "hidden": 8,
    "epochs": 2,
    "device": "cpu",
}
COLUMNS = (Column("x"), Column("kind", "categorical", ("a", "b", "c")))
VALUES = np.array([[1.0, 0], [2.0, 1], [3.0, 2], [np.nan, 1], [5.0, np.nan]])
ROWS = Incomplete(COLUMNS, VALUES, ~np.isnan(VALUES))


def test_it_is_no_diff_joint() -> None:
    method = DiffPuter(**TINY).fit(ROWS, 0)
    assert not isinstance(method, DiffJoint)
    done = method.impute(ROWS)
    assert done.meaningful is None
    assert done.meaningful_probability is None


def test_the_start_is_the_mean_of_every_coordinate() -> None:
    method = DiffPuter(**TINY).fit(ROWS, 0)
    encoded = method._encoded(method._start(ROWS, 0))
    assert not encoded[3, :1].any()
    assert not encoded[4, 1:].any()
    np.testing.assert_allclose(encoded[:, 0].mean(), 0, atol=1e-7)


def test_trials_are_averaged_as_encoded() -> None:
    """Two trials that hold a level by a little lose to one that holds another by much."""
    method = DiffPuter(**TINY).fit(ROWS, 0)
    blocks = torch.tensor([[0.5, 0.4, 0.0], [0.5, 0.4, 0.0], [0.0, 1.0, 0.0]])
    sd, mean = (torch.from_numpy(a[1:]).float() for a in (method.encoder_.sd, method.encoder_.mean))
    states = torch.cat([torch.zeros(3, 1), (blocks - mean) / sd * 0.5], dim=1)[None]
    point, _ = method._estimate(Samples(np.array([4]), states, method.encoder_.decode(states)))
    assert point[0, 1] == 1
    assert point[0, 0] == pytest.approx(np.nanmean(VALUES[:, 0]))


def test_ranges() -> None:
    for wrong in ({"iterations": 0}, {"samples": 0}):
        with pytest.raises(ValueError, match="iterations and samples must be at least 1"):
            DiffPuter(**wrong)


@pytest.mark.slow
def test_it_comes_close_to_the_conditional_mean_of_a_gaussian(gaussian: Any) -> None:
    known = gaussian(n=800, d=3, correlation=0.8, ratio=0.2)
    sampler = {"samples": 20, "steps": 20, "repeats": 5}
    network = {"hidden": 64, "epochs": 80, "batch": 128, "lr": 3e-3, "device": "cpu"}
    done = DiffPuter(iterations=4, **sampler, **network).fit(known.problem.train, seed=0).impute(known.problem.train)
    assert known.rmse(done.values) < 1.12 * known.rmse(known.mean)
    assert known.error(done) < 0.3 < known.rmse(known.mean_imputed())


@pytest.mark.slow
def test_it_finds_conditional_means() -> None:
    """On a Gaussian table the trials' average approaches the linear regression on what is observed."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    y = 0.9 * x + np.sqrt(1 - 0.81) * rng.normal(size=3000)
    truth = np.stack([5 + 2 * x, -3 + y], axis=1)
    observed = np.ones_like(truth, bool)
    observed[:600, 1] = False
    rows = Incomplete((Column("x"), Column("y")), np.where(observed, truth, np.nan), observed)
    method = DiffPuter(iterations=2, samples=10, steps=20, repeats=5, hidden=64, epochs=60, batch=256, lr=1e-3)
    imputed = method.fit(rows, 0).impute(rows).values[:600, 1]
    conditional_mean = -3 + 0.9 * x[:600]
    assert np.sqrt(np.mean((imputed - conditional_mean) ** 2)) < 0.35, "sd of the average of 10 draws is 0.14"
    assert np.corrcoef(imputed, conditional_mean)[0, 1] > 0.95
