"""not-MIWAE: Ipsen, Mattei, Frellsen, "not-MIWAE: Deep Generative Modelling with Missing not at Random Data", ICLR
2021.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from lacuna.methods.miwae import MIWAE
from lacuna.nets.autoencoder import Decoded, Family, SelfMasking, VariationalAutoencoder


class NotMIWAE(MIWAE):
    """MIWAE with a model of what is blank: a cell is blank with a probability that is logistic in its own value.

    That is the paper's self-masking of either direction. Numbers are Gaussian given the latent variable and blanks
    are drawn from that; imputations weigh the draws. Categories, which the paper does not have, get a probability of
    being blank for each level.

    Args:
        latent: dimensions of the latent variable; None: one less than coordinates, as in the paper's experiments.
        hidden, layers: of encoder and decoder.
        importance: samples behind the bound of a row.
        iterations, batch, lr: of Adam.
        samples: behind an imputation.
    """

    label = "not-MIWAE"
    family: ClassVar[Family] = "gaussian"
    stream: ClassVar[str] = "notmiwae"

    def __init__(
        self,
        latent: int | None = None,
        hidden: int = 128,
        layers: int = 2,
        importance: int = 20,
        iterations: int = 100_000,
        batch: int = 16,
        lr: float = 1e-3,
        samples: int = 10_000,
        device: str = "auto",
    ) -> None:
        super().__init__(latent, hidden, layers, importance, iterations, batch, lr, samples, device)

    def _network(self, autoencoder: VariationalAutoencoder) -> SelfMasking:
        return SelfMasking(autoencoder)

    def _autoencoder(self, network: nn.Module) -> VariationalAutoencoder:
        assert isinstance(network, SelfMasking)
        return network.autoencoder

    def _noise(self, b: int, k: int, w: int, rng: torch.Generator, device: torch.device) -> Tensor:
        return torch.randn(b, k, w, generator=rng, device=device)

    def _weighed(
        self, network: nn.Module, values: Tensor, levels: Tensor, seen: Tensor, noise: Tensor, blanks: Tensor
    ) -> tuple[Tensor, Decoded]:
        assert isinstance(network, SelfMasking)
        log_weights, decoded = super()._weighed(network, values, levels, seen, noise, blanks)
        of_blanks, given = network.log_likelihood(decoded, values, levels, seen, blanks)
        return log_weights + of_blanks, given
