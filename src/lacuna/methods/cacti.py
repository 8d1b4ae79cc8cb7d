"""CACTI and CMAE: masked autoencoders that learn from the table's own patterns of blanks.

Gorla, Wang, Liu, An, Sankararaman: "CACTI: Leveraging Copy Masking and Contextual Information to Improve Tabular
Data Imputation", ICML 2025. CMAE is CACTI without the text of the column names.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lacuna.backend import training
from lacuna.backend.device import matmul_precision, pick
from lacuna.encoding import UnitScale
from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.nets.masked_autoencoder import MaskedAutoencoder
from lacuna.numerics.copy_masking import copy_mask, truncate
from lacuna.rng import torch_stream
from lacuna.types import Column, Imputation, Incomplete, Problem

SHIPPED = Path(__file__).with_name("column_embeddings.npz")
TOKENS_AT_ONCE = {"cpu": 2**15, "cuda": 2**20}  # of rows imputed together: some hundred numbers each


class CACTI(Method):
    """A transformer over a row's cells that fills in those it was not shown.

    Hidden cells are padding that no token attends to. Categories enter by their codes and are rounded to the nearest.

    Args:
        column_embeddings: an .npz that ``scripts/embed_columns.py`` wrote; ``shipped`` is the one that comes with
            the package and knows the columns of its data sets; None does without the names (CMAE).
        mask_ratio: share of the rows that copy another row's blanks in an epoch.
        width, heads, mlp_ratio, encoder_blocks, decoder_blocks: of the network.
        epochs, batch, lr, weight_decay, clip: of AdamW; ``max_batches`` cuts epochs short on large tables.
        warm_up: of the epochs, those of linear warm-up from ``lr_least``, to which a cosine then leads back.
    """

    stream: ClassVar[str] = "cacti"  # of random numbers

    def __init__(
        self,
        column_embeddings: str | None = "shipped",
        mask_ratio: float = 0.9,
        width: int = 64,
        heads: int = 8,
        mlp_ratio: int = 4,
        encoder_blocks: int = 10,
        decoder_blocks: int = 4,
        epochs: int = 300,
        max_batches: int | None = None,
        batch: int = 128,
        lr: float = 1e-3,
        lr_least: float = 5e-6,
        warm_up: int = 50,
        weight_decay: float = 1e-3,
        clip: float | None = 5.0,
        device: str = "auto",
    ) -> None:
        if epochs < 1 or batch < 1:
            raise ValueError(f"need at least one epoch and row, got {epochs} and {batch}")
        if width % 4 or width % heads:
            raise ValueError(
                f"width must be a multiple of 4 (a quarter is the column's name) and of heads, got {width}"
            )
        if warm_up < 0 or not 0 < lr_least <= lr:
            raise ValueError(f"need warm_up >= 0 and 0 < lr_least <= lr, got {warm_up}, {lr_least} and {lr}")
        if not 0 <= mask_ratio <= 1:
            raise ValueError(f"mask_ratio must lie in [0, 1], got {mask_ratio}")
        self.column_embeddings, self.mask_ratio, self.device = column_embeddings, mask_ratio, device
        self.shape = {
            "width": width,
            "heads": heads,
            "mlp_ratio": mlp_ratio,
            "encoder_blocks": encoder_blocks,
            "decoder_blocks": decoder_blocks,
        }
        self.epochs, self.max_batches, self.warm_up = epochs, max_batches, warm_up
        self.lr, self.lr_least = lr, lr_least
        self.batch, self.weight_decay, self.clip = batch, weight_decay, clip

    def _plan(self, n_rows: int) -> training.Plan:
        """Epochs that are cut short keep their share of warm-up."""
        epochs = training.epochs_within(self.max_batches, self.epochs, self.batch, n_rows)
        rates = warm_then_cosine(epochs, self.warm_up * epochs // self.epochs, self.lr, self.lr_least)
        return training.Plan(
            rates, self.batch, (0.9, 0.95), weight_decay=self.weight_decay, decoupled=True, clip=self.clip
        )

    @property
    def label(self) -> str:  # type: ignore[override]
        return "CACTI" if self.column_embeddings else "CMAE"

    def unsupported(self, problem: Problem) -> str | None:
        try:
            self._text(problem.train.columns)
        except UserError as error:
            return str(error)
        return None

    def _text(self, columns: tuple[Column, ...]) -> Tensor | None:
        """(d, e) embeddings of the column names; None for CMAE.

        Raises:
            UserError: there is no such file, or it lacks a column.
        """
        if self.column_embeddings is None:
            return None
        path = SHIPPED if self.column_embeddings == "shipped" else Path(self.column_embeddings)
        how = "write them with `python scripts/embed_columns.py TABLE --out FILE.npz` and set method.column_embeddings"
        try:
            with np.load(path, allow_pickle=False) as kept:
                known = dict(zip(kept["names"].tolist(), kept["embeddings"].astype(np.float32), strict=True))
        except (OSError, KeyError, ValueError) as error:
            raise UserError(f"no column embeddings in {path} ({type(error).__name__}): {how}") from None
        if unknown := [column.name for column in columns if column.name not in known]:
            raise UserError(f"no embedding of column {unknown[0]!r} in {path.name}: {how}, or take method=cmae")
        return torch.from_numpy(np.stack([known[column.name] for column in columns]))

    def _fit(self, train: Incomplete, seed: int) -> None:
        device = pick(self.device)
        self.scale_ = UnitScale.fit(train)
        n, d = train.values.shape
        self.network_ = MaskedAutoencoder(d, **self.shape, text=self._text(train.columns)).to(device)
        all_values, all_observed = self._encoded(train)
        plan = self._plan(n)
        weights, generator = (torch_stream(seed, self.stream, name, device=device) for name in ("weights", "training"))

        def examples(rows: Tensor) -> tuple[Tensor, ...]:
            visible = self._visible(all_observed, rows, generator)
            keys = torch.rand(len(rows), d, generator=generator, device=device)
            return all_values[rows], all_observed[rows], visible, keys

        def loss(network: nn.Module, values: Tensor, observed: Tensor, visible: Tensor, keys: Tensor) -> Tensor:
            seen = self._shown(visible, keys)
            errors = (network(values * seen, seen) - values).square()
            return _mean(errors, seen) + _mean(errors, observed & ~seen)

        with matmul_precision("tf32"):  # in such small batches two of five kernels would be casts to bf16
            training.train(
                self.network_,
                examples,
                loss,
                n,
                plan,
                generator,
                reset=lambda: self.network_.reset(weights),
                on_epoch=lambda epoch, loss: self.monitor.progress("training", epoch, plan.epochs, loss=loss),
            )

    def _visible(self, observed: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """(b, d) bool: the cells of ``rows`` (b,) that training may show; ``observed`` (n, d) is of all rows."""
        n, b, device = len(observed), len(rows), observed.device
        donors = (rows + torch.randint(1, max(n, 2), (b,), generator=generator, device=device)) % n
        own = torch.rand(b, 1, generator=generator, device=device)
        return copy_mask(observed[rows], observed[donors] | (own >= self.mask_ratio))

    def _shown(self, visible: Tensor, keys: Tensor) -> Tensor:
        """(b, d) bool: the cells of a batch that training shows, of those ``visible``, by random keys (b, d)."""
        return truncate(visible, keys)

    @torch.no_grad()
    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values = rows.values.copy()
        incomplete = np.flatnonzero(rows.hidden.any(1))
        device = next(self.network_.parameters()).device
        at_once = max(1, TOKENS_AT_ONCE[device.type] // (1 + values.shape[1]))
        for start in range(0, len(incomplete), at_once):
            part = incomplete[start : start + at_once]
            predicted = self.network_(*self._encoded(rows.take(part)))
            values[part] = self.scale_.decode(predicted.cpu().numpy())
            self.monitor.progress("imputing", start + len(part), len(incomplete))
        return Imputation(values)

    def _encoded(self, rows: Incomplete) -> tuple[Tensor, Tensor]:
        """Values (n, d), 0 where hidden, and what is observed (n, d) bool, on the network's device."""
        device = next(self.network_.parameters()).device
        return torch.from_numpy(self.scale_.encode(rows.values)).to(device), torch.from_numpy(rows.observed).to(device)


def warm_then_cosine(epochs: int, warm_up: int, lr: float, least: float) -> tuple[float, ...]:
    """The learning rate of each epoch: linear from ``least`` to ``lr`` in ``warm_up`` epochs, then a cosine back.

    Both curves are read in the middle of the epoch, so that even a single epoch has a rate to learn with.

    >>> [round(rate, 2) for rate in warm_then_cosine(6, 2, 1.0, 0.0)]
    [0.25, 0.75, 0.96, 0.69, 0.31, 0.04]
    """

    def rate(epoch: int) -> float:
        middle = epoch + 0.5
        if middle < warm_up:
            return least + (lr - least) * middle / warm_up
        return least + (lr - least) * (1 + math.cos(math.pi * (middle - warm_up) / (epochs - warm_up))) / 2

    return tuple(rate(epoch) for epoch in range(epochs))


def _mean(errors: Tensor, cells: Tensor) -> Tensor:
    """The mean of ``errors`` over ``cells``, both (b, d); 0 where there are none."""
    return (errors * cells).sum() / cells.sum().clamp(min=1)
