"""The two networks of GAIN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lacuna.nets.denoiser import linear


class CellwisePerceptron(nn.Module):
    """cells (b, d), of_cells (b, d) -> (b, d) in (0, 1), by two hidden layers of d units.

    As generator: values with noise where hidden, and what is observed -> values. As discriminator: completed
    values, and the hint -> logits of being observed (``logits``).

    >>> network = CellwisePerceptron(3)
    >>> network.reset(torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 3), torch.ones(5, 3)).shape
    torch.Size([5, 3])
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            linear(2 * columns, columns),
            nn.ReLU(),
            linear(columns, columns),
            nn.ReLU(),
            linear(columns, columns),
        )

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights in place: normal, of variance 2 / inputs, without biases."""
        for layer in self.body:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)

    def logits(self, cells: Tensor, of_cells: Tensor) -> Tensor:
        """(b, d)"""
        return self.body(torch.cat([cells, of_cells], dim=1))

    def forward(self, cells: Tensor, of_cells: Tensor) -> Tensor:
        return self.logits(cells, of_cells).sigmoid()
