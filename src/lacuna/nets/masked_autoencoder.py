"""The network of CACTI and CMAE: a masked autoencoder whose tokens are the cells of a row."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lacuna.nets.attention import Block, xavier_
from lacuna.nets.denoiser import linear

TOKEN_SD = 0.02  # of fresh learned tokens


def sin_cos(n: int, width: int) -> Tensor:
    """(n, width): sines, then cosines, of each position at frequencies from 1 down to 1 / 10,000.

    >>> sin_cos(3, 4).shape, sin_cos(1, 4)
    (torch.Size([3, 4]), tensor([[0., 0., 1., 1.]]))
    """
    frequencies = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2))
    angles = torch.arange(n)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class MaskedAutoencoder(nn.Module):
    """values (b, d), seen (b, d) bool -> (b, d) in (0, 1), a value for every cell.

    The encoder's tokens attend to the cells that are seen and to a class token; for the decoder, a learned token
    stands for every other cell.

    Args:
        columns: d.
        width: of a token, a multiple of 4 and of ``heads``.
        text: (d, e) embeddings of the column names, which take a quarter of a token; None: the value has all of it.

    >>> network = MaskedAutoencoder(3, width=8, heads=2, mlp_ratio=2, encoder_blocks=1, decoder_blocks=1)
    >>> network.reset(torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 3), torch.ones(5, 3, dtype=torch.bool)).shape
    torch.Size([5, 3])
    """

    text: Tensor | None
    positions: Tensor

    def __init__(
        self,
        columns: int,
        width: int,
        heads: int,
        mlp_ratio: int,
        encoder_blocks: int,
        decoder_blocks: int,
        text: Tensor | None = None,
    ) -> None:
        super().__init__()
        share = 0 if text is None else width // 4
        self.from_value = linear(1, width - share)
        self.from_text = None if text is None else linear(text.shape[1], share)
        self.register_buffer("text", text, persistent=False)
        self.register_buffer("positions", sin_cos(columns + 1, width), persistent=False)
        self.first = nn.Parameter(torch.empty(1, 1, width))  # the class token
        self.blank = nn.Parameter(torch.empty(1, 1, width))
        self.encoder = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(encoder_blocks))
        self.encoder_norm = nn.LayerNorm(width)
        self.hand_over = linear(width, width)
        self.decoder = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(decoder_blocks))
        self.decoder_norm = nn.LayerNorm(width)
        self.head = linear(width, 1)

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights in place."""
        xavier_(self, generator)
        for token in (self.first, self.blank):
            nn.init.normal_(token, std=TOKEN_SD, generator=generator)

    def forward(self, values: Tensor, seen: Tensor) -> Tensor:
        cells = self.from_value(values[..., None])
        if self.from_text is not None and self.text is not None:
            names = self.from_text(self.text)
            cells = torch.cat([cells, names.expand(len(values), -1, -1)], dim=-1)
        first = self.first.expand(len(values), -1, -1)
        tokens = torch.cat([first, cells], dim=1) + self.positions  # (b, 1 + d, width)
        attended = torch.cat([torch.ones_like(seen[:, :1]), seen], dim=1)
        for block in self.encoder:
            tokens = block(tokens, attended)
        passed = self.hand_over(self.encoder_norm(tokens))
        tokens = torch.where(attended[..., None], passed, self.blank) + self.positions
        for block in self.decoder:
            tokens = block(tokens)
        return (torch.tanh(self.head(self.decoder_norm(tokens[:, 1:]))[..., 0]) + 1) / 2
