"""The fast Algorithm 1 against the one of ``reference``, on the same random numbers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.methods.missbgm import reference
from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.fitting import alternate
from lacuna.methods.missbgm.local import at_rest, refine
from lacuna.methods.missbgm.model import Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.parameters import BayesianParameters, PointParameters
from lacuna.methods.missbgm.settings import LocalSteps, Training

CPU = torch.device("cpu")
N_ROWS, D, BATCH, EPOCHS, INNER, BETA = 22, 5, 8, 4, 3, 0.3
LOCAL, GLOBAL = Adam(0.02), Adam(0.01)


def start(levels: Sequence[int] = ()) -> tuple[Model, Tensor, Tensor, Tensor]:
    """Model, z, x and mask: D numeric columns, then categorical ones of so many levels."""
    generator, most = torch.Generator().manual_seed(0), max(levels, default=0)
    width, p = D + len(levels) * most, D + len(levels)
    g = Generator(2, [8, 8], Heads(D, np.array(levels, dtype=int), CPU), generator, CPU)
    model = Model(g, Missingness(width, [6], p, generator, CPU), BETA)
    z, x = torch.randn(N_ROWS, 2, generator=generator), torch.randn(N_ROWS, width, generator=generator)
    for i, n_levels in enumerate(levels):
        codes = torch.randint(n_levels, (N_ROWS,), generator=generator)
        x[:, D + i * most : D + (i + 1) * most] = F.one_hot(codes, most)
    return model, z, x, (torch.rand(N_ROWS, p, generator=generator) > 0.4).float()


def silent(epoch: int, loss: float) -> None:
    """Hear of an epoch."""


def training(use_bnn: bool = False, weight_decay: float = 0.0) -> Training:
    return Training(2, EPOCHS, None, BATCH, [8, 8], [6], GLOBAL, GLOBAL, use_bnn, 5e-5, weight_decay)


@pytest.mark.parametrize(
    ("levels", "momentum", "clip", "use_bnn", "decay"),
    [
        ([], "dense", 25.0, False, 0.0),
        ([], "dense", 0.05, False, 0.0),
        ([], "batch", 25.0, False, 1e-3),
        ([], "dense", 25.0, True, 0.0),
        ([2, 3], "dense", 25.0, False, 0.0),
        ([2, 3], "batch", 25.0, True, 0.0),
    ],
)
def test_algorithm_1_is_that_of_the_reference(
    levels: list[int], momentum: Any, clip: float, use_bnn: bool, decay: float
) -> None:
    """The same batches and weight noise: after four epochs z, x and all parameters agree within 3e-4."""
    model, z, x, r = start(levels)
    plain, steps, settings = (
        copy.deepcopy(model),
        LocalSteps(LOCAL, LOCAL, INNER, clip, momentum),
        training(use_bnn, decay),
    )
    rng, noise = np.random.default_rng(5), torch.Generator().manual_seed(3)
    wanted_z, wanted_x = reference.alternate(z, x, r, plain, settings, steps, EPOCHS, rng, noise, silent)
    rng, noise = np.random.default_rng(5), torch.Generator().manual_seed(3)
    parameters = (
        BayesianParameters(model, (GLOBAL, GLOBAL), 5e-5, noise)
        if use_bnn
        else PointParameters(model, (GLOBAL, GLOBAL), decay)
    )
    done = alternate(at_rest(z.clone(), x.clone(), D), r, model, parameters, steps, EPOCHS, BATCH, rng, noise, silent)
    assert (wanted_x - x)[:, :D].abs().mean() > 0.02
    near = {"rtol": 0, "atol": 3e-4}
    torch.testing.assert_close(done.z, wanted_z, **near)
    torch.testing.assert_close(done.x, wanted_x, **near)
    for ours, wanted in zip(model.nets, plain.nets, strict=True):
        torch.testing.assert_close(ours.vector, wanted.vector, **near)
    torch.testing.assert_close(model.g.moving_variance, plain.g.moving_variance, **near)
    for q, wanted_q in zip(model.posteriors, plain.posteriors, strict=True):
        torch.testing.assert_close(q.mean, wanted_q.mean, **near)
        torch.testing.assert_close(q.raw_sd, wanted_q.raw_sd, **near)
    observed = r[:, :D] > 0
    assert (done.numeric[observed] == x[:, :D][observed]).all()
    assert (wanted_x[:, :D][observed] == x[:, :D][observed]).all()


@pytest.mark.parametrize("momentum", ["dense", "batch"])
@pytest.mark.parametrize("levels", [[], [2, 3]])
def test_new_rows_move_as_in_the_reference(levels: list[int], momentum: Any) -> None:
    model, z, x, r = start(levels)
    steps = LocalSteps(LOCAL, LOCAL, INNER, 0.05, momentum)
    wanted_z, wanted_x = reference.refine(z, x, r, model, steps, 5, BATCH, N_ROWS)
    done = refine(at_rest(z.clone(), x.clone(), D), r, model, steps, 5, BATCH, N_ROWS)
    assert (wanted_x - x)[:, :D].abs().mean() > 0.02
    torch.testing.assert_close(done.z, wanted_z, rtol=0, atol=3e-4)
    torch.testing.assert_close(done.x, wanted_x, rtol=0, atol=3e-4)


def fitted(momentum: str) -> Tensor:
    model, z, x, r = start()
    steps = LocalSteps(LOCAL, LOCAL, INNER, 25.0, momentum)  # type: ignore[arg-type]
    parameters = PointParameters(model, (GLOBAL, GLOBAL), 0.0)
    rng, noise = np.random.default_rng(5), torch.Generator()
    rows = at_rest(z, x, D)
    return alternate(rows, r, model, parameters, steps, EPOCHS, BATCH, rng, noise, silent).x


def test_momentum_of_the_batch_alone_moves_less() -> None:
    _, _, x, _ = start()
    moved = {momentum: float((fitted(momentum) - x).abs().mean()) for momentum in ("dense", "batch")}
    assert moved["batch"] < 0.8 * moved["dense"]


def test_refined_rows_do_not_meet() -> None:
    model, z, x, r = start()
    steps = LocalSteps(LOCAL, LOCAL, INNER, 25.0, "dense")

    def refined(which: slice) -> Tensor:
        return refine(at_rest(z[which].clone(), x[which].clone(), D), r[which], model, steps, 5, BATCH, N_ROWS).x

    together = refined(slice(None))
    for i in range(3):
        torch.testing.assert_close(refined(slice(i, i + 1))[0], together[i], rtol=1e-4, atol=1e-5)


def bayesian(kl_weight: float) -> tuple[Model, list[Tensor]]:
    model, z, x, r = start()
    noise = torch.Generator().manual_seed(3)
    parameters = BayesianParameters(model, (GLOBAL, GLOBAL), kl_weight, noise)
    before = [q.sd.clone() for q in model.posteriors]
    steps = LocalSteps(LOCAL, LOCAL, INNER, 25.0, "dense")
    rows, rng = at_rest(z, x, D), np.random.default_rng(5)
    alternate(rows, r, model, parameters, steps, 30, BATCH, rng, noise, silent)
    return model, before


def test_bayesian_networks_learn_the_sds_of_their_weights() -> None:
    model, before = bayesian(5e-5)
    for q, sd in zip(model.posteriors, before, strict=True):
        weights = q.is_weight.bool()
        assert ((q.sd - sd)[weights].abs() > 1e-3).float().mean() > 0.7


def test_the_divergence_is_in_the_loss() -> None:
    """A heavy weight on it pulls the posteriors to the prior N(0, 0.1^2); a light one does not."""
    pulled, free = bayesian(100.0)[0], bayesian(5e-5)[0]
    for near, far in zip(pulled.posteriors, free.posteriors, strict=True):
        weights = near.is_weight.bool()
        assert (near.sd[weights] - 0.1).abs().mean() < 0.02
        assert near.mean[weights].abs().mean() < 0.5 * far.mean[weights].abs().mean()


def test_draws_and_means_of_bayesian_parameters() -> None:
    model, _ = bayesian(5e-5)
    model.settle()
    settled = model.g.vector.clone()
    torch.testing.assert_close(settled, model.posteriors[0].mean)
    model.draw(torch.Generator().manual_seed(0))
    assert (model.g.vector - settled).abs().max() > 1e-3


def fit(
    n_numeric: int, n_latent: int, units: list[int], mask_units: list[int], steps: LocalSteps, engine: str
) -> list[Tensor]:
    """Rows and parameters after a few epochs of 22 rows in batches of 8."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = torch.Generator().manual_seed(0)
    heads = Heads(n_numeric, np.array([], dtype=int), device)
    g = Generator(n_latent, units, heads, generator, device)
    model = Model(g, Missingness(n_numeric, mask_units, n_numeric, generator, device), BETA)
    z, x, r = (torch.randn(22, q, generator=generator).to(device) for q in (n_latent, n_numeric, n_numeric))
    parameters = PointParameters(model, (Adam(0.01), Adam(0.02)), 0.01)
    r = (r > 0.3).float()
    order, noise = np.random.default_rng(5), torch.Generator(device)
    if engine == "reference":
        settings = Training(n_latent, EPOCHS, None, 8, units, mask_units, *parameters.adams, False, 0.0, 0.01)
        z, x = reference.alternate(z, x, r, model, settings, steps, EPOCHS, order, noise, silent)
    else:
        rows, fused = at_rest(z, x, n_numeric), engine == "fused"
        done = alternate(rows, r, model, parameters, steps, EPOCHS, 8, order, noise, silent, fused)
        z, x = done.z, done.numeric
    return [z, x, g.vector, model.f.vector, g.moving_mean, g.moving_variance]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("momentum", ["dense", "batch"])
@pytest.mark.parametrize("clip", [25.0, 0.05])
@pytest.mark.parametrize("sizes", [(5, 2, [8, 8], [6]), (9, 3, [20] * 4, [10, 10])])
def test_all_engines_of_a_gpu_fit_alike(sizes: tuple, clip: float, momentum: Any) -> None:
    """Fused and captured batches within 1e-5; nine in ten numbers within 3e-4 of the reference, all within 0.01.

    Where clipping leaves gradients near Adam's epsilon, sums in another order move a number by part of a step.
    """
    pytest.importorskip("triton")
    steps = LocalSteps(Adam(0.02), Adam(0.03), INNER, clip, momentum)
    plain, graph, fused = (fit(*sizes, steps, engine) for engine in ("reference", "graph", "fused"))
    for ours, captured, wanted in zip(fused, graph, plain, strict=True):
        torch.testing.assert_close(ours, captured, rtol=0, atol=1e-5)
        far = (captured - wanted).abs()
        assert far.max() < 0.01
        assert (far > 3e-4).float().mean() < 0.1
