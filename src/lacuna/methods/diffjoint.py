"""Diff-Joint: a diffusion model of values and meaningful-missingness mask that learns what not to impute.

Zhang, Ouyang, Li, Zhu, Cheng, Xie: "Learning What Not to Impute". Equation and algorithm numbers are the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from torch import Tensor

from lacuna.backend.training import Schedule
from lacuna.methods.diffusion import Precision, SamplerSettings
from lacuna.methods.iterative_diffusion import Estimates, IterativeDiffusion, Samples
from lacuna.methods.selective import MeaningfulPosterior
from lacuna.numerics.clustering import two_means_threshold
from lacuna.rng import stream, torch_seed
from lacuna.types import Imputation, Incomplete

Rule = Literal["or", "and", "uncertainty", "vote", "propensity"]
RULES = ("or", "and", "uncertainty", "vote", "propensity")


class DiffJoint(IterativeDiffusion):
    """Selective imputation by a joint diffusion over [x, c].

    Algorithm 1 is the loop of ``IterativeDiffusion``; this class has the joint state, its start and Algorithm 4.

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
        sampling = SamplerSettings(steps, repeats, sigma_min, sigma_max, rho, churn)
        schedule = Schedule(epochs, batch, lr, plateau=plateau, patience=patience)
        super().__init__(iterations, samples, sampling, schedule, hidden, precision, device)
        self.rule, self.joint = rule, joint

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.posterior_ = MeaningfulPosterior().fit(train, seed) if self.joint and self.rule == "propensity" else None
        super()._fit(train, seed)
        if self.iterations == 0:
            self.model_.network.reset(self.model_.generator.manual_seed(torch_seed(seed, "untrained")))
            self.state_ = self._update_state(train, "state 0", "sampling from an untrained network")

    def _start(self, train: Incomplete, seed: int) -> Imputation:
        """Every hidden cell uniform over the observed values of its column (categories: levels), no flag."""
        rng = stream(seed, "start")
        values = train.values.copy()  # line 1 of Algorithm 1
        for j, column in enumerate(train.columns):
            support = train.values[train.observed[:, j], j]
            if column.kind == "categorical":
                support = np.unique(support)
            hidden = train.hidden[:, j]
            values[hidden, j] = rng.choice(support, hidden.sum())
        return Imputation(values, np.zeros(train.observed.shape, bool) if self.joint else None)  # line 2

    def _encoded(self, state: Imputation) -> np.ndarray:
        """s = [encoded x, raw 0/1 mask]"""
        x = super()._encoded(state)
        if not self.joint:
            return x
        assert state.meaningful is not None
        return np.concatenate([x, state.meaningful.astype(np.float32)], axis=1)

    def _known(self, rows: Incomplete) -> tuple[np.ndarray, np.ndarray]:
        """The mask is known to be 0 at observed cells and in columns that are no candidates."""
        known, is_known = super()._known(rows)
        if not self.joint:
            return known, is_known
        mask, is_known_mask = np.zeros(rows.observed.shape, np.float32), rows.observed | ~rows.candidates
        return np.concatenate([known, mask], axis=1), np.concatenate([is_known, is_known_mask], axis=1)

    def _estimate(self, samples: Samples) -> tuple[Tensor, ...]:
        """Equations 5 and 6; the share of the sampled masks that are 1, for the vote of equation 7."""
        found = self._point_and_uncertainty(samples)
        if not self.joint:
            return found
        masks = samples.states[..., self.encoder_.width :] > 0.5
        return *found, masks.double().mean(1)

    def _aggregate(self, rows: Incomplete, samples: Iterable[Samples], draws: int) -> Imputation:
        """Algorithm 4."""
        found = self._estimates(rows, samples, draws)  # lines 1 to 5
        flags, probability = self._judge(rows, found) if self.joint else (None, None)  # lines 6 to 13
        return Imputation(found.values, flags, probability, found.draws, self._diagnostics(found.uncertainty))

    def _judge(self, rows: Incomplete, found: Estimates) -> tuple[np.ndarray, np.ndarray]:
        """Flags and P(meaningful), (n, d) each."""
        if self.posterior_ is None:
            flags = self._flags(rows, found.uncertainty, found.votes)
            return flags, np.where(rows.candidates, found.votes, 0.0)
        probability = self.posterior_.predict(rows)
        return probability > 0.5, probability

    def _flags(self, rows: Incomplete, uncertainty: np.ndarray, votes: np.ndarray) -> np.ndarray:
        """Equation 7 and its ablations: (n, d) bool."""
        in_high_cluster = np.zeros(rows.observed.shape, bool)
        for j in np.flatnonzero(rows.candidates):  # line 6 of Algorithm 4
            hidden = rows.hidden[:, j]  # line 7
            u = uncertainty[hidden, j]
            in_high_cluster[hidden, j] = u >= two_means_threshold(u)  # lines 8 and 9
        voted = votes > 0.5
        flags = {
            "or": in_high_cluster | voted,
            "and": in_high_cluster & voted,
            "uncertainty": in_high_cluster,
            "vote": voted,
        }
        return flags[self.rule] & rows.hidden & rows.candidates  # lines 10 to 12

    def _diagnostics(self, uncertainty: np.ndarray) -> dict[str, Any]:
        found = super()._diagnostics(uncertainty)
        return found if self.posterior_ is None else found | self.posterior_.diagnostics()
