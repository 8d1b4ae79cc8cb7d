"""Algorithm 1 against a plain version of it: torch's Adam on the whole table, autograd, no shortcuts."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.methods.missbgm import fitting
from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.fitting import alternate
from lacuna.methods.missbgm.local import at_rest, refine
from lacuna.methods.missbgm.model import NORM_EPSILON, Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.parameters import BayesianParameters, PointParameters
from lacuna.methods.missbgm.settings import LocalSteps
from lacuna.nets.perceptron import Perceptron, views

CPU = torch.device("cpu")
N_ROWS, D, BATCH, EPOCHS, INNER, BETA = 22, 5, 8, 4, 3, 0.3
LOCAL, GLOBAL = Adam(0.02), Adam(0.01)


def start() -> tuple[Model, Tensor, Tensor, Tensor]:
    """Model, z, x and mask."""
    generator = torch.Generator().manual_seed(0)
    g = Generator(2, [8, 8], Heads(D, np.array([], dtype=int), CPU), generator, CPU)
    model = Model(g, Missingness(D, [6], D, generator, CPU), BETA)
    z, x = torch.randn(N_ROWS, 2, generator=generator), torch.randn(N_ROWS, D, generator=generator)
    return model, z, x, (torch.rand(N_ROWS, D, generator=generator) > 0.4).float()


def adam(tensors: list[Tensor], settings: Adam) -> torch.optim.Adam:
    return torch.optim.Adam(tensors, lr=settings.lr, betas=settings.betas, eps=settings.epsilon)


def plainly(model: Model, z: Tensor, x: Tensor, r: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """z and x after the last step; the networks are fitted in place."""
    g, f, heads = model.g, model.f, model.heads
    z, x = z.clone().requires_grad_(), x.clone().requires_grad_()
    vectors = [net.vector.requires_grad_() for net in model.nets]
    optimizers = [adam([t], s) for t, s in ((z, LOCAL), (x, LOCAL), (vectors[0], GLOBAL), (vectors[1], GLOBAL))]
    rng = np.random.default_rng(5)

    def raw(z: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        gamma, shift, *layers = views(vectors[0], g.shapes)
        return Perceptron(layers).forward((z - mean) / (variance + NORM_EPSILON).sqrt() * gamma + shift)[-1]

    def mask_loss(x: Tensor, r: Tensor) -> Tensor:
        logits = Perceptron(views(vectors[1], f.shapes)).forward(x)[-1]
        return F.binary_cross_entropy_with_logits(logits, r, reduction="none").sum(1)

    def step(i: int, tensor: Tensor, loss: Tensor, keep: Tensor | float = 1.0) -> None:
        (gradient,) = torch.autograd.grad(loss, tensor)
        gradient = gradient * keep
        tensor.grad = gradient / max(1.0, float(gradient.norm()) / clip) if i < 2 else gradient
        optimizers[i].step()

    for _ in range(EPOCHS):
        for rows in torch.from_numpy(rng.permutation(N_ROWS)).split(BATCH):
            scale = 1 / (len(rows) * D)
            for _ in range(INNER):
                moments = (g.moving_mean, g.moving_variance)
                fit = heads.negative_log_likelihood(raw(z[rows], *moments), x[rows]).sum()
                step(0, z, (fit + 0.5 * z[rows].square().sum()) * scale)
                fit = heads.negative_log_likelihood(raw(z[rows], *moments), x[rows]).sum()
                step(1, x, (fit + BETA * mask_loss(x[rows], r[rows]).sum()) * scale, 1 - r)
            batch = z.detach()[rows]
            mean, variance = batch.mean(0), batch.var(0, correction=0)
            g.moving_mean, g.moving_variance = (
                0.99 * old + 0.01 * new for old, new in ((g.moving_mean, mean), (g.moving_variance, variance))
            )
            fit = heads.negative_log_likelihood(raw(batch, mean, variance), x.detach()[rows]).sum() * scale
            step(2, vectors[0], fit)
            step(3, vectors[1], mask_loss(x.detach()[rows], r[rows]).sum() * scale)
    return z.detach(), x.detach()


@pytest.mark.parametrize("clip", [25.0, 0.05])
def test_alternation_is_the_plain_algorithm(clip: float) -> None:
    model, z, x, r = start()
    reference = copy.deepcopy(model)
    wanted_z, wanted_x = plainly(reference, z, x, r, clip)
    steps = LocalSteps(LOCAL, LOCAL, INNER, clip, "dense")
    done = alternate(
        at_rest(z.clone(), x.clone(), D),
        r,
        model,
        PointParameters(model, (GLOBAL, GLOBAL), 0.0),
        steps,
        EPOCHS,
        BATCH,
        np.random.default_rng(5),
        torch.Generator(),
        lambda epoch, loss: None,
    )
    assert (wanted_x - x).abs().mean() > 0.1
    torch.testing.assert_close(done.z, wanted_z, rtol=0, atol=3e-4)
    torch.testing.assert_close(done.x, wanted_x, rtol=0, atol=3e-4)
    torch.testing.assert_close(model.g.vector, reference.g.vector.detach(), rtol=0, atol=3e-4)
    torch.testing.assert_close(model.f.vector, reference.f.vector.detach(), rtol=0, atol=3e-4)
    assert (done.x[r > 0] == x[r > 0]).all()


def fitted(momentum: str) -> Tensor:
    model, z, x, r = start()
    steps = LocalSteps(LOCAL, LOCAL, INNER, 25.0, momentum)  # type: ignore[arg-type]
    parameters = PointParameters(model, (GLOBAL, GLOBAL), 0.0)
    rng, noise = np.random.default_rng(5), torch.Generator()
    rows = at_rest(z, x, D)
    return alternate(rows, r, model, parameters, steps, EPOCHS, BATCH, rng, noise, lambda epoch, loss: None).x


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
    alternate(rows, r, model, parameters, steps, 30, BATCH, rng, noise, lambda epoch, loss: None)
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


def fit(n_numeric: int, n_latent: int, units: list[int], mask_units: list[int], steps: LocalSteps) -> list[Tensor]:
    """Rows and parameters after a few epochs of 22 rows in batches of 8."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = torch.Generator().manual_seed(0)
    heads = Heads(n_numeric, np.array([], dtype=int), device)
    g = Generator(n_latent, units, heads, generator, device)
    model = Model(g, Missingness(n_numeric, mask_units, n_numeric, generator, device), BETA)
    z, x, r = (torch.randn(22, q, generator=generator).to(device) for q in (n_latent, n_numeric, n_numeric))
    parameters = PointParameters(model, (Adam(0.01), Adam(0.02)), 0.01)
    rows, r = at_rest(z, x, n_numeric), (r > 0.3).float()
    order, noise = np.random.default_rng(5), torch.Generator(device)
    done = alternate(rows, r, model, parameters, steps, EPOCHS, 8, order, noise, lambda epoch, loss: None)
    return [done.z, done.numeric, g.vector, model.f.vector, g.moving_mean, g.moving_variance]


@pytest.mark.parametrize("momentum", ["dense", "batch"])
@pytest.mark.parametrize("clip", [25.0, 0.05])
@pytest.mark.parametrize("sizes", [(5, 2, [8, 8], [6]), (9, 3, [20] * 4, [10, 10])])
def test_fused_visits_are_the_plain_ones(
    sizes: tuple, clip: float, momentum: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton")
    steps = LocalSteps(Adam(0.02), Adam(0.03), INNER, clip, momentum)  # type: ignore[arg-type]
    monkeypatch.setattr(fitting, "serves", lambda *about: False)
    plain = fit(*sizes, steps)
    monkeypatch.setattr(fitting, "serves", lambda *about: True)
    for ours, wanted in zip(fit(*sizes, steps), plain, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-5)
