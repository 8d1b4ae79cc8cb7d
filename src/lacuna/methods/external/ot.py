"""Imputation by optimal transport: Muzellec, Josse, Boyer, Cuturi, "Missing Data Imputation using Optimal
Transport", ICML 2020 (its algorithm 1). Written here: the packages run one imputation at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lacuna.backend.device import pick
from lacuna.methods.external.tables import Dummies
from lacuna.methods.external.transductive import Transductive
from lacuna.numerics.sinkhorn import sinkhorn_divergence
from lacuna.rng import torch_stream
from lacuna.types import Incomplete

SCALING = 0.9  # of the annealing
MOST_POINTS = 2000  # rows whose distances choose the blur
REPORT_EVERY = 100  # iterations


class OptimalTransport(Transductive):
    """Moves the hidden cells until random batches of rows look alike in Sinkhorn divergence.

    Categories enter as 0/1 coordinates. The ``samples`` imputations differ in their start and batches, and run side by
    side.

    Args:
        iterations, batch, lr: of Adam; ``batch`` rows on either side, fewer in small tables.
        noise: sd of the start around the column mean.
        quantile, factor: the blur is this quantile of half the squared distances of rows, times the factor.
        samples: imputations behind a point imputation.
        standardise: scale coordinates by their observed cells rather than take them as they come.
    """

    label = "OT"
    optimizer: ClassVar[Callable[..., torch.optim.Optimizer]] = torch.optim.Adam

    def __init__(
        self,
        iterations: int = 3000,
        batch: int = 128,
        lr: float = 0.01,
        noise: float = 0.1,
        quantile: float = 0.5,
        factor: float = 0.05,
        samples: int = 5,
        standardise: bool = True,
        device: str = "auto",
    ) -> None:
        super().__init__(samples)
        if iterations < 1 or batch < 1:
            raise ValueError(f"need at least one iteration and row, got {iterations} and {batch}")
        if not 0 <= quantile <= 1 or factor <= 0:
            raise ValueError(f"quantile must lie in [0, 1] and factor above 0, got {quantile} and {factor}")
        self.iterations, self.batch, self.lr, self.noise = iterations, batch, lr, noise
        self.quantile, self.factor, self.standardise, self.device = quantile, factor, standardise, device

    def _complete(self, table: Incomplete, n: int) -> np.ndarray:
        dummies, device = Dummies.fit(table), pick(self.device)
        encoded = dummies.encode(table.values)
        mean = np.nanmean(encoded, axis=0)
        sd = np.nanstd(encoded, axis=0) if self.standardise else np.ones(len(mean))
        values = torch.from_numpy((encoded - mean) / sd).to(device, torch.float32)
        hidden = values.isnan()
        values = values.nan_to_num()
        blur = self.blur(values)
        moved = self._moved(values, hidden, blur, n)
        samples = np.empty((n, table.hidden.sum()))
        for k in range(n):
            completed = values.masked_scatter(hidden, moved[k]).cpu().numpy()
            samples[k] = dummies.decode(completed * sd + mean)[table.hidden]
        return samples

    def blur(self, values: Tensor) -> float:
        """From the distances between rows of (n, w), hidden cells at their mean."""
        rng = torch_stream(self.seed_, "ot", "blur")
        rows = values[torch.randperm(len(values), generator=rng)[:MOST_POINTS].to(values.device)]
        halves = (torch.pdist(rows.double()).square() / 2).cpu().numpy()
        halves = halves[halves > 0]
        return self.factor * float(np.quantile(halves, self.quantile)) if len(halves) else self.factor

    def _moved(self, values: Tensor, hidden: Tensor, blur: float, n: int) -> Tensor:
        """(n, k) final values of the k hidden cells of (rows, w), n imputations."""
        rngs = [torch_stream(self.seed_, "ot", k) for k in range(n)]
        n_rows, n_hidden = len(values), int(hidden.sum())
        batch = self.batch if self.batch <= n_rows // 2 else 2 ** int(np.log2(max(n_rows // 2, 1)))
        cell_of = hidden.flatten().cumsum(0).sub(1).clamp(min=0).view(hidden.shape)
        start = torch.stack([self.noise * torch.randn(n_hidden, generator=rng) for rng in rngs])
        cells = start.to(values.device).requires_grad_()
        optimizer = type(self).optimizer([cells], lr=self.lr)
        for i in range(1, self.iterations + 1):
            drawn = [torch.randperm(n_rows, generator=rng)[:batch] for rng in rngs for _ in range(2)]
            rows = torch.stack(drawn).view(n, 2 * batch).to(values.device)  # each half without repeats
            own = cells.gather(1, cell_of[rows].flatten(1)).view(n, 2 * batch, -1)
            clouds = torch.where(hidden[rows], own, values[rows])
            loss = sinkhorn_divergence(clouds[:, :batch], clouds[:, batch:], blur, SCALING).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if i % REPORT_EVERY == 0 or i == self.iterations:
                self.monitor.progress("moving", i, self.iterations, loss=float(loss.detach()) / n)
        return cells.detach()
