"""DiffPuter: expectation-maximisation with a diffusion model of complete rows (Zhang, Fang, Wu, Yu, ICLR 2025)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lacuna.methods.diffjoint import DiffJoint
from lacuna.methods.diffusion import Precision
from lacuna.types import Imputation, Incomplete


class DiffPuter(DiffJoint):
    """Diff-Joint's loop on x alone, from the column means, with the average of ``samples`` trials as the answer.

    Arguments as for ``DiffJoint``. It knows no meaningful missingness: every hidden cell gets a value.
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
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {iterations}")
        super().__init__(
            iterations=iterations,
            samples=samples,
            joint=False,
            steps=steps,
            repeats=repeats,
            sigma_min=sigma_min,
            sigma_max=sigma_max,
            rho=rho,
            churn=churn,
            hidden=hidden,
            epochs=epochs,
            batch=batch,
            lr=lr,
            plateau=plateau,
            patience=patience,
            precision=precision,
            device=device,
        )

    def _start(self, train: Incomplete, seed: int) -> Imputation:
        """The mean of every encoded coordinate, which encoding gives to hidden cells by itself."""
        return Imputation(np.where(train.observed, train.values, np.nan))

    def _aggregate(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The trials are averaged as encoded, then decoded."""
        _, uncertainty, votes = super()._aggregate(states)
        return self.encoder_.decode(states[:, : self.samples].mean(1)), uncertainty, votes
