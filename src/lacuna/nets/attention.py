"""Self-attention over the columns of a row, and the pre-norm transformer block made of it."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from lacuna.nets.denoiser import linear
from lacuna.nets.fused_attention import attend_few, serves

# On a GPU the fastest kernel adds gradients up in an order of its own at every run; these give the same numbers again.
REPEATABLE = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def xavier_(module: nn.Module, generator: torch.Generator | None) -> None:
    """Glorot-uniform weights and zero biases for every linear layer in ``module``, in place; fresh normalisations."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.LayerNorm):
            part.reset_parameters()


def attend(qkv: Tensor, heads: int, attended: Tensor | None = None) -> Tensor:
    """``attend_few`` by torch's kernels: for any number of tokens, on any device."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    mask = None if attended is None else attended[:, None, None, :]
    with sdpa_kernel(REPEATABLE) if q.is_cuda and torch.is_grad_enabled() else nullcontext():
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (b, heads, t, width / heads)
    return mixed.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """tokens (b, t, width), attended (b, t) bool or None -> (b, t, width); None attends to every token.

    >>> attention = Attention(width=8, heads=2)
    >>> xavier_(attention, torch.Generator().manual_seed(0))
    >>> attention(torch.zeros(5, 3, 8), torch.ones(5, 3, dtype=torch.bool)).shape
    torch.Size([5, 3, 8])
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        self.heads = heads
        self.qkv = linear(width, 3 * width)
        self.out = linear(width, width)

    def forward(self, tokens: Tensor, attended: Tensor | None = None) -> Tensor:
        qkv = self.qkv(tokens)
        mix = attend_few if serves(qkv, self.heads) else attend
        return self.out(mix(qkv, self.heads, attended))


class Block(nn.Module):
    """tokens (b, t, width), attended (b, t) bool or None -> (b, t, width): attention, then a perceptron, pre-norm.

    >>> block = Block(width=8, heads=2, mlp_ratio=4)
    >>> xavier_(block, torch.Generator().manual_seed(0))
    >>> block(torch.zeros(5, 3, 8)).shape
    torch.Size([5, 3, 8])
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.before_attention, self.before_body = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.body = nn.Sequential(linear(width, mlp_ratio * width), nn.GELU(), linear(mlp_ratio * width, width))

    def forward(self, tokens: Tensor, attended: Tensor | None = None) -> Tensor:
        tokens = tokens + self.attention(self.before_attention(tokens), attended)
        return tokens + self.body(self.before_body(tokens))
