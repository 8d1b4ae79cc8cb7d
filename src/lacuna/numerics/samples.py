"""Aggregation of Monte Carlo samples of a cell (Diff-Joint, equations 5 and 6)."""

from __future__ import annotations

import torch
from torch import Tensor


def mode_and_entropy(samples: Tensor) -> tuple[Tensor, Tensor]:
    """The most frequent value (the smallest of several) and the empirical entropy over the first of dims (K, ...).

    >>> mode, entropy = mode_and_entropy(torch.tensor([[1.0], [2.0], [1.0], [0.0]]))
    >>> mode, entropy
    (tensor([1.]), tensor([1.0397]))
    """
    counts = torch.stack([(samples == one).sum(0) for one in samples])
    mode = torch.where(counts == counts.amax(0), samples, torch.inf).amin(0)
    # averaging log p over the samples is the sum of p log p over the values
    return mode, -(counts / len(samples)).log().mean(0)


def mean_and_sd(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population sd over the first of dims (K, ...)."""
    return samples.mean(0), samples.std(0, correction=0)
