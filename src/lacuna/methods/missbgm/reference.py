"""Algorithm 1 and the sampler of MissBGM, step by step and by autograd: the code to read beside the paper.

Liu, "Missingness-aware Data Imputation via AI-powered Bayesian Generative Modeling". In comments, "line" is a line of
Algorithm 1 and (n) an equation. The paper's symbols, for n rows and p columns:

    z (n, d)      latent variables               theta   parameters of g: z -> distribution of x
    x (n, width)  completed rows                 phi     parameters of f: x -> log-odds of r
    r (n, p)      1 where a cell is observed     beta    weight of the mask's likelihood

The first N coordinates of x are the numeric columns. Then each categorical column has a block of level probabilities
(see ``layout``). The paper names Bernoulli and categorical columns and gives no update for their missing levels: here
they take their exact distribution given all else. docs/papers.md lists this and every other deviation.

The engines ``host``, ``graph`` and ``fused`` compute the same numbers much faster; their tests compare them with
this file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.methods.missbgm import dense_adam
from lacuna.methods.missbgm.fitting import watch
from lacuna.methods.missbgm.model import NORM_EPSILON, NORM_MOMENTUM, VARIANCE_FLOOR, Model
from lacuna.methods.missbgm.posterior import Trace
from lacuna.methods.missbgm.settings import ChainSettings, LocalSteps, Training
from lacuna.methods.missbgm.step_size import adapt, freeze, initial
from lacuna.nets.flipout import GaussianWeights, divergence, flipout
from lacuna.nets.perceptron import SLOPE, views

# --- the model: equations 1 to 3, appendix E.1 --------------------------------------------------------------------


def network(x: Tensor, parameters: list[Tensor]) -> Tensor:
    """Fully connected layers with LeakyReLU between them; ``parameters``: weight and bias of each layer in turn."""
    *hidden, last = zip(parameters[::2], parameters[1::2], strict=True)
    for weight, bias in hidden:
        x = F.leaky_relu(x @ weight + bias, SLOPE)
    return x @ last[0] + last[1]


def g(model: Model, theta: Tensor, z: Tensor, moments: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """g_theta(z) before its output functions (n, 2N + CL): means, raw variances, logits of levels.

    ``moments``: mean and variance that normalise z; by default the moving ones.
    """
    mean, variance = moments or (model.g.moving_mean, model.g.moving_variance)
    gamma, shift, *layers = views(theta, model.g.shapes)
    return network((z - mean) / (variance + NORM_EPSILON).sqrt() * gamma + shift, layers)


def f(model: Model, phi: Tensor, x: Tensor) -> Tensor:
    """f_phi(x) (n, p)."""
    return network(x, views(phi, model.f.shapes))


def log_p_x(model: Model, raw: Tensor, x: Tensor) -> Tensor:
    """log p_theta(x | z) (n,) up to a constant, from ``raw`` = g_theta(z): (2) with a diagonal covariance."""
    n = model.heads.n
    mu, sigma2 = raw[:, :n], F.softplus(raw[:, n : 2 * n]) + VARIANCE_FLOOR
    value = -((x[:, :n] - mu) ** 2 / (2 * sigma2) + 0.5 * sigma2.log()).sum(1)
    if model.heads.blocks[0]:  # "a Bernoulli or Categorical distribution for discrete variables"
        value = value + (model.heads.log_levels(raw).flatten(1) * x[:, n:]).sum(1)
    return value


def log_p_r(logits: Tensor, r: Tensor) -> Tensor:
    """log p_phi(r | x) (n,) from ``logits`` = f_phi(x): (3)."""
    return (r * F.logsigmoid(logits) + (1 - r) * F.logsigmoid(-logits)).sum(1)


def L_z(model: Model, z: Tensor, x: Tensor) -> Tensor:
    """(6), which is minus (5): the objective of z (n,)."""
    return 0.5 * (z**2).sum(1) - log_p_x(model, g(model, model.g.vector, z), x)


def L_x(model: Model, z: Tensor, x: Tensor, r: Tensor) -> Tensor:
    """(8), which is minus (7) with the mask tempered by beta: the objective of the missing values (n,)."""
    mask = log_p_r(f(model, model.f.vector, x), r)
    return -log_p_x(model, g(model, model.g.vector, z), x) - model.beta * mask


def level_probabilities(model: Model, z: Tensor, x: Tensor, r: Tensor, block: int) -> Tensor:
    """p(levels | all else) (n, L) of one categorical column, by trying each level in x."""
    _, n_levels = model.heads.blocks
    start = model.heads.n + block * n_levels
    tried = []
    for level in torch.eye(n_levels, device=x.device):
        x = x.clone()
        x[:, start : start + n_levels] = level
        tried.append(-L_x(model, z, x, r))
    return torch.stack(tried, 1).softmax(1)


# --- fitting: section 4.2, Algorithm 1 ----------------------------------------------------------------------------


class Adam:
    """Adam (Kingma and Ba 2014) that moves ``variable`` in place.

    Args:
        dense: rows outside the batch have gradient 0, and their momentum moves them on; else they stay.
    """

    def __init__(self, variable: Tensor, settings: dense_adam.Adam, dense: bool = True) -> None:
        self.variable, self.settings, self.dense, self.t = variable, settings, dense, 0
        self.m, self.v = torch.zeros_like(variable), torch.zeros_like(variable)

    def step(self, gradient: Tensor, rows: Tensor | slice = slice(None)) -> None:
        """``gradient`` is that of ``rows``."""
        if self.dense:
            every = torch.zeros_like(self.variable)
            every[rows] = gradient
            gradient, rows = every, slice(None)
        self.t += 1
        (b1, b2), lr, epsilon = self.settings.betas, self.settings.lr, self.settings.epsilon
        m = self.m[rows] = b1 * self.m[rows] + (1 - b1) * gradient
        v = self.v[rows] = b2 * self.v[rows] + (1 - b2) * gradient**2
        self.variable[rows] -= lr * (m / (1 - b1**self.t)) / ((v / (1 - b2**self.t)).sqrt() + epsilon)


def alternate(
    z: Tensor,
    x: Tensor,
    r: Tensor,
    model: Model,
    training: Training,
    steps: LocalSteps,
    epochs: int,
    rng: np.random.Generator,
    noise: torch.Generator,
    on_epoch: Callable[[int, float], None],
) -> tuple[Tensor, Tensor]:
    """Algorithm 1 after its line 1, the warm start: it left g in ``model``, and gave z and x.

    Args as of ``fitting.alternate``. The networks of ``model`` are fitted in place.

    Returns:
        z and x at the last step.

    Raises:
        UserError: the loss is no longer a number.
    """
    n, p = r.shape
    z, x = z.clone(), x.clone()  # line 2: (Z, X) <- (Z^(0), X^(0))
    dense = steps.momentum == "dense"
    adam_z, adam_x = Adam(z, steps.z, dense), Adam(x, steps.x, dense)
    if training.use_bnn:
        model.posteriors = tuple(GaussianWeights(net.vector, net.shapes) for net in model.nets)
    learned = [[q.mean, q.raw_sd] for q in model.posteriors] or [[net.vector] for net in model.nets]
    adams = [[Adam(v, s) for v in of] for of, s in zip(learned, (training.theta, training.phi), strict=True)]
    for t in range(1, epochs + 1):  # line 3
        shuffled = torch.from_numpy(rng.permutation(n)).to(z.device)  # line 4
        for batch in shuffled.split(training.batch_size):  # line 5
            model.draw(noise)  # theta ~ q_lambda, phi ~ q_psi (below (10)); plain parameters stay
            for _ in range(steps.inner):  # line 6
                local_step(batch, z, x, r, model, steps, (adam_z, adam_x), 1 / (len(batch) * p), together=True)
            step = update_posteriors if model.posteriors else update_parameters
            step(z[batch], x[batch], r[batch], model, training, adams, noise)  # lines 10 and 11
        watch(t, model, z, x, on_epoch)
    return z, x  # line 14


def local_step(
    batch: Tensor,
    z: Tensor,
    x: Tensor,
    r: Tensor,
    model: Model,
    steps: LocalSteps,
    adams: tuple[Adam, Adam],
    scale: float,
    together: bool,
) -> None:
    """Lines 7 and 8, steps (i) and (ii), for the rows ``batch`` of z and x, in place.

    Args:
        scale: of the losses: "normalized by the feature dimension" (E.3), and by the rows of a batch.
        together: clip the gradient of all rows as one, or that of each row.
    """
    mine, n = r[batch], model.heads.n
    # line 7: Z_B <- Z_B - eta_1 grad L_z(B), by Adam and with a clipped gradient (E.3)
    gradient = scale * derivative(lambda z_b: L_z(model, z_b, x[batch]), z[batch])
    adams[0].step(clipped(gradient, steps.clip, together), batch)
    # line 8: X_mis,B <- X_mis,B - eta_1 grad L_x(B); observed cells have gradient 0 and stay what they are
    gradient = scale * derivative(lambda x_b: L_x(model, z[batch], x_b, mine), x[batch]) * missing_numbers(model, mine)
    adams[1].step(clipped(gradient, steps.clip, together), batch)
    # missing levels: their distribution given all else instead of a gradient step
    n_blocks, n_levels = model.heads.blocks
    if n_blocks:
        found = [level_probabilities(model, z[batch], x[batch], mine, block) for block in range(n_blocks)]
        observed = mine[:, n:].repeat_interleave(n_levels, 1) > 0
        x[batch, n:] = torch.where(observed, x[batch, n:], torch.cat(found, 1))


def update_parameters(
    z: Tensor,
    x: Tensor,
    r: Tensor,
    model: Model,
    training: Training,
    adams: list[list[Adam]],
    noise: torch.Generator,
) -> None:
    """Lines 10 and 11, step (iii), plain parameters: up the log-posterior (9) of a batch, its prior as weight decay."""
    theta, phi = (net.vector.clone().requires_grad_() for net in model.nets)
    moments = batch_moments(model, z)  # E.1: of this batch here, the moving ones in lines 7 and 8
    fit_x = log_p_x(model, g(model, theta, z, moments), x).mean()
    fit_r = log_p_r(f(model, phi, x), r).mean()
    for (adam,), parameters, fit in zip(adams, (theta, phi), (fit_x, fit_r), strict=True):
        loss = -fit / r.shape[1] + training.weight_decay * (parameters**2).sum()
        adam.step(torch.autograd.grad(loss, parameters)[0])


def update_posteriors(
    z: Tensor,
    x: Tensor,
    r: Tensor,
    model: Model,
    training: Training,
    adams: list[list[Adam]],
    noise: torch.Generator,
) -> None:
    """Lines 10 and 11 for Bayesian networks: up the evidence lower bounds (10), by Flipout (E.1)."""
    mean, variance = batch_moments(model, z)
    standard = (z - mean) / (variance + NORM_EPSILON).sqrt()

    def fit_x(mu: list[Tensor], change: list[Tensor]) -> Tensor:
        gamma, shift, *layers = mu
        return log_p_x(model, flipout(standard * gamma + shift, layers, change[2:], noise), x).mean()

    def fit_r(mu: list[Tensor], change: list[Tensor]) -> Tensor:
        return log_p_r(flipout(x, mu, change, noise), r).mean()

    for q, (adam_mu, adam_raw), fit in zip(model.posteriors, adams, (fit_x, fit_r), strict=True):
        mu, raw_sd = q.mean.clone().requires_grad_(), q.raw_sd.clone().requires_grad_()  # lambda, or psi
        epsilon = torch.randn(mu.shape, generator=noise, device=mu.device)
        change = F.softplus(raw_sd) * q.is_weight * epsilon  # mu + change ~ q; biases have no sd
        bound = fit(views(mu, q.shapes), views(change, q.shapes))
        bound = bound - training.kl_weight * divergence(mu, raw_sd, q.is_weight)
        by_mu, by_raw = torch.autograd.grad(-bound / r.shape[1], [mu, raw_sd])
        adam_mu.step(by_mu)
        adam_raw.step(by_raw)


def batch_moments(model: Model, z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (d,) of a batch, which the moving ones take in: the batch normalisation of g's input (E.1)."""
    mean, variance = z.mean(0), z.var(0, correction=0)
    for moving, new in ((model.g.moving_mean, mean), (model.g.moving_variance, variance)):
        moving.copy_(NORM_MOMENTUM * moving + (1 - NORM_MOMENTUM) * new)
    return mean, variance


# --- sampling: section 4.3, appendix E.4 --------------------------------------------------------------------------


def refine(
    z: Tensor, x: Tensor, r: Tensor, model: Model, steps: LocalSteps, epochs: int, batch: int, n_train: int
) -> tuple[Tensor, Tensor]:
    """The "warm-start by MAP" of new rows: steps (i) and (ii) alone, theta and phi fixed, T_warm = ``epochs``.

    Every row is in one batch of an epoch, as in a training table of ``n_train`` rows, and meets no other row.
    """
    z, x, n_batches = z.clone(), x.clone(), -(-n_train // min(batch, n_train))
    everyone, nobody = torch.arange(len(z), device=z.device), torch.arange(0, device=z.device)
    dense = steps.momentum == "dense"
    adams = Adam(z, steps.z, dense), Adam(x, steps.x, dense)
    for _ in range(epochs):
        for _ in range(steps.inner):
            local_step(everyone, z, x, r, model, steps, adams, 1 / (min(batch, n_train) * r.shape[1]), together=False)
        for _ in range((n_batches - 1) * steps.inner):  # the other batches of the epoch
            adams[0].step(z[nobody], nobody)
            adams[1].step(x[nobody], nobody)
    return z, x


def sample(
    z: Tensor,
    x: Tensor,
    r: Tensor,
    model: Model,
    settings: ChainSettings,
    n_draws: int,
    new_generator: Callable[[str | int], torch.Generator],
    collect: Callable[[Tensor], Tensor],
    on_sweep: Callable[[int, float], None],
) -> Trace:
    """HMC within Gibbs from (Z*, X*_mis) = ``z``, ``x``; the other arguments are those of ``posterior.sample``.

    ``collect`` takes the retained draws; the mean and the interval (13) come from them in ``draws``.
    """
    trace, generator, weights = Trace([], [], []), new_generator(0), new_generator("weights")
    step_sizes = [initial(settings.step_size, settings.adaptation, len(z), z.device) for _ in range(2)]
    n_adapting = int(settings.adapt_share * settings.burn_in)  # "the first portion of the burn-in window"
    for i in range(settings.burn_in + n_draws):
        model.draw(weights)  # theta and phi "fixed (or drawn from fixed variational distributions)"
        z, x, acceptance = sweep(z, x, r, model, [s.size for s in step_sizes], settings.n_leapfrog, generator)
        mean = acceptance.mean(1)
        if i < n_adapting:
            seen = acceptance[:, :, None] if settings.adaptation == "per_row" else mean[:, None, None]
            goal, rule = settings.target_acceptance, settings.adaptation
            step_sizes = [adapt(s, a, goal, rule) for s, a in zip(step_sizes, seen, strict=True)]
        if i + 1 == n_adapting:
            step_sizes = [freeze(s) for s in step_sizes]
        trace.acceptance.append(mean)
        trace.step_size.append(torch.stack([s.log_step.mean().exp() for s in step_sizes]))
        if i >= settings.burn_in:
            trace.watched.append(collect(x))
        on_sweep(i + 1, float(mean[0]))
    return trace


def sweep(
    z: Tensor, x: Tensor, r: Tensor, model: Model, step_sizes: list[Tensor], n_leapfrog: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """One Gibbs sweep; new z and x, and the acceptance probabilities (2, n) of z and of the missing numbers.

    The densities of (12) are minus the objectives (6) and (8), "with the same temperature coefficient beta".
    """
    n = model.heads.n
    levels, free = x[:, n:], 1 - r[:, :n]
    # (a) one HMC step on z with x held fixed
    z, by_z = hmc(z, lambda z: -L_z(model, z, x), step_sizes[0], n_leapfrog, torch.ones_like(z), generator)

    # (b) one HMC step on the missing numbers with the just-updated z held fixed
    def log_density(numbers: Tensor) -> Tensor:
        return -L_x(model, z, torch.cat([numbers, levels], 1), r)

    numbers, by_x = hmc(x[:, :n], log_density, step_sizes[1], n_leapfrog, free, generator)
    x = torch.cat([numbers, levels], 1)
    # missing levels: an exact draw from their distribution given all else, column by column
    n_blocks, n_levels = model.heads.blocks
    for block in range(n_blocks):
        log_p = level_probabilities(model, z, x, r, block).log()
        uniform = torch.rand(log_p.shape, generator=generator, device=x.device)
        drawn = F.one_hot((log_p - (-uniform.log()).log()).argmax(1), n_levels).to(x.dtype)  # the Gumbel trick
        start, missing = n + block * n_levels, r[:, n + block, None] == 0
        before = x[:, start : start + n_levels]
        x = x.slice_scatter(torch.where(missing, drawn, before), 1, start, start + n_levels)
    return z, x, torch.stack([by_z, by_x])


def hmc(
    start: Tensor,
    log_density: Callable[[Tensor], Tensor],
    step_size: Tensor,
    n_leapfrog: int,
    free: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """One step of Hamiltonian Monte Carlo (Neal 2011) for every row; new positions, acceptance probabilities (n,).

    ``free``: like ``start``, 1 where a coordinate may move, 0 where it stays.
    """
    momentum = torch.randn(start.shape, generator=generator, device=start.device) * free
    uniform = torch.rand(len(start), generator=generator, device=start.device)
    position, gradient = start, derivative(log_density, start) * free
    energy = -log_density(start) + 0.5 * (momentum**2).sum(1)
    for _ in range(n_leapfrog):
        momentum = momentum + 0.5 * step_size * gradient
        position = position + step_size * momentum
        gradient = derivative(log_density, position) * free
        momentum = momentum + 0.5 * step_size * gradient
    change = -log_density(position) + 0.5 * (momentum**2).sum(1) - energy
    acceptance = (-change).clamp(max=0).exp().nan_to_num(nan=0.0)  # a diverged trajectory is refused
    return torch.where((uniform < acceptance)[:, None], position, start), acceptance


# --- shared -------------------------------------------------------------------------------------------------------


def derivative(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Of a function of rows, (n, k) -> (n,), each row's by its own coordinates (n, k)."""
    at = at.detach().requires_grad_()
    return torch.autograd.grad(function(at).sum(), at)[0]


def missing_numbers(model: Model, r: Tensor) -> Tensor:
    """(n, width): 1 at missing cells of numeric columns, 0 elsewhere."""
    n, width = model.heads.n, model.f.shapes[0][0]
    return F.pad(1 - r[:, :n], (0, width - n))


def clipped(gradient: Tensor, norm: float, together: bool) -> Tensor:
    """``gradient`` (n, k) with a norm of at most ``norm``: of all rows together, or of each row."""
    length = gradient.norm() if together else gradient.norm(dim=1, keepdim=True)
    return gradient / (length / norm).clamp(min=1)
