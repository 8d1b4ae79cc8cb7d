"""What Diff-Joint and DiffPuter share: an EDM diffusion model of encoded rows and its conditional sampler."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lacuna.backend.device import matmul_precision
from lacuna.backend.graphs import graphed
from lacuna.backend.threads import side_by_side, threads
from lacuna.backend.training import Schedule, train
from lacuna.nets.denoiser import FoldedDenoiser, MLPDenoiser
from lacuna.numerics import edm
from lacuna.rng import torch_seed

Precision = Literal["auto", "bf16", "tf32", "float32"]
ROWS_AT_ONCE = {"cuda": 262_144, "cpu": 2_048}  # activations of one network call: 2 GB at hidden 1024, or one cache
SIGMA_DATA = 0.5
SMALL = 256  # hidden width up to which one CPU thread trains fastest


@dataclass(frozen=True)
class SamplerSettings:
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


class DiffusionModel:
    """A diffusion model of states (n, width) whose data sd is 0.5.

    Args:
        width: numbers in a state.
        hidden: width of the network.
        device: where the network lives and samples are drawn.
        precision: of the network's evaluation; states stay float32. ``auto`` is bf16 on CUDA, float32 elsewhere.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        device: torch.device,
        precision: Precision = "auto",
    ) -> None:
        if precision not in ("auto", "bf16", "tf32", "float32"):
            raise ValueError(f"precision must be auto, bf16, tf32 or float32, got {precision!r}")
        self._arguments = (width, hidden, device, precision)
        self.device = device
        self.precision = {"cuda": "bf16", "cpu": "float32"}[device.type] if precision == "auto" else precision
        self.network = MLPDenoiser(width, hidden).to(device)
        self.generator = torch.Generator(device)
        self.rows_at_once = ROWS_AT_ONCE[device.type]
        self.dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        self._folded = FoldedDenoiser(self.network, self.dtype)  # what the captured steps evaluate
        self._steps: dict[tuple, Callable[..., Tensor]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a saved model needs; generators start afresh at every call, captured steps are made again."""
        return {"arguments": self._arguments, "weights": dict(self.network.state_dict())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(*state["arguments"])  # type: ignore[misc]
        self.network.load_state_dict(state["weights"])

    def fit(
        self,
        states: Tensor,
        schedule: Schedule,
        seed: int,
        on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
    ) -> list[float]:
        """Train a fresh network on states (n, width), Diff-Joint's Algorithm 2; returns the loss of every epoch.

        ``train`` has the loop: line 1 is its early stop, line 7 its optimiser.
        """
        generator = self.generator.manual_seed(seed)

        def examples(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            s = states[rows]  # line 2
            sigma = edm.training_sigma(torch.randn(len(rows), 1, generator=generator, device=self.device))  # line 3
            noise = torch.randn(s.shape, generator=generator, device=self.device)  # line 4
            return edm.regression(s, noise, sigma, SIGMA_DATA)  # line 5

        def loss(network: nn.Module, state: Tensor, c_noise: Tensor, target: Tensor) -> Tensor:
            return F.mse_loss(network(state, c_noise).float(), target)  # line 6

        small = self.device.type == "cpu" and self.network.hidden <= SMALL
        with matmul_precision(self.precision), threads(1 if small else torch.get_num_threads()):
            return train(
                self.network,
                examples,
                loss,
                len(states),
                schedule,
                generator,
                reset=lambda: self.network.reset(generator.manual_seed(seed)),
                dtype=self.dtype,
                on_epoch=on_epoch,
            )

    @torch.no_grad()
    def sample(
        self,
        known: Tensor,
        is_known: Tensor,
        n_samples: int,
        sampling: SamplerSettings,
        seed: int,
        on_batch: Callable[[int, int], None] = lambda done, total: None,
    ) -> Tensor:
        """Draw states given their known coordinates.

        Args:
            known: (r, width) values, read where ``is_known``.
            is_known: (r, width) bool.
            on_batch: told (done, total) after every batch.

        Returns:
            (r, n_samples, width) float32; known coordinates as given.
        """
        self._folded.take_weights()
        while True:
            try:
                with matmul_precision(self.precision):
                    return self._sample(known, is_known, n_samples, sampling, seed, on_batch)
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
        sampling: SamplerSettings,
        seed: int,
        on_batch: Callable[[int, int], None],
    ) -> Tensor:
        total = len(known) * n_samples
        batches = math.ceil(total / self.rows_at_once)
        size = math.ceil(total / max(batches, 1))  # one shape, captured once; the last batch is padded by a few rows
        out = torch.empty(total, known.shape[1], device=self.device)

        def draw(b: int) -> None:
            start = b * size
            rows = torch.arange(start, start + size, device=self.device).clamp(max=total - 1) // n_samples
            # a stream of its own for every batch: they may run side by side, in any order
            generator = self.generator if self.device.type == "cuda" else torch.Generator()
            generator.manual_seed(torch_seed(seed, b))
            out[start : start + size] = self._draw(known[rows], is_known[rows], sampling, generator)[: total - start]

        # small matrices gain nothing from several threads an operation, so every thread takes batches of its own
        with side_by_side(torch.get_num_threads() if self.device.type == "cpu" else 0) as each:
            for done, _ in enumerate(each(draw, range(batches)), start=1):
                on_batch(done, batches)
        return out.view(len(known), n_samples, -1)

    @torch.no_grad()
    def _draw(self, held: Tensor, is_held: Tensor, sampling: SamplerSettings, generator: torch.Generator) -> Tensor:
        """One batch of states from noise, given where it is held."""
        levels = edm.noise_levels(sampling.steps, sampling.sigma_min, sampling.sigma_max, sampling.rho).to(self.device)
        step, last_step = (self._step(held.shape, sampling, correct, generator) for correct in (True, False))
        noise = torch.randn(held.shape, generator=generator, device=self.device)
        return edm.conditional_sample(step, last_step, noise, held, is_held, levels, sampling.repeats)

    def _step(
        self, shape: torch.Size, sampling: SamplerSettings, correct: bool, generator: torch.Generator
    ) -> Callable[..., Tensor]:
        """The inpainting step for one batch shape; on a GPU captured when first asked for."""
        churn = min(sampling.churn / sampling.steps, math.sqrt(2) - 1)

        def step(state: Tensor, held: Tensor, is_held: Tensor, here: Tensor, there: Tensor, again: Tensor) -> Tensor:
            noise = torch.randn(3, *shape, generator=generator, device=self.device)
            return edm.inpainting_step(self._denoise, state, held, is_held, noise, here, there, again, churn, correct)

        if self.device.type == "cpu":
            return step
        key = (shape, sampling, correct)
        if key not in self._steps:
            blank, level = torch.zeros(shape, device=self.device), torch.ones((), device=self.device)
            example = [blank, blank, blank.bool(), level, level / 2, level]
            self._steps[key] = graphed(step, example, [generator], [generator])
        return self._steps[key]

    def _denoise(self, state: Tensor, sigma: Tensor) -> Tensor:
        return edm.denoise(self._folded, state, sigma, SIGMA_DATA)
