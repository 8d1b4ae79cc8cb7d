"""DiffPuter: expectation-maximisation with a diffusion model of complete rows (Zhang, Fang, Wu, Yu, ICLR 2025)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from lacuna.backend.training import Schedule
from lacuna.methods.diffusion import Precision, SamplerSettings
from lacuna.methods.iterative_diffusion import IterativeDiffusion, Samples
from lacuna.types import Imputation, Incomplete


class DiffPuter(IterativeDiffusion):
    """Iterations from the column means, with the average of ``samples`` trials as the answer.

    It knows no meaningful missingness: every hidden cell gets a value.

    Args:
        iterations: of expectation and maximisation.
        samples: trials, conditional samples per incomplete row.
        steps, repeats, sigma_min, sigma_max, rho, churn: of the sampler, see ``SamplerSettings``.
        hidden: width of the network and of its noise embedding.
        epochs, batch, lr, plateau, patience: of the training at every iteration, see ``Schedule``.
        precision: of the network's evaluation.
    """

    label = "DiffPuter"

    def __init__(
        self,
        iterations: int = 10,
        samples: int = 10,
        steps: int = 50,
        repeats: int = 20,
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        rho: float = 7.0,
        churn: float = 1.0,
        hidden: int = 1024,
        epochs: int = 1000,
        batch: int = 4096,
        lr: float = 1e-4,
        plateau: int = 40,
        patience: int = 200,
        precision: Precision = "auto",
        device: str = "auto",
    ) -> None:
        if iterations < 1 or samples < 1:
            raise ValueError(f"iterations and samples must be at least 1, got {iterations} and {samples}")
        sampling = SamplerSettings(steps, repeats, sigma_min, sigma_max, rho, churn)
        schedule = Schedule(epochs, batch, lr, plateau=plateau, patience=patience)
        super().__init__(iterations, samples, sampling, schedule, hidden, precision, device)

    def _start(self, train: Incomplete, seed: int) -> Imputation:
        """The mean of every encoded coordinate, which encoding gives to hidden cells by itself."""
        return Imputation(np.where(train.observed, train.values, np.nan))

    def _estimate(self, samples: Samples) -> tuple[Tensor, ...]:
        """The trials are averaged as encoded, then decoded."""
        _, uncertainty = self._point_and_uncertainty(samples)
        return self.encoder_.decode(samples.states.mean(1)), uncertainty

    def _aggregate(self, rows: Incomplete, samples: Iterable[Samples], draws: int) -> Imputation:
        found = self._estimates(rows, samples, draws)
        return Imputation(found.values, draws=found.draws, diagnostics=self._diagnostics(found.uncertainty))
