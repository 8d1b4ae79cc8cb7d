"""The network of CACTI and CMAE: a masked autoencoder whose tokens are the cells of a row."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lacuna.nets.attention import Block, xavier_
from lacuna.nets.denoiser import initialise, linear

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
        text: (d, e) embeddings of the column names, which take a quarter of a cell's token in the encoder and again
            in the decoder; None: the value has all of it.

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
        self.from_text, self.from_text_again, self.narrow = None, None, None
        if text is not None:
            self.from_text, self.from_text_again = (linear(text.shape[1], share) for _ in range(2))
            self.narrow = linear(width, width - share)
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
        initialise(self.from_value, 1, generator)  # wider: values differ by less than their positions do
        for token in (self.first, self.blank):
            nn.init.normal_(token, std=TOKEN_SD, generator=generator)

    def forward(self, values: Tensor, seen: Tensor) -> Tensor:
        cells = self._named(self.from_value(values[..., None]), self.from_text) + self.positions[1:]  # (b, d, width)
        columns = _seen_first(seen)
        places = columns[..., None].expand(-1, -1, cells.shape[-1])
        first = (self.first + self.positions[:1]).expand(len(values), -1, -1)
        tokens = torch.cat([first, cells.gather(1, places)], dim=1)
        attended = torch.cat([torch.ones_like(seen[:, :1]), seen.gather(1, columns)], dim=1)
        for block in self.encoder:
            tokens = block(tokens, attended)
        passed = self.hand_over(self.encoder_norm(tokens))
        cells = torch.zeros_like(passed[:, :1]).expand_as(cells).scatter(1, places, passed[:, 1:])
        cells = torch.where(seen[..., None], cells, self.blank)
        if self.narrow is not None:
            cells = self._named(self.narrow(cells), self.from_text_again)
        tokens = torch.cat([passed[:, :1], cells], dim=1) + self.positions
        for block in self.decoder:
            tokens = block(tokens)
        return (torch.tanh(self.head(self.decoder_norm(tokens[:, 1:]))[..., 0]) + 1) / 2

    def _named(self, cells: Tensor, from_text: nn.Module | None) -> Tensor:
        """Cells (b, d, .) with what ``from_text`` makes of their columns' names behind, (b, d, width)."""
        if from_text is None:
            return cells
        return torch.cat([cells, from_text(self.text).expand(len(cells), -1, -1)], dim=-1)


def _seen_first(seen: Tensor) -> Tensor:
    """(b, k) column numbers that hold all cells seen in each of the rows (b, d), those first.

    k is as small as can be on a CPU; on a GPU it is d, so that no shape depends on what is seen.
    """
    k = seen.shape[1] if seen.is_cuda else int(seen.sum(1).max())
    return seen.int().argsort(1, descending=True)[:, :k]
