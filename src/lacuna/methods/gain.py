"""GAIN: Yoon, Jordon, van der Schaar, "GAIN: Missing Data Imputation using Generative Adversarial Nets", ICML 2018."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.backend.device import pick
from lacuna.backend.graphs import graphed
from lacuna.encoding import UnitScale
from lacuna.methods.base import Method
from lacuna.nets.gain import CellwisePerceptron
from lacuna.rng import torch_stream
from lacuna.types import Draws, Imputation, Incomplete

NOISE = 0.01  # hidden cells enter as uniform noise below this
REPORT_EVERY = 500  # iterations; on a GPU, the only times that the host waits for it
ROWS_AT_ONCE = 2**16


class GAIN(Method):
    """A generator fills cells in; a discriminator tells them from observed ones with the help of a hint.

    Columns are spread over [0, 1], categories by their codes; integers and codes are rounded. The point imputation
    feeds the generator the mean of its noise, so that a row's result depends on nothing but the row.

    Args:
        iterations, batch, lr: of Adam; each iteration is one step of the discriminator, then one of the generator.
        hint: share of cells whose state the discriminator is told.
        alpha: weight of the squared error on observed cells.
    """

    label = "GAIN"

    def __init__(
        self,
        iterations: int = 10_000,
        batch: int = 128,
        hint: float = 0.9,
        alpha: float = 100.0,
        lr: float = 1e-3,
        device: str = "auto",
    ) -> None:
        if iterations < 1 or batch < 1:
            raise ValueError(f"need at least one iteration and row, got {iterations} and {batch}")
        if not 0 <= hint <= 1:
            raise ValueError(f"hint must lie in [0, 1], got {hint}")
        self.iterations, self.batch, self.hint, self.alpha, self.lr = iterations, batch, hint, alpha, lr
        self.device = device

    def _fit(self, train: Incomplete, seed: int) -> None:
        device, (n, d) = pick(self.device), train.values.shape
        self.seed_, self.scale_ = seed, UnitScale.fit(train)
        self.generator_ = CellwisePerceptron(d).to(device)
        discriminator = CellwisePerceptron(d).to(device)
        networks = {"generator": self.generator_, "discriminator": discriminator}
        rng = torch_stream(seed, "gain", "training", device=device)
        values, observed = self._encoded(train)
        adams = {
            name: torch.optim.Adam(network.parameters(), lr=self.lr, fused=True, capturable=device.type == "cuda")
            for name, network in networks.items()
        }

        def step(rows: Tensor) -> Tensor:
            """One iteration on ``rows`` (b,); returns the generator's loss."""
            own, seen = values[rows], observed[rows]
            noise, told = torch.rand(2, *own.shape, generator=rng, device=device)
            given = torch.where(seen.bool(), own, NOISE * noise)
            hint = seen * (told < self.hint)
            with torch.no_grad():
                completed = torch.where(seen.bool(), own, self.generator_(given, seen))
            judged = discriminator.logits(completed, hint)
            _descend(adams["discriminator"], discriminator, F.binary_cross_entropy_with_logits(judged, seen))

            made = self.generator_(given, seen)
            judged = discriminator.logits(torch.where(seen.bool(), own, made), hint)
            fooled = -((1 - seen) * F.logsigmoid(judged)).mean()
            kept = (seen * (own - made).square()).mean() / seen.mean().clamp(min=1e-6)
            return _descend(adams["generator"], self.generator_, fooled + self.alpha * kept)

        b = min(self.batch, n)
        for name, network in networks.items():
            network.reset(torch_stream(seed, "gain", name, device=device))
        weights = [parameter for network in networks.values() for parameter in network.parameters()]
        for parameter in weights:  # gradients stay in place
            parameter.grad = torch.zeros_like(parameter)
        run = graphed(step, [torch.arange(b, device=device)], [rng], [*weights, *adams.values(), rng])

        for i in range(1, self.iterations + 1):
            loss = run(torch.randint(n, (b,), generator=rng, device=device))
            if i % REPORT_EVERY == 0 or i == self.iterations:
                self.monitor.progress("training", i, self.iterations, loss=float(loss))

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values = self.scale_.decode(self._generated(rows, None))
        if not draws:
            return Imputation(values)
        device = next(self.generator_.parameters()).device
        rng = torch_stream(self.seed_, "gain", "draws", device=device)
        samples = np.stack([self._drawn(rows, rng) for _ in range(draws)])
        return Imputation(values, draws=Draws.from_samples(np.argwhere(rows.hidden), samples))

    def _drawn(self, rows: Incomplete, rng: torch.Generator) -> np.ndarray:
        """(k,) float32: one draw of the hidden cells"""
        return self.scale_.decode(self._generated(rows, rng))[rows.hidden].astype(np.float32)

    @torch.no_grad()
    def _generated(self, rows: Incomplete, rng: torch.Generator | None) -> np.ndarray:
        """(n, d) in (0, 1), from noise of ``rng`` or from its mean."""
        found = np.empty(rows.values.shape, np.float32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            values, seen = self._encoded(rows.take(part))
            noise = torch.full_like(values, 0.5) if rng is None else torch.empty_like(values).uniform_(generator=rng)
            found[part] = self.generator_(torch.where(seen.bool(), values, NOISE * noise), seen).cpu().numpy()
        return found

    def _encoded(self, rows: Incomplete) -> tuple[Tensor, Tensor]:
        """Values (n, d), 0 where hidden, and 1 where observed (n, d), on the networks' device."""
        device = next(self.generator_.parameters()).device
        observed = torch.from_numpy(rows.observed.astype(np.float32)).to(device)
        return torch.from_numpy(self.scale_.encode(rows.values)).to(device), observed


def _descend(optimizer: torch.optim.Optimizer, network: CellwisePerceptron, loss: Tensor) -> Tensor:
    """One step of ``optimizer`` down ``loss`` for ``network`` alone; returns the loss."""
    parameters = list(network.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        assert parameter.grad is not None
        parameter.grad.copy_(gradient)
    optimizer.step()
    return loss.detach()
