"""Which cells of a training row a masked autoencoder gets to see (CACTI: copy masking, median truncation)."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST = 2  # visible cells below which a row is left as it is


def copy_mask(observed: Tensor, donor: Tensor) -> Tensor:
    """Hide what is hidden in another row, unless that leaves fewer than two cells.

    Args:
        observed: (b, d) bool, the rows' own.
        donor: (b, d) bool, the observed cells of the row whose pattern is copied.

    Returns:
        (b, d) bool, visible cells.

    >>> copy_mask(torch.tensor([[True, True, False], [True, True, False]]),
    ...           torch.tensor([[True, False, True], [True, True, True]]))
    tensor([[ True,  True, False],
            [ True,  True, False]])
    """
    both = observed & donor
    return torch.where(both.sum(1, keepdim=True) < LEAST, observed, both)


def truncate(visible: Tensor, keys: Tensor) -> Tensor:
    """(b, d) bool: of each row's visible cells (b, d) at most the batch's median number, those of smallest key.

    >>> visible = torch.tensor([[True, False, False], [True, True, False], [True, True, True]])
    >>> truncate(visible, torch.tensor([0.3, 0.1, 0.2]).expand(3, 3)).sum(1)
    tensor([1, 2, 2])
    """
    counts = visible.sum(1).sort().values
    return smallest(keys, visible, counts[(len(counts) - 1) // 2].expand(len(visible), 1))


def smallest(keys: Tensor, among: Tensor, n: Tensor) -> Tensor:
    """(b, d) bool: the ``n`` (b, 1) cells of smallest key in each row of ``among`` (b, d) bool, or all of them."""
    rank = torch.where(among, keys, torch.inf).argsort(1).argsort(1)
    return among & (rank < n)
