"""MIWAE and not-MIWAE against exact likelihoods, exact conditional moments and a table that masks itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lacuna.masks.self_logistic import SelfLogistic
from lacuna.methods.miwae import MIWAE
from lacuna.methods.notmiwae import NotMIWAE
from lacuna.nets.autoencoder import Decoded, SelfMasking, VariationalAutoencoder, log_ratio
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Table

SMALL: dict[str, Any] = {"hidden": 32, "layers": 2, "importance": 10, "batch": 64, "lr": 3e-3, "device": "cpu"}


def network(family: Any = "gaussian") -> VariationalAutoencoder:
    """Of two numbers and a category of three levels."""
    made = VariationalAutoencoder([-1, -1, 0, 0, 0], latent=2, hidden=8, layers=1, family=family)
    made.reset(torch.Generator().manual_seed(0))
    return made


VALUES = torch.tensor([[0.3, -1.2, 0.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0, 0.0]])
LEVELS = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
SEEN = torch.tensor([[True, True, True, True, True], [True, False, False, False, False]])


@torch.no_grad()
@pytest.mark.parametrize("family", ["student", "gaussian"])
def test_the_likelihood_is_that_of_what_is_seen(family: Any) -> None:
    net = network(family)
    decoded = net.decode(torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(1)))
    found = net.log_likelihood(decoded, VALUES, LEVELS, SEEN)
    location, scale = decoded.location.double(), decoded.scale.double()

    def density(value: float, i: int, k: int, j: int) -> float:
        z = (value - location[i, k, j]) / scale[i, k, j]
        if decoded.freedom is None:
            return float(-(z**2) / 2 - scale[i, k, j].log() - math.log(2 * math.pi) / 2)
        df = float(decoded.freedom[i, k, j])
        constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
        return float(constant - scale[i, k, j].log() - (df + 1) / 2 * torch.log1p(z**2 / df))

    for k in range(4):
        first = density(0.3, 0, k, 0) + density(-1.2, 0, k, 1) + float(location[0, k, 3])
        assert float(found[0, k]) == pytest.approx(first, rel=1e-4)
        assert float(found[1, k]) == pytest.approx(density(0.5, 1, k, 0), rel=1e-4)


def test_weights_of_a_proposal_that_is_the_prior_are_one() -> None:
    z = torch.randn(3, 5, 2)
    np.testing.assert_allclose(log_ratio(z, torch.zeros(3, 2), torch.zeros(3, 2)), 0, atol=1e-6)


def test_samples_have_the_moments_of_their_distribution() -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (200_000, 5)
    log_p = torch.tensor([0.2, 0.5, 0.3]).log()
    location = torch.cat([torch.tensor([1.0, -2.0]), log_p]).expand(shape)
    decoded = Decoded(location, torch.full(shape, 0.5), torch.full(shape, 6.0))
    found = network("student").sample(
        decoded, torch.randn(shape, generator=generator), torch.rand(shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    )
    np.testing.assert_allclose(found[:, :2].mean(0), [1, -2], atol=0.01)
    np.testing.assert_allclose(found[:, :2].std(0), 0.5 * math.sqrt(6 / 4), rtol=0.02)
    np.testing.assert_allclose(found[:, 2:].mean(0), [0.2, 0.5, 0.3], atol=0.005)
    assert (found[:, 2:].sum(1) == 1).all()


@torch.no_grad()
def test_blanks_of_a_category_are_averaged_over_its_levels() -> None:
    """p(s | z) and p(level | z, s) by listing the levels."""
    net = network()
    masking = SelfMasking(net)
    masking.slope.copy_(torch.tensor([0.7, -1.0, 0, 0, 0]))
    masking.offset.copy_(torch.tensor([0.1, 0.2, -1.0, 0.0, 2.0]))
    decoded = net.decode(torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(1)))
    noise = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(2))
    found, given = masking.log_likelihood(decoded, VALUES, LEVELS, SEEN, noise)
    blank = masking.offset[2:].sigmoid()
    for k in range(4):
        of_first = F.logsigmoid(torch.tensor([-(0.7 * 0.3 + 0.1), -(1.2 + 0.2), 0.0]))
        assert float(found[0, k]) == pytest.approx(float(of_first.sum()), rel=1e-4)
        drawn = decoded.location[1, k, 1] + decoded.scale[1, k, 1] * noise[1, k, 1]
        prior = decoded.location[1, k, 2:].exp()
        want = F.logsigmoid(torch.tensor(-(0.35 + 0.1))) + F.logsigmoid(-drawn + 0.2) + (prior * blank).sum().log()
        assert float(found[1, k]) == pytest.approx(float(want), rel=1e-4)
        np.testing.assert_allclose(given.location[1, k, 2:].exp(), prior * blank / (prior * blank).sum(), rtol=1e-4)
        assert float(given.location[1, k, 1]) == pytest.approx(float(drawn), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MIWAE, NotMIWAE])
def test_it_comes_close_to_the_conditional_mean_of_a_gaussian(kind: type[MIWAE], gaussian: Any) -> None:
    known = gaussian(n=1000, d=4, correlation=0.8, ratio=0.3)
    method = kind(latent=2, iterations=1500, samples=300, **SMALL).fit(known.problem.train, seed=0)
    done = method.impute(known.problem.train, draws=100)
    assert known.rmse(done.values) < 1.1 * known.rmse(known.mean)
    assert known.error(done) < 0.25
    assert done.draws is not None
    answer = known.problem.answers["train"].values[known.problem.train.hidden]
    assert 0.88 < ((done.draws.lower <= answer) & (answer <= done.draws.upper)).mean() < 0.99


@pytest.mark.slow
def test_not_miwae_sees_that_large_values_are_blank() -> None:
    rng = stream(0, "selection")
    values = rng.normal(size=(1500, 1)) @ np.ones((1, 4)) + 0.4 * rng.normal(size=(1500, 4))
    table = Table("selection", tuple(Column(f"x{j}") for j in range(4)), values, np.zeros(values.shape, bool))
    problem = hide(table, SelfLogistic().draw(table, 0.4, stream(0, "mask")))
    answer, blank = problem.answers["train"], problem.train.hidden
    direction = np.sign(np.nanmean(np.where(blank, values, np.nan)) - np.nanmean(problem.train.values))
    bias = []
    for kind in (MIWAE, NotMIWAE):
        method = kind(latent=2, iterations=2500, samples=300, **SMALL).fit(problem.train, seed=0)
        found = method.impute(problem.train).values
        bias.append(abs(float((found - answer.values)[blank].mean())))
    assert bias[1] < 0.7 * bias[0]
    slope = method.network_.slope.detach().numpy()
    assert (np.sign(slope) == direction).all()


@pytest.mark.parametrize("wrong", [{"latent": -1}, {"hidden": 0}, {"importance": 0}, {"iterations": 0}, {"samples": 0}])
def test_what_cannot_be_is_refused_where_it_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        NotMIWAE(**wrong)
