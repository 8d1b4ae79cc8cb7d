"""TabCSDI: conditional score-based diffusion for tables (Zheng, Charoenphakdee, 2022; CSDI: Tashiro et al. 2021)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lacuna.backend import training
from lacuna.backend.device import matmul_precision, pick
from lacuna.backend.graphs import graphed
from lacuna.encoding import AnalogBits
from lacuna.methods.base import Method
from lacuna.nets.score import ScoreNetwork
from lacuna.numerics.copy_masking import smallest
from lacuna.numerics.ddpm import quadratic_schedule, step_back
from lacuna.numerics.samples import mode_and_entropy
from lacuna.rng import torch_seed, torch_stream
from lacuna.types import Draws, Imputation, Incomplete, where

MILESTONES, DROP = (0.25, 0.5, 0.75, 0.9), 0.1  # shares of the epochs after which the learning rate drops
TOKENS_AT_ONCE = {"cpu": 2**14, "cuda": 2**20}  # of states sampled together: some hundred numbers each


class TabCSDI(Method):
    """A diffusion model of the cells that a row hides given those it shows, from noise in ``steps`` steps.

    Categories are analog bits. The point imputation is the mean, or the most frequent level, of ``samples`` draws,
    which stay within the range of the observed cells. The attention's dropout of the official code is left out.

    Args:
        steps, beta_start, beta_end: of the noise schedule.
        channels, layers, heads, noise: of the network, see ``ScoreNetwork``.
        hide: share of a row's observed cells that training hides; ``uniform`` draws a share for each row.
        samples: draws behind a point imputation.
        epochs, batch, lr, weight_decay: of Adam; the rate drops to a tenth at 25, 50, 75 and 90% of the epochs.
        max_batches: cuts epochs short on large tables.
    """

    label = "TabCSDI"
    inductive: ClassVar[bool] = False  # rows share one stream of noise

    def __init__(
        self,
        steps: int = 150,
        beta_start: float = 1e-4,
        beta_end: float = 0.5,
        channels: int = 64,
        layers: int = 4,
        heads: int = 2,
        noise: int = 128,
        hide: float | Literal["uniform"] = 0.8,
        samples: int = 5,
        epochs: int = 500,
        max_batches: int | None = None,
        batch: int = 8,
        lr: float = 5e-4,
        weight_decay: float = 1e-6,
        device: str = "auto",
    ) -> None:
        if hide != "uniform" and not 0 < hide <= 1:
            raise ValueError(f"hide must be uniform or lie in (0, 1], got {hide}")
        for name, count in (("samples", samples), ("steps", steps), ("epochs", epochs), ("batch", batch)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        if not 0 < beta_start <= beta_end < 1:
            raise ValueError(f"need 0 < beta_start <= beta_end < 1, got {beta_start} and {beta_end}")
        if channels % heads or noise % 2:
            raise ValueError(f"channels must be a multiple of heads and noise even, got {channels} and {noise}")
        self.schedule = quadratic_schedule(steps, beta_start, beta_end)
        self.shape = {"steps": steps, "channels": channels, "layers": layers, "heads": heads, "noise": noise}
        self.hide, self.samples, self.device = hide, samples, device
        self.epochs, self.max_batches, self.batch = epochs, max_batches, batch
        self.lr, self.weight_decay = lr, weight_decay

    def _fit(self, train: Incomplete, seed: int) -> None:
        device = pick(self.device)
        self.seed_, self.encoder_ = seed, AnalogBits.fit(train)
        self.network_ = ScoreNetwork(self.encoder_.width, **self.shape).to(device)
        values, observed = torch.from_numpy(self.encoder_.encode(train.values)), torch.from_numpy(train.observed)
        values, observed = values.to(device), observed.to(device)
        column_of = torch.from_numpy(self.encoder_.column_of).to(device)
        schedule = self.schedule.to(device)
        epochs = training.epochs_within(self.max_batches, self.epochs, self.batch, len(values))
        plan = training.Plan(dropping(epochs, self.lr), self.batch, weight_decay=self.weight_decay)
        weights, rng = (torch_stream(seed, "tabcsdi", name, device=device) for name in ("weights", "training"))

        def examples(rows: Tensor) -> tuple[Tensor, ...]:
            """Noisy and clean rows, which of their cells are given, which are asked for, their noise and step."""
            clean, seen = values[rows], observed[rows]
            share, keys = (torch.rand(len(rows), k, generator=rng, device=device) for k in (1, seen.shape[1]))
            share = share if self.hide == "uniform" else torch.full_like(share, self.hide)
            asked = smallest(keys, seen, (share * seen.sum(1, keepdim=True)).round())
            step = torch.randint(len(schedule.signal), (len(rows),), generator=rng, device=device)
            noise = torch.randn(clean.shape, generator=rng, device=device)
            noisy = schedule.signal[step, None] * clean + schedule.noise[step, None] * noise
            return noisy, clean, (seen & ~asked)[:, column_of], asked[:, column_of], noise, step

        def loss(
            network: nn.Module, noisy: Tensor, clean: Tensor, given: Tensor, asked: Tensor, noise: Tensor, step: Tensor
        ) -> Tensor:
            predicted = network(noisy, clean, given, step)
            return ((predicted - noise).square() * asked).sum() / asked.sum().clamp(min=1)

        with matmul_precision("tf32"):  # in such small batches two of five kernels would be casts to bf16
            training.train(
                self.network_,
                examples,
                loss,
                len(values),
                plan,
                rng,
                reset=lambda: self.network_.reset(weights),
                on_epoch=lambda epoch, loss: self.monitor.progress("training", epoch, epochs, loss=loss),
            )

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values = rows.values.copy()
        incomplete = np.flatnonzero(rows.hidden.any(1))
        n_samples = max(self.samples, draws)
        device = next(self.network_.parameters()).device
        at_once = max(1, TOKENS_AT_ONCE[device.type] // (n_samples * self.encoder_.width))
        at_once = max(1, min(at_once, len(incomplete)))  # one shape for all chunks: the last repeats a row
        sampler, kept = _Sampler(self, at_once * n_samples), [np.empty((draws, 0), np.float32)]
        for start in range(0, len(incomplete), at_once):
            part = incomplete[start : start + at_once]
            padded = rows.take(np.pad(part, (0, at_once - len(part)), mode="edge"))
            found = sampler(padded, n_samples, torch_seed(self.seed_, "tabcsdi", "draws", start))[: len(part)]
            values[part] = self._point(found[:, : self.samples]).cpu().numpy()
            if draws:
                cells = found[:, :draws].float().cpu().numpy().swapaxes(0, 1)
                kept.append(cells[:, rows.hidden[part]])
            self.monitor.progress("sampling", start + len(part), len(incomplete))
        if not draws:
            return Imputation(values)
        return Imputation(values, draws=Draws.from_samples(np.argwhere(rows.hidden), np.concatenate(kept, axis=1)))

    def _point(self, found: Tensor) -> Tensor:
        """Draws (r, K, d) -> (r, d): the mean, rounded for integers; the most frequent level."""
        point = found.mean(1)
        whole, discrete = (torch.from_numpy(where(self.columns_, kind=kind)) for kind in ("integer", "categorical"))
        point[:, whole] = point[:, whole].round()
        if discrete.any():
            point[:, discrete] = mode_and_entropy(found[..., discrete].movedim(1, 0))[0]
        return point


class _Sampler:
    """Draws of whole rows, ``size`` states at once."""

    def __init__(self, method: TabCSDI, size: int) -> None:
        self.encoder, network = method.encoder_, method.network_
        self.device = device = next(network.parameters()).device
        self.generator = generator = torch.Generator(device)
        self.steps = torch.arange(len(method.schedule.signal), device=device)
        schedule = method.schedule.to(device)
        low, high = (torch.from_numpy(limit).to(device) for limit in self.encoder.limits)

        def step(state: Tensor, given: Tensor, is_given: Tensor, at: Tensor) -> Tensor:
            # no cache of converted weights: a captured graph must not keep one
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False):
                predicted = network(state, given, is_given, at.expand(size)).float()
            fresh = torch.randn(state.shape, generator=generator, device=device)
            return step_back(state, predicted, fresh, schedule, at, (low, high))

        blank = torch.zeros(size, self.encoder.width, device=device)
        with torch.no_grad():
            self.step = graphed(step, [blank, blank, blank.bool(), self.steps[-1]], [generator])

    @torch.no_grad()
    def __call__(self, rows: Incomplete, n_samples: int, seed: int) -> Tensor:
        """(r, n_samples, d) values of r rows"""
        generator = self.generator.manual_seed(seed)
        given = torch.from_numpy(self.encoder.encode(rows.values)).to(self.device)
        is_given = torch.from_numpy(rows.observed[:, self.encoder.column_of]).to(self.device)
        given, is_given = (part.repeat_interleave(n_samples, 0) for part in (given, is_given))
        state = torch.randn(given.shape, generator=generator, device=self.device)
        for at in self.steps.flip(0):
            state = self.step(state, given, is_given, at)
        return self.encoder.decode(state).unflatten(0, (len(rows), n_samples))


def dropping(epochs: int, lr: float) -> tuple[float, ...]:
    """The learning rate of each epoch.

    >>> dropping(8, 1.0) == (1.0, 1.0, 0.1, 0.1, 0.1**2, 0.1**2, 0.1**3, 0.1**4)
    True
    """
    ends = [math.floor(share * epochs) for share in MILESTONES]
    return tuple(lr * DROP ** sum(epoch >= end for end in ends) for epoch in range(epochs))
