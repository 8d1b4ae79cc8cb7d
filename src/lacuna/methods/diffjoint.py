"""Diff-Joint: a diffusion model of values and meaningful-missingness mask that learns what not to impute.

Zhang, Ouyang, Li, Zhu, Cheng, Xie: "Learning What Not to Impute". Equation and algorithm numbers are the paper's.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from lacuna.backend.device import pick
from lacuna.backend.training import Schedule
from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.methods.diffusion import SIGMA_DATA, DiffusionModel, Precision, SamplerSettings
from lacuna.methods.selective import MeaningfulPosterior
from lacuna.numerics.clustering import two_means_threshold
from lacuna.numerics.samples import mean_and_sd, mode_and_entropy
from lacuna.rng import stream, torch_seed
from lacuna.types import Draws, Imputation, Incomplete

Rule = Literal["or", "and", "uncertainty", "vote", "propensity"]
RULES = ("or", "and", "uncertainty", "vote", "propensity")
STATES_IN_MEMORY = 2**20  # sampled states decoded at once


class DiffJoint(Method):
    """Selective imputation by a joint diffusion over [x, c].

    Args:
        iterations: outer refinements t_max; 0 samples once from an untrained network (the paper's Figure 4).
        samples: K, conditional samples per incomplete row.
        rule: how uncertainty cluster and sampled mask make a flag (equation 7 is ``or``). ``propensity`` is not the
            paper's: it asks whether P(meaningful) of ``MeaningfulPosterior`` exceeds 1/2.
        joint: False models x alone, without a mask: what DiffPuter's state is.
        steps, repeats, sigma_min, sigma_max, rho, churn: of the sampler, see ``SamplerSettings``.
        hidden: width of the network and of its noise embedding.
        epochs, batch, lr, plateau, patience: of the training at every outer iteration, see ``Schedule``.
        precision: of the network's evaluation.
    """

    label = "Diff-Joint"
    inductive: ClassVar[bool] = False  # flags come from clusters over the rows that are imputed together

    def __init__(
        self,
        iterations: int = 10,
        samples: int = 30,
        rule: Rule = "or",
        joint: bool = True,
        steps: int = 50,
        repeats: int = 10,
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        rho: float = 7.0,
        churn: float = 1.0,
        hidden: int = 1024,
        epochs: int = 1001,
        batch: int = 4096,
        lr: float = 1e-4,
        plateau: int = 40,
        patience: int = 200,
        precision: Precision = "auto",
        device: str = "auto",
    ) -> None:
        if rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
        if iterations < 0 or samples < 1:
            raise ValueError(f"need iterations >= 0 and samples >= 1, got {iterations} and {samples}")
        self.iterations, self.samples, self.rule, self.joint = iterations, samples, rule, joint
        self.sampling = SamplerSettings(steps, repeats, sigma_min, sigma_max, rho, churn)
        self.schedule = Schedule(epochs, batch, lr, plateau=plateau, patience=patience)
        self.hidden, self.precision, self.device = hidden, precision, device

    def _fit(self, train: Incomplete, seed: int) -> None:
        """Algorithm 1."""
        self.seed_, self.train_ = seed, train
        self.encoder_ = Encoder.fit(train, scale=SIGMA_DATA)
        width = self.encoder_.width + (len(train.columns) if self.joint else 0)
        self.model_ = DiffusionModel(width, self.hidden, pick(self.device), self.precision)
        self.posterior_ = MeaningfulPosterior().fit(train, seed) if self.joint and self.rule == "propensity" else None
        self.state_ = self._start(train, seed)
        done = self._resume()
        for t in range(done + 1, self.iterations + 1):
            self._update_model(t)
            self.state_ = self._update_state(train, f"state {t}", f"iteration {t}/{self.iterations}: sampling")
            self.monitor.iteration(t, self._impute_now)
            self._checkpoint(t)
        if self.iterations == 0:
            self.model_.network.reset(self.model_.generator.manual_seed(torch_seed(seed, "untrained")))
            self.state_ = self._update_state(train, "state 0", "sampling from an untrained network")

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        """Training rows keep the state of the fit; other rows are sampled and aggregated on their own."""
        if draws == 0 and rows.same_as(self.train_):
            return self.state_
        return self._update_state(rows, "impute", "sampling", draws)

    def _impute_now(self, rows: Incomplete) -> Imputation:
        return self.impute(rows)

    def _start(self, train: Incomplete, seed: int) -> Imputation:
        """Every hidden cell uniform over the observed values of its column (categories: levels), no flag."""
        rng = stream(seed, "start")
        values = train.values.copy()
        for j, column in enumerate(train.columns):
            support = train.values[train.observed[:, j], j]
            if column.kind == "categorical":
                support = np.unique(support)
            hidden = train.hidden[:, j]
            values[hidden, j] = rng.choice(support, hidden.sum())
        return Imputation(values, np.zeros(train.observed.shape, bool) if self.joint else None)

    def _update_model(self, t: int) -> None:
        """Algorithm 2 on the current joint state; the network starts afresh."""
        phase = f"iteration {t}/{self.iterations}: training"
        self.model_.fit(
            self._joint_state(self.state_),
            self.schedule,
            torch_seed(self.seed_, "train", t),
            lambda epoch, loss: self.monitor.progress(phase, epoch, self.schedule.epochs, loss=loss),
        )

    def _joint_state(self, state: Imputation) -> Tensor:
        """s = [encoded x, raw 0/1 mask], (n, width)"""
        parts = [self.encoder_.encode(state.values)]
        if self.joint:
            assert state.meaningful is not None
            parts.append(state.meaningful.astype(np.float32))
        return torch.from_numpy(np.concatenate(parts, axis=1)).to(self.model_.device)

    def _update_state(self, rows: Incomplete, stream_name: str, phase: str, draws: int = 0) -> Imputation:
        """Algorithms 3 and 4 on the rows that have a hidden cell."""
        incomplete = np.flatnonzero(rows.hidden.any(1))
        shape = rows.observed.shape
        point, uncertainty, votes = rows.values.copy(), np.zeros(shape), np.zeros(shape)
        n_samples = max(self.samples, draws)
        kept = []
        block = max(1, STATES_IN_MEMORY // n_samples)
        for start in range(0, len(incomplete), block):
            part = incomplete[start : start + block]

            def on_batch(done: int, total: int, start: int = start, size: int = part.size) -> None:
                self.monitor.progress(phase, start * total + done * size, len(incomplete) * total)

            known, is_known = self._conditions(rows.take(part))
            seed = torch_seed(self.seed_, stream_name, start)
            states = self.model_.sample(known, is_known, n_samples, self.sampling, seed, on_batch)
            hidden = rows.hidden[part]
            for target, found in zip((point, uncertainty, votes), self._aggregate(states), strict=True):
                target[part] = np.where(hidden, found.double().cpu().numpy(), target[part])
            if draws:
                values = self.encoder_.decode(states[:, :draws, : self.encoder_.width]).float()
                kept.append(values.cpu().numpy().swapaxes(0, 1)[:, hidden])
        flags, probability = self._judge(rows, uncertainty, votes) if self.joint else (None, None)
        posterior = Draws.from_samples(np.argwhere(rows.hidden), np.concatenate(kept, axis=1)) if kept else None
        return Imputation(point, flags, probability, posterior, self._diagnostics(uncertainty))

    def _conditions(self, rows: Incomplete) -> tuple[Tensor, Tensor]:
        """What the sampler is given: values and which of them are known, both (r, width).

        The mask is known to be 0 at observed cells and in columns that are no candidates.
        """
        known, is_known = self.encoder_.encode(rows.values), rows.observed[:, self.encoder_.column_of]
        if self.joint:
            known = np.concatenate([known, np.zeros(rows.observed.shape, np.float32)], axis=1)
            is_known = np.concatenate([is_known, rows.observed | ~rows.candidates], axis=1)
        device = self.model_.device
        return torch.from_numpy(known).to(device), torch.from_numpy(is_known).to(device)

    def _aggregate(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Equations 5 and 6 over K of the states (r, >= K, width): values, uncertainty, vote shares, each (r, d)."""
        states = states[:, : self.samples]
        samples = self.encoder_.decode(states[..., : self.encoder_.width]).movedim(1, 0)
        numeric = torch.tensor([column.kind == "continuous" for column in self.columns_], device=states.device)
        point, uncertainty = (
            torch.where(numeric, if_numeric, if_discrete)
            for if_numeric, if_discrete in zip(mean_and_sd(samples), mode_and_entropy(samples), strict=True)
        )
        if not self.joint:
            return point, uncertainty, torch.zeros_like(point)
        return point, uncertainty, (states[..., self.encoder_.width :] > 0.5).double().mean(1)

    def _judge(self, rows: Incomplete, uncertainty: np.ndarray, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flags and P(meaningful), (n, d) each."""
        if self.posterior_ is None:
            return self._flags(rows, uncertainty, votes), np.where(rows.candidates, votes, 0.0)
        probability = self.posterior_.predict(rows)
        return probability > 0.5, probability

    def _flags(self, rows: Incomplete, uncertainty: np.ndarray, votes: np.ndarray) -> np.ndarray:
        """Equation 7 and its ablations: (n, d) bool."""
        uncertain = np.zeros(rows.observed.shape, bool)
        for j in np.flatnonzero(rows.candidates):
            hidden = rows.hidden[:, j]
            uncertain[hidden, j] = uncertainty[hidden, j] >= two_means_threshold(uncertainty[hidden, j])
        voted = votes > 0.5
        flags = {"or": uncertain | voted, "and": uncertain & voted, "uncertainty": uncertain, "vote": voted}
        return flags[self.rule] & rows.hidden & rows.candidates

    def _diagnostics(self, uncertainty: np.ndarray) -> dict[str, Any]:
        return {"uncertainty": uncertainty} | ({} if self.posterior_ is None else self.posterior_.diagnostics())

    def _checkpoint(self, t: int) -> None:
        self.monitor.save(
            {
                "iteration": t,
                "network": {name: w.cpu() for name, w in self.model_.network.state_dict().items()},
                "values": torch.from_numpy(self.state_.values),
                "meaningful": None if self.state_.meaningful is None else torch.from_numpy(self.state_.meaningful),
                "probability": None if not self.joint else torch.from_numpy(self.state_.meaningful_probability),
                "uncertainty": torch.from_numpy(self.state_.diagnostics["uncertainty"]),
            }
        )

    def _resume(self) -> int:
        """Take up the last checkpoint; returns the number of outer iterations that are done."""
        if (kept := self.monitor.restore()) is None:
            return 0
        self.model_.network.load_state_dict(kept["network"])
        self.state_ = Imputation(
            kept["values"].numpy(),
            kept["meaningful"].numpy() if self.joint else None,
            kept["probability"].numpy() if self.joint else None,
            diagnostics=self._diagnostics(kept["uncertainty"].numpy()),
        )
        return kept["iteration"]
