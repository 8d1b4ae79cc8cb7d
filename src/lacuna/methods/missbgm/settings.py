"""Settings of MissBGM; their values are checked when they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lacuna.backend.training import epochs_within
from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.step_size import RULES, Rule

Momentum = Literal["dense", "batch"]
MOMENTA = ("dense", "batch")


def at_least(low: float, **values: float) -> None:
    """Raise ValueError for the first value below ``low``."""
    for name, value in values.items():
        if not value >= low:
            raise ValueError(f"{name} must be at least {low}, got {value}")


def positive(**values: float) -> None:
    """Raise ValueError for the first value that is not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")


def inside_unit(**values: float) -> None:
    """Raise ValueError for the first value that is not between 0 and 1."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie in (0, 1), got {value}")


def layers(**units: Sequence[int]) -> None:
    """Raise ValueError for the first list that does not hold layer widths."""
    for name, widths in units.items():
        if not widths or min(widths) < 1:
            raise ValueError(f"{name} must be a list of positive widths, got {list(widths)}")


@dataclass(frozen=True)
class Training:
    """Algorithm 1 and its networks."""

    z_dim: int
    epochs: int
    max_batches: int | None
    batch_size: int
    g_units: Sequence[int]
    missingness_units: Sequence[int]
    theta: Adam
    phi: Adam
    use_bnn: bool
    kl_weight: float
    weight_decay: float

    def __post_init__(self) -> None:
        at_least(1, z_dim=self.z_dim, epochs=self.epochs, batch_size=self.batch_size)
        at_least(1, max_batches=1 if self.max_batches is None else self.max_batches)
        at_least(0, kl_weight=self.kl_weight, weight_decay=self.weight_decay)
        positive(lr_theta=self.theta.lr, lr_phi=self.phi.lr)
        layers(g_units=self.g_units, missingness_units=self.missingness_units)

    def epochs_for(self, n_rows: int) -> int:
        """As many as ``max_batches`` allows, at least one."""
        return epochs_within(self.max_batches, self.epochs, self.batch_size, n_rows)


@dataclass(frozen=True)
class LocalSteps:
    """How the rows of a batch move: ``inner`` times a step for z and one for x.

    ``momentum=dense``: momentum moves a row at every step of the optimiser, not only at those of its batch.
    """

    z: Adam
    x: Adam
    inner: int
    clip: float  # norm of a gradient
    momentum: Momentum

    def __post_init__(self) -> None:
        at_least(1, n_inner_steps=self.inner)
        positive(lr_z=self.z.lr, lr_x=self.x.lr, clip_norm=self.clip)
        if self.momentum not in MOMENTA:
            raise ValueError(f"momentum must be one of {', '.join(MOMENTA)}, got {self.momentum!r}")


@dataclass(frozen=True)
class WarmStart:
    """The encoding generative model before Algorithm 1."""

    enabled: bool
    n_iter: int
    lr: float
    e_units: Sequence[int]
    dz_units: Sequence[int]
    dx_units: Sequence[int]

    def __post_init__(self) -> None:
        at_least(1, egm_n_iter=self.n_iter)
        positive(egm_lr=self.lr)
        layers(e_units=self.e_units, dz_units=self.dz_units, dx_units=self.dx_units)


@dataclass(frozen=True)
class ChainSettings:
    """HMC within Gibbs."""

    burn_in: int
    step_size: float  # at the start, of both blocks
    n_leapfrog: int
    adaptation: Rule
    adapt_share: float  # of the burn-in, in which step sizes adapt
    target_acceptance: float

    def __post_init__(self) -> None:
        at_least(0, burn_in=self.burn_in, adapt_share=self.adapt_share)
        at_least(1, n_leapfrog=self.n_leapfrog)
        positive(step_size=self.step_size)
        inside_unit(target_acceptance=self.target_acceptance)
        if self.adapt_share > 1:
            raise ValueError(f"adapt_share must be at most 1, got {self.adapt_share}")
        if self.adaptation not in RULES:
            raise ValueError(f"adaptation must be one of {', '.join(RULES)}, got {self.adaptation!r}")
