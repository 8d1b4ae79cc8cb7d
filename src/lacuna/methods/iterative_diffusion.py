"""What Diff-Joint and DiffPuter share: they train a diffusion model and sample the hidden cells from it, in turns.

Line numbers are those of Diff-Joint's algorithms. DiffPuter's maximisation is line 5 of Algorithm 1, its expectation
lines 6 and 7.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lacuna.backend.device import pick
from lacuna.backend.training import Schedule
from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.methods.diffusion import SIGMA_DATA, DiffusionModel, Precision, SamplerSettings
from lacuna.numerics.samples import mean_and_sd, mode_and_entropy
from lacuna.rng import torch_seed
from lacuna.types import Draws, Imputation, Incomplete, where

STATES_IN_MEMORY = 2**20  # sampled states decoded at once


@dataclass(frozen=True)
class Samples:
    """Conditional samples of r rows of a table."""

    rows: np.ndarray  # (r,) int: their places in the table
    states: Tensor  # (r, K, width) as the model has them
    values: Tensor  # (r, K, d) float64, decoded

    def first(self, n: int) -> Samples:
        """The first ``n`` samples of every row."""
        return Samples(self.rows, self.states[:, :n], self.values[:, :n])


@dataclass(frozen=True)
class Estimates:
    """What the samples of each cell say; (n, d) each."""

    values: np.ndarray  # imputed where hidden, as given where observed
    uncertainty: np.ndarray  # 0 where observed
    votes: np.ndarray  # share of the sampled masks that are 1; 0 where observed and without a mask
    draws: Draws | None


class IterativeDiffusion(Method):
    """An outer loop of model update and state update.

    Args:
        iterations: of the outer loop.
        samples: K, conditional samples per incomplete row.
        sampling: of the sampler.
        schedule: of the training at every outer iteration.
        hidden: width of the network and of its noise embedding.
        precision: of the network's evaluation.
    """

    inductive: ClassVar[bool] = False  # the noise of a row, and its flags, depend on the rows beside it

    def __init__(
        self,
        iterations: int,
        samples: int,
        sampling: SamplerSettings,
        schedule: Schedule,
        hidden: int,
        precision: Precision,
        device: str,
    ) -> None:
        self.iterations, self.samples, self.sampling, self.schedule = iterations, samples, sampling, schedule
        self.hidden, self.precision, self.device = hidden, precision, device

    def _fit(self, train: Incomplete, seed: int) -> None:
        """Algorithm 1."""
        self.seed_, self.train_ = seed, train
        self.encoder_ = Encoder.fit(train, scale=SIGMA_DATA)
        self.state_ = self._start(train, seed)  # lines 1 and 2
        width = self._encoded(self.state_).shape[1]
        self.model_ = DiffusionModel(width, self.hidden, pick(self.device), self.precision)
        done = self._resume()
        for t in range(done + 1, self.iterations + 1):  # line 4
            self._update_model(t)  # lines 3, 5 and 8
            self.state_ = self._update_state(train, f"state {t}", f"iteration {t}/{self.iterations}: sampling")  # 6, 7
            self.monitor.iteration(t, self.impute)
            self._checkpoint(t)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        """Training rows keep the state of the fit; other rows are sampled and aggregated on their own."""
        if draws == 0 and rows.same_as(self.train_):
            return self.state_
        return self._update_state(rows, "impute", "sampling", draws)

    def _update_model(self, t: int) -> None:
        """Algorithm 2 on the current state; the network starts afresh."""
        phase = f"iteration {t}/{self.iterations}: training"
        self.model_.fit(
            torch.from_numpy(self._encoded(self.state_)).to(self.model_.device),  # lines 3 and 8 of Algorithm 1
            self.schedule,
            torch_seed(self.seed_, "train", t),
            lambda epoch, loss: self.monitor.progress(phase, epoch, self.schedule.epochs, loss=loss),
        )

    def _update_state(self, rows: Incomplete, stream_name: str, phase: str, draws: int = 0) -> Imputation:
        """Algorithm 3, then Algorithm 4, which takes the samples as they come."""
        samples = self._conditional_sample(rows, max(self.samples, draws), stream_name, phase)
        return self._aggregate(rows, samples, draws)

    def _conditional_sample(self, rows: Incomplete, n_samples: int, stream_name: str, phase: str) -> Iterator[Samples]:
        """Algorithm 3 on the rows that have a hidden cell, in blocks that fit into memory."""
        incomplete = np.flatnonzero(rows.hidden.any(1))
        block = max(1, STATES_IN_MEMORY // n_samples)
        for start in range(0, len(incomplete), block):
            part = incomplete[start : start + block]

            def on_batch(done: int, total: int, start: int = start, size: int = part.size) -> None:
                self.monitor.progress(phase, start * total + done * size, len(incomplete) * total)

            known, is_known = (torch.from_numpy(a).to(self.model_.device) for a in self._known(rows.take(part)))
            seed = torch_seed(self.seed_, stream_name, start)
            states = self.model_.sample(known, is_known, n_samples, self.sampling, seed, on_batch)  # lines 1 to 8
            yield Samples(part, states, self.encoder_.decode(states[..., : self.encoder_.width]))  # line 9

    def _estimates(self, rows: Incomplete, samples: Iterable[Samples], draws: int) -> Estimates:
        """Lines 1 to 5 of Algorithm 4."""
        values = rows.values.copy()  # line 1
        uncertainty, votes = np.zeros(values.shape), np.zeros(values.shape)
        drawn = []
        for some in samples:
            hidden = rows.hidden[some.rows]  # line 2
            found = self._estimate(some.first(self.samples))  # line 3
            for target, cells in zip((values, uncertainty, votes), found, strict=False):
                target[some.rows] = np.where(hidden, cells.double().cpu().numpy(), target[some.rows])  # line 4
            if draws:
                drawn.append(some.values[:, :draws].float().cpu().numpy().swapaxes(0, 1)[:, hidden])
        kept = Draws.from_samples(np.argwhere(rows.hidden), np.concatenate(drawn, axis=1)) if drawn else None
        return Estimates(values, uncertainty, votes, kept)

    def _encoded(self, state: Imputation) -> np.ndarray:
        """What the model learns from: (n, width) float32."""
        return self.encoder_.encode(state.values)

    def _known(self, rows: Incomplete) -> tuple[np.ndarray, np.ndarray]:
        """What the sampler is given: values and which of them are known, both (r, width)."""
        return self.encoder_.encode(rows.values), rows.observed[:, self.encoder_.column_of]

    def _point_and_uncertainty(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Equations 5 and 6, (r, d) each."""
        x = samples.values.movedim(1, 0)
        continuous = torch.from_numpy(where(self.columns_, kind="continuous")).to(x.device)
        (mean, sd), (mode, entropy) = mean_and_sd(x), mode_and_entropy(x)
        return torch.where(continuous, mean, mode), torch.where(continuous, sd, entropy)

    @abstractmethod
    def _start(self, train: Incomplete, seed: int) -> Imputation:
        """The state before the first iteration."""

    @abstractmethod
    def _estimate(self, samples: Samples) -> tuple[Tensor, ...]:
        """Value, uncertainty and, if states have a mask, share of votes for it, of every cell: (r, d) each."""

    @abstractmethod
    def _aggregate(self, rows: Incomplete, samples: Iterable[Samples], draws: int) -> Imputation:
        """Algorithm 4: the state that the samples make."""

    def _diagnostics(self, uncertainty: np.ndarray) -> dict[str, Any]:
        return {"uncertainty": uncertainty}

    def _checkpoint(self, t: int) -> None:
        state = self.state_
        self.monitor.save(
            {
                "iteration": t,
                "network": {name: w.cpu() for name, w in self.model_.network.state_dict().items()},
                "values": torch.from_numpy(state.values),
                "meaningful": _tensor(state.meaningful),
                "probability": _tensor(state.meaningful_probability),
                "uncertainty": torch.from_numpy(state.diagnostics["uncertainty"]),
            }
        )

    def _resume(self) -> int:
        """Take up the last checkpoint; returns the number of outer iterations that are done."""
        if (kept := self.monitor.restore()) is None:
            return 0
        self.model_.network.load_state_dict(kept["network"])
        self.state_ = Imputation(
            kept["values"].numpy(),
            _array(kept["meaningful"]),
            _array(kept["probability"]),
            diagnostics=self._diagnostics(kept["uncertainty"].numpy()),
        )
        return kept["iteration"]


def _tensor(array: np.ndarray | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(array)


def _array(tensor: Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.numpy()
