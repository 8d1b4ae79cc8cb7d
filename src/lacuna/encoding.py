"""Mixed columns <-> floats for the neural methods, fitted on observed training cells."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from lacuna.types import Column, Incomplete, where

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class _Blocks:
    """Which of ``width`` coordinates belong to which of ``d`` columns."""

    columns: tuple[Column, ...]
    blocks: tuple[slice, ...]  # d: the coordinates of each column

    @property
    def width(self) -> int:
        return self.blocks[-1].stop

    @property
    def column_of(self) -> np.ndarray:
        """(width,) index of the column each coordinate belongs to"""
        return np.repeat(np.arange(len(self.columns)), [b.stop - b.start for b in self.blocks])


@dataclass(frozen=True)
class Encoder(_Blocks):
    """One coordinate for a numeric column, one per level for a categorical one, each standardised.

    ``width`` encoded coordinates for ``d`` columns; ``encoded = scale * (raw - mean) / sd``.
    """

    mean: np.ndarray  # (width,)
    sd: np.ndarray  # (width,), 1 where the observed cells are constant
    low: np.ndarray  # (d,) smallest observed value
    high: np.ndarray  # (d,) largest observed value
    scale: float

    @classmethod
    def fit(cls, train: Incomplete, scale: float = 1.0) -> Self:
        """``scale`` multiplies the standardised coordinates: their sd in the training data."""
        blocks = _consecutive([c.n_levels or 1 for c in train.columns])
        raw = _one_hot(train.columns, blocks, train.values)
        sd = np.nanstd(raw, axis=0)
        low, high = np.nanmin(train.values, axis=0), np.nanmax(train.values, axis=0)
        return cls(train.columns, blocks, np.nanmean(raw, axis=0), np.where(sd > 0, sd, 1.0), low, high, scale)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Values (n, d) with NaN where hidden -> float32 (n, width); hidden cells become 0, their mean."""
        raw = _one_hot(self.columns, self.blocks, values)
        return np.nan_to_num(self.scale * (raw - self.mean) / self.sd).astype(np.float32)

    def decode(self, encoded: Tensor) -> Tensor:
        """Encoded (..., width) -> float64 values (..., d), on the same device.

        The arg max of a categorical block; integers rounded and clipped to the observed range; the one value that a
        column was seen to have.
        """
        import torch

        mean, sd = (torch.from_numpy(a).to(encoded.device) for a in (self.mean, self.sd))
        raw = encoded.double() / self.scale * sd + mean
        values = torch.empty(*raw.shape[:-1], len(self.columns), dtype=raw.dtype, device=raw.device)
        for j, (column, block) in enumerate(zip(self.columns, self.blocks, strict=True)):
            if column.kind == "categorical":
                values[..., j] = raw[..., block].argmax(-1)
            elif column.kind == "integer":
                values[..., j] = raw[..., block.start].round().clamp(self.low[j], self.high[j])
            else:
                values[..., j] = raw[..., block.start] if self.high[j] > self.low[j] else self.low[j]
        return values

    def decode_array(self, encoded: np.ndarray) -> np.ndarray:
        """``decode`` of numpy's arrays, without torch."""
        raw = encoded / self.scale * self.sd + self.mean
        values = np.empty((*raw.shape[:-1], len(self.columns)))
        for j, (column, block) in enumerate(zip(self.columns, self.blocks, strict=True)):
            values[..., j] = raw[..., block].argmax(-1) if column.discrete else raw[..., block.start]
            if column.kind == "integer" or self.high[j] == self.low[j]:
                values[..., j] = values[..., j].round().clip(self.low[j], self.high[j])
        return values


@dataclass(frozen=True)
class UnitScale:
    """One coordinate for every column, its observed training cells spread over [0, 1]; categories by their codes."""

    columns: tuple[Column, ...]
    low: np.ndarray  # (d,) smallest observed value
    high: np.ndarray  # (d,) largest observed value

    @classmethod
    def fit(cls, train: Incomplete) -> Self:
        return cls(train.columns, np.nanmin(train.values, axis=0), np.nanmax(train.values, axis=0))

    @property
    def span(self) -> np.ndarray:
        """(d,), 1 where the observed cells are constant"""
        return np.where(self.high > self.low, self.high - self.low, 1.0)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Values (n, d) with NaN where hidden -> float32 (n, d); hidden cells become 0."""
        return np.nan_to_num((values - self.low) / self.span).astype(np.float32)

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """(..., d) -> float64 values (..., d) within the observed range; integers and codes rounded."""
        raw = np.clip(self.low + encoded.astype(np.float64) * self.span, self.low, self.high)
        return np.where(~where(self.columns, kind="continuous"), np.round(raw), raw)


@dataclass(frozen=True)
class AnalogBits(_Blocks):
    """One standardised coordinate for a numeric column, -1 or 1 for each binary digit of a category's code.

    ``width`` encoded coordinates for ``d`` columns. Chen, Zhang, Hinton, "Analog Bits", 2023.
    """

    mean: np.ndarray  # (d,) of observed training cells
    sd: np.ndarray  # (d,), 1 where they are constant
    low: np.ndarray  # (d,) smallest observed value
    high: np.ndarray  # (d,) largest observed value

    @classmethod
    def fit(cls, train: Incomplete) -> Self:
        blocks = _consecutive([max(1, (c.n_levels - 1).bit_length()) if c.discrete else 1 for c in train.columns])
        low, high = np.nanmin(train.values, axis=0), np.nanmax(train.values, axis=0)
        sd = np.nanstd(train.values, axis=0)
        return cls(train.columns, blocks, np.nanmean(train.values, axis=0), np.where(sd > 0, sd, 1.0), low, high)

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest encoded value of the observed training cells, (width,) float32 each."""
        discrete, column = where(self.columns, kind="categorical")[self.column_of], self.column_of
        ends = [((end - self.mean) / self.sd)[column] for end in (self.low, self.high)]
        low, high = (np.where(discrete, bit, end).astype(np.float32) for bit, end in zip((-1, 1), ends, strict=True))
        return low, high

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Values (n, d) with NaN where hidden -> float32 (n, width); hidden cells become 0."""
        raw = np.empty((len(values), self.width))
        for j, (column, block) in enumerate(zip(self.columns, self.blocks, strict=True)):
            cells = values[:, j : j + 1]
            if column.discrete:
                digits = np.nan_to_num(cells).astype(np.int64) >> np.arange(block.stop - block.start) & 1
                raw[:, block] = np.where(np.isnan(cells), np.nan, 2 * digits - 1)
            else:
                raw[:, block] = (cells - self.mean[j]) / self.sd[j]
        return np.nan_to_num(raw).astype(np.float32)

    def decode(self, encoded: Tensor) -> Tensor:
        """Encoded (..., width) -> float64 values (..., d), on the same device.

        Digits by their sign, codes past the last level become the last; integers rounded and clipped to the
        observed range.
        """
        import torch

        raw = encoded.double()
        values = torch.empty(*raw.shape[:-1], len(self.columns), dtype=raw.dtype, device=raw.device)
        for j, (column, block) in enumerate(zip(self.columns, self.blocks, strict=True)):
            if column.discrete:
                weights = 2.0 ** torch.arange(block.stop - block.start, device=raw.device)
                values[..., j] = ((raw[..., block] > 0) * weights).sum(-1).clamp(max=column.n_levels - 1)
                continue
            values[..., j] = raw[..., block.start] * self.sd[j] + self.mean[j]
            if column.kind == "integer":
                values[..., j] = values[..., j].round().clamp(self.low[j], self.high[j])
        return values


def _consecutive(widths: list[int]) -> tuple[slice, ...]:
    """Slices of these widths, one after the other."""
    edges = np.concatenate([[0], np.cumsum(widths)])
    return tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(edges))


def _one_hot(columns: tuple[Column, ...], blocks: tuple[slice, ...], values: np.ndarray) -> np.ndarray:
    """Values (n, d) -> unstandardised coordinates (n, width), NaN where the value is."""
    raw = np.empty((len(values), blocks[-1].stop))
    for j, (column, block) in enumerate(zip(columns, blocks, strict=True)):
        cells = values[:, j : j + 1]
        raw[:, block] = cells
        if column.kind == "categorical":
            raw[:, block] = np.where(np.isnan(cells), np.nan, cells == np.arange(column.n_levels))
    return raw
