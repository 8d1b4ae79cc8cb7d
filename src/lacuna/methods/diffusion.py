"""What Diff-Joint and DiffPuter share: an EDM diffusion model of encoded rows and its conditional sampler."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lacuna.graphs import graphed
from lacuna.nets.denoiser import MLPDenoiser
from lacuna.numerics import edm
from lacuna.training import Schedule, train

Precision = Literal["auto", "bf16", "tf32", "float32"]
ROWS_AT_ONCE = {
    "cuda": 65_536,
    "cpu": 4_096,
}  # activations of one network call: 1 GB at hidden 1024, or one cache
SIGMA_DATA = 0.5


@dataclass(frozen=True)
class Sampling:
    """Conditional sampling by inpainting.

    ``repeats`` resampling rounds at each of ``steps`` noise levels; ``churn`` is S_churn of EDM, spread over
    the steps.
    """

    steps: int = 50
    repeats: int = 10
    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0
    churn: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 2 or self.repeats < 1:
            raise ValueError(f"steps must be at least 2 and repeats at least 1, got {self.steps} and {self.repeats}")
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(f"need 0 < sigma_min < sigma_max, got {self.sigma_min} and {self.sigma_max}")


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """float32 matrix products as they are, or as TF32, within a block."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class DiffusionModel:
    """A diffusion model of states (n, width) whose data sd is 0.5.

    Args:
        width: numbers in a state.
        hidden: width of the network.
        device: where the network lives and samples are drawn.
        precision: of the network's evaluation; states stay float32. ``auto`` is bf16 on CUDA, float32 elsewhere.
        compiled: fuse the sampler's step with torch.compile; ``None`` where it pays: on CUDA.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        device: torch.device,
        precision: Precision = "auto",
        compiled: bool | None = None,
    ) -> None:
        if precision not in ("auto", "bf16", "tf32", "float32"):
            raise ValueError(f"precision must be auto, bf16, tf32 or float32, got {precision!r}")
        self.device = device
        self.precision = {"cuda": "bf16", "cpu": "float32"}[device.type] if precision == "auto" else precision
        self.compiled = device.type == "cuda" if compiled is None else compiled
        self.network = MLPDenoiser(width, hidden).to(device)
        self.generator = torch.Generator(device)
        self.rows_at_once = ROWS_AT_ONCE[device.type]
        self._frozen = copy.deepcopy(self.network).requires_grad_(False)  # what the captured steps evaluate
        if self.precision == "bf16":
            self._frozen.to(torch.bfloat16).frequencies = self.network.frequencies  # angles stay float32
        self._bulk_step = torch.compile(edm.inpainting_step, dynamic=False) if self.compiled else edm.inpainting_step
        self._steps: dict[tuple, Callable[..., Tensor]] = {}

    def fit(
        self,
        states: Tensor,
        schedule: Schedule,
        seed: int,
        on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
    ) -> list[float]:
        """Train a fresh network on states (n, width); returns the loss of every epoch."""
        generator = self.generator.manual_seed(seed)

        def loss(rows: Tensor) -> Tensor:
            clean = states[rows]
            sigma = edm.training_sigma(torch.randn(len(rows), 1, generator=generator, device=self.device))
            noise = torch.randn(clean.shape, generator=generator, device=self.device)
            half = self.precision == "bf16"
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
                return edm.denoising_loss(self.network, clean, noise, sigma, SIGMA_DATA)

        with matmul_precision(self.precision):
            return train(
                self.network,
                loss,
                len(states),
                schedule,
                generator,
                reset=lambda: self.network.reset(generator.manual_seed(seed)),
                on_epoch=on_epoch,
            )

    @torch.no_grad()
    def sample(
        self,
        known: Tensor,
        is_known: Tensor,
        n_samples: int,
        sampling: Sampling,
        seed: int,
        on_level: Callable[[int, int], None] = lambda done, total: None,
    ) -> Tensor:
        """Draw states given their known coordinates.

        Args:
            known: (r, width) values, read where ``is_known``.
            is_known: (r, width) bool.
            on_level: told (done, total) after every noise level of every batch.

        Returns:
            (r, n_samples, width) float32; known coordinates as given.
        """
        for frozen, trained in zip(self._frozen.parameters(), self.network.parameters(), strict=True):
            frozen.copy_(trained)
        while True:
            try:
                with matmul_precision(self.precision):
                    return self._sample(known, is_known, n_samples, sampling, seed, on_level)
            except torch.OutOfMemoryError:
                if self.rows_at_once <= 256:
                    raise
                self.rows_at_once //= 2
                self._steps.clear()
                torch.cuda.empty_cache()

    def _sample(
        self,
        known: Tensor,
        is_known: Tensor,
        n_samples: int,
        sampling: Sampling,
        seed: int,
        on_level: Callable[[int, int], None],
    ) -> Tensor:
        generator = self.generator.manual_seed(seed)
        total = len(known) * n_samples
        size = min(self.rows_at_once, total)
        if self.device.type == "cuda":  # few shapes, each compiled and captured once; the last batch is padded
            size = min(self.rows_at_once, 2 ** math.ceil(math.log2(total)))
        sigmas = edm.noise_levels(sampling.steps, sampling.sigma_min, sampling.sigma_max, sampling.rho).to(self.device)
        again_or_not = torch.tensor([0.0, 1.0], device=self.device)
        out = torch.empty(total, known.shape[1], device=self.device)
        starts = range(0, total, size)
        for b, start in enumerate(starts):
            rows = torch.arange(start, start + size, device=self.device).clamp(max=total - 1) // n_samples
            held, is_held = known[rows], is_known[rows]
            state = sigmas[0] * torch.randn(held.shape, generator=generator, device=self.device)
            for i in range(sampling.steps):
                step = self._step(held.shape, sampling, correct=i < sampling.steps - 1)
                for repeat in range(sampling.repeats):
                    again = again_or_not[int(repeat < sampling.repeats - 1)]
                    state = step(state, held, is_held, sigmas[i], sigmas[i + 1], again)
                on_level(b * sampling.steps + i + 1, len(starts) * sampling.steps)
            out[start : start + size] = state[: total - start]
        return out.view(len(known), n_samples, -1)

    def _step(self, shape: torch.Size, sampling: Sampling, correct: bool) -> Callable[..., Tensor]:
        """The inpainting step for one batch shape, captured when first asked for."""
        key = (shape, sampling, correct)
        if key not in self._steps:
            churn = min(sampling.churn / sampling.steps, math.sqrt(2) - 1)
            bulk = correct and shape[0] == self.rows_at_once  # all that is worth a compilation
            inpaint = self._bulk_step if bulk else edm.inpainting_step

            def step(state: Tensor, held: Tensor, is_held: Tensor, *levels: Tensor) -> Tensor:
                noise = torch.randn(3, *shape, generator=self.generator, device=self.device)
                return inpaint(self._denoise, state, held, is_held, noise, *levels, churn, correct)

            blank, level = torch.zeros(shape, device=self.device), torch.ones((), device=self.device)
            random_state = self.generator.get_state()  # warming up draws from it
            example = [blank, blank, blank.bool(), level, level / 2, level]
            self._steps[key] = graphed(step, example, [self.generator])
            self.generator.set_state(random_state)
        return self._steps[key]

    def _denoise(self, state: Tensor, sigma: Tensor) -> Tensor:
        return edm.denoise(self._frozen, state, sigma, SIGMA_DATA)
