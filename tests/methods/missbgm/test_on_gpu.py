"""MissBGM on a GPU: the same numbers for the same seed, and the chains of a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lacuna.methods.missbgm import MissBGM
from lacuna.methods.missbgm.local import at_rest
from lacuna.methods.missbgm.model import Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.posterior import Trace, sample
from lacuna.methods.missbgm.settings import ChainSettings
from lacuna.nets.flipout import GaussianWeights

CPU = torch.device("cpu")
ROWS, N, LEVELS = 1000, 5, 3
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def sampled(device: torch.device, bayesian: bool) -> tuple[Trace, Tensor]:
    """Chains of random networks, all cells hidden but a third: what they say and the mean and sd of each column."""
    generator = torch.Generator().manual_seed(0)
    g = Generator(2, [24, 24], Heads(N, np.array([LEVELS]), device), generator, device)
    model = Model(g, Missingness(N + LEVELS, [16], N + 1, generator, device), beta=0.5)
    if bayesian:
        model.posteriors = tuple(GaussianWeights(net.vector, net.shapes) for net in model.nets)
    x = torch.randn(ROWS, N + LEVELS, generator=generator)
    x[:, N:] = torch.eye(LEVELS)[torch.randint(LEVELS, (ROWS,), generator=generator)]
    z, r = torch.randn(ROWS, 2, generator=generator), (torch.rand(ROWS, N + 1, generator=generator) > 2 / 3).float()
    draws: list[Tensor] = []

    def collect(state: Tensor) -> Tensor:
        draws.append(state.cpu())
        return state[0]

    trace = sample(
        at_rest(z.to(device), x.to(device), N),
        r.to(device),
        model,
        ChainSettings(100, 0.3, 5, "simple", 0.8, 0.75),
        100,
        lambda name: torch.Generator(device).manual_seed(99 if name == "weights" else int(name)),
        collect,
        lambda sweeps, rate: None,
    )
    states = torch.stack(draws).flatten(0, 1)
    return trace, torch.stack([states.mean(0), states.std(0)])


@pytest.mark.parametrize("bayesian", [False, True])
def test_the_chains_of_a_cpu(bayesian: bool) -> None:
    (trace, moments), (wanted_trace, wanted) = (sampled(torch.device(name), bayesian) for name in ("cuda", "cpu"))
    torch.testing.assert_close(moments, wanted, rtol=0, atol=0.03)
    for block in ("acceptance_z", "acceptance_x"):
        assert trace.summary(100)[block] == pytest.approx(wanted_trace.summary(100)[block], abs=0.03)


@pytest.mark.parametrize("use_bnn", [False, True])
def test_the_same_seed_gives_the_same_numbers(use_bnn: bool, gaussian: Any) -> None:
    rows = gaussian(n=300, d=6, correlation=0.7, ratio=0.3).problem.train
    settings: dict[str, Any] = {"epochs": 3, "egm_n_iter": 50, "burn_in": 10, "use_bnn": use_bnn, "device": "cuda"}
    once, again = (MissBGM(**settings).fit(rows, seed=0).impute(rows, draws=10) for _ in range(2))
    np.testing.assert_array_equal(once.values, again.values)
    assert once.draws is not None
    assert again.draws is not None
    np.testing.assert_array_equal(once.draws.mean, again.draws.mean)
    assert np.isfinite(once.draws.mean).all()
