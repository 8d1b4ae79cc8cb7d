"""ReMasker: Du, Melis, Wang, "ReMasker: Imputing Tabular Data with Masked Autoencoding", ICLR 2024."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from lacuna.methods.cacti import CACTI
from lacuna.numerics.copy_masking import smallest


class ReMasker(CACTI):
    """A masked autoencoder that hides observed cells again, at random, and learns to restore them.

    The network is that of CACTI, which builds on it, without column names. A row shows at most ``1 - mask_ratio`` of
    all columns; the official code fills a row that has fewer up with its hidden cells, as zeros, and this one does not.

    Args:
        mask_ratio: share of the columns that are not shown.
        width, heads, mlp_ratio, encoder_blocks, decoder_blocks: of the network.
        epochs, batch, lr, weight_decay: of AdamW; ``max_batches`` cuts epochs short on large tables.
        warm_up: of the epochs, those of linear warm-up from ``lr_least``, to which a cosine then leads back.
    """

    stream: ClassVar[str] = "remasker"

    def __init__(
        self,
        mask_ratio: float = 0.5,
        width: int = 32,
        heads: int = 4,
        mlp_ratio: int = 4,
        encoder_blocks: int = 6,
        decoder_blocks: int = 4,
        epochs: int = 600,
        max_batches: int | None = None,
        batch: int = 64,
        lr: float = 1e-3,
        lr_least: float = 1e-5,
        warm_up: int = 40,
        weight_decay: float = 0.01,
        device: str = "auto",
    ) -> None:
        super().__init__(
            None,
            mask_ratio,
            width,
            heads,
            mlp_ratio,
            encoder_blocks,
            decoder_blocks,
            epochs,
            max_batches,
            batch,
            lr,
            lr_least,
            warm_up,
            weight_decay,
            clip=None,
            device=device,
        )

    @property
    def label(self) -> str:  # type: ignore[override]
        return "ReMasker"

    def _visible(self, observed: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        return observed[rows]

    def _shown(self, visible: Tensor, keys: Tensor) -> Tensor:
        kept = torch.full_like(keys[:, :1], int(visible.shape[1] * (1 - self.mask_ratio)))
        return smallest(keys, visible, kept)
