"""MIWAE: Mattei, Frellsen, "MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets", ICML 2019."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lacuna.backend import training
from lacuna.backend.device import pick
from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.nets.autoencoder import Decoded, Family, SelfMasking, VariationalAutoencoder, log_ratio
from lacuna.rng import torch_seed, torch_stream
from lacuna.types import Draws, Imputation, Incomplete

NUMBERS_AT_ONCE = {"cpu": 2**22, "cuda": 2**27}  # of one hidden layer
TINY = 1e-6  # keeps uniform numbers off 0 and 1


class MIWAE(Method):
    """A variational autoencoder trained by importance weighting on what each row shows.

    Numbers are standardised and Student t given the latent variable, as in the authors' code; categories, which it
    does not know, are categorical. The point imputation is a mean over importance samples, or the likeliest level;
    draws are samples taken again with their weights.

    Args:
        latent: dimensions of the latent variable; None: one less than coordinates.
        hidden, layers: of encoder and decoder.
        importance: samples behind the bound of a row.
        iterations, batch, lr: of Adam.
        samples: behind an imputation.
    """

    label = "MIWAE"
    inductive: ClassVar[bool] = False  # rows share one stream of noise
    family: ClassVar[Family] = "student"
    stream: ClassVar[str] = "miwae"

    def __init__(
        self,
        latent: int | None = 10,
        hidden: int = 128,
        layers: int = 3,
        importance: int = 20,
        iterations: int = 500_000,
        batch: int = 64,
        lr: float = 1e-3,
        samples: int = 10_000,
        device: str = "auto",
    ) -> None:
        counts = {"hidden": hidden, "layers": layers, "importance": importance, "iterations": iterations}
        for name, count in (counts | {"batch": batch, "samples": samples, "latent": latent or 1}).items():
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        self.latent, self.hidden, self.layers, self.importance = latent, hidden, layers, importance
        self.iterations, self.batch, self.lr, self.samples, self.device = iterations, batch, lr, samples, device

    def _fit(self, train: Incomplete, seed: int) -> None:
        device = pick(self.device)
        self.seed_, self.encoder_ = seed, Encoder.fit(train)
        category = np.cumsum([c.discrete for c in train.columns]) - 1
        block_of = [int(category[j]) if train.columns[j].discrete else -1 for j in self.encoder_.column_of]
        w, k = len(block_of), self.importance
        latent = self.latent or max(1, w - 1)
        autoencoder = VariationalAutoencoder(block_of, latent, self.hidden, self.layers, self.family)
        self.network_ = self._network(autoencoder).to(device)
        cells = self._encoded(train)
        weights, rng = (torch_stream(seed, self.stream, name, device=device) for name in ("weights", "training"))
        epochs = training.epochs_within(self.iterations, self.iterations, self.batch, len(train))
        plan = training.Plan((self.lr,) * epochs, self.batch)

        def examples(rows: Tensor) -> tuple[Tensor, ...]:
            noise = torch.randn(len(rows), k, latent, generator=rng, device=device)
            return *(part[rows] for part in cells), noise, self._noise(len(rows), k, w, rng, device)

        def loss(network: nn.Module, *example: Tensor) -> Tensor:
            log_weights, _ = self._weighed(network, *example)
            return -(log_weights.logsumexp(1) - np.log(k)).mean()

        training.train(
            self.network_,
            examples,
            loss,
            len(train),
            plan,
            rng,
            reset=lambda: self.network_.reset(weights),
            on_epoch=lambda epoch, loss: self.monitor.progress("training", epoch, epochs, loss=loss),
        )

    def _network(self, autoencoder: VariationalAutoencoder) -> VariationalAutoencoder | SelfMasking:
        """All that is trained, the autoencoder among it."""
        return autoencoder

    def _autoencoder(self, network: nn.Module) -> VariationalAutoencoder:
        assert isinstance(network, VariationalAutoencoder)
        return network

    def _noise(self, b: int, k: int, w: int, rng: torch.Generator, device: torch.device) -> Tensor:
        """(b, ., .) for blanks that the bound fills in; here none."""
        return torch.zeros(b, 0, 0, device=device)

    def _weighed(
        self, network: nn.Module, values: Tensor, levels: Tensor, seen: Tensor, noise: Tensor, blanks: Tensor
    ) -> tuple[Tensor, Decoded]:
        """Log importance weights (b, k), and the distribution of blanks given z."""
        net = self._autoencoder(network)
        mean, log_variance = net.encode(values)
        z = mean[:, None] + (0.5 * log_variance).exp()[:, None] * noise
        decoded = net.decode(z)
        return net.log_likelihood(decoded, values, levels, seen) + log_ratio(z, mean, log_variance), decoded

    @torch.no_grad()
    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values, incomplete = rows.values.copy(), np.flatnonzero(rows.hidden.any(1))
        device, net = next(self.network_.parameters()).device, self._autoencoder(self.network_)
        at_once = max(1, NUMBERS_AT_ONCE[device.type] // (self.samples * max(self.hidden, 3 * self.encoder_.width)))
        kept = [np.empty((draws, 0))]
        for start in range(0, len(incomplete), at_once):
            part = incomplete[start : start + at_once]
            some = rows.take(part)
            rng = torch.Generator(device).manual_seed(torch_seed(self.seed_, self.stream, "samples", start))
            shape = (len(part), self.samples, self.encoder_.width)
            noise = torch.randn(*shape[:2], net.latent, generator=rng, device=device)
            blanks = self._noise(*shape, rng, device)
            log_weights, decoded = self._weighed(self.network_, *self._encoded(some), noise, blanks)
            weights = log_weights.softmax(1)
            values[part] = self._decoded((weights[..., None] * net.mean(decoded)).sum(1))
            if draws:
                chosen = torch.multinomial(weights, draws, replacement=True, generator=rng)
                chosen = chosen[..., None].expand(-1, -1, shape[2])
                again = decoded.at(chosen)
                normal = torch.randn(chosen.shape, generator=rng, device=device)
                uniform = torch.rand(chosen.shape, generator=rng, device=device).clamp(TINY, 1 - TINY)
                drawn = self._decoded(net.sample(again, normal, uniform).transpose(0, 1))
                kept.append(drawn[:, some.hidden])
            self.monitor.progress("imputing", start + len(part), len(incomplete))
        if not draws:
            return Imputation(values)
        return Imputation(values, draws=Draws.from_samples(np.argwhere(rows.hidden), np.concatenate(kept, axis=1)))

    def _encoded(self, rows: Incomplete) -> tuple[Tensor, Tensor, Tensor]:
        """Standardised values, 0 where hidden; levels as 0 and 1; which are seen, bool; (n, w) each."""
        encoder = self.encoder_
        values, seen = encoder.encode(rows.values), rows.observed[:, encoder.column_of]
        levels = np.where(seen, np.round(values * encoder.sd + encoder.mean), 0).astype(np.float32)
        device = next(self.network_.parameters()).device
        return tuple(torch.from_numpy(part).to(device) for part in (values, levels, seen))  # type: ignore[return-value]

    def _decoded(self, found: Tensor) -> np.ndarray:
        """Values (..., d) of standardised numbers and probabilities of levels (..., w)."""
        encoder, net = self.encoder_, self._autoencoder(self.network_)
        mean, sd = (torch.from_numpy(x).to(found) for x in (encoder.mean, encoder.sd))
        return encoder.decode(torch.where(net.numeric, found, (found - mean) / sd)).cpu().numpy()
