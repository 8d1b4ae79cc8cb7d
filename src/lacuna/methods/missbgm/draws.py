"""Keeps the draws of the hidden cells, or only their summary where the draws take too much memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lacuna.methods.missbgm.layout import Layout
from lacuna.methods.missbgm.streaming import RunningSummary, summarise
from lacuna.types import Draws, Incomplete

N_WATCHED = 200  # cells whose chains are kept for diagnostics


class DrawKeeper:
    """Takes states (n, width) draw by draw.

    Args:
        rows: whose hidden cells are wanted.
        n_draws: how many draws will come.
        room: bytes that the draws may take; beyond it they are summarised as they come.
        rng: chooses the watched cells.
    """

    def __init__(
        self,
        layout: Layout,
        rows: Incomplete,
        n_draws: int,
        alpha: float,
        room: float,
        device: torch.device,
        rng: np.random.Generator,
    ) -> None:
        self.cells = np.argwhere(rows.hidden)
        self.alpha, self.n_numeric, self.levels = alpha, layout.n_numeric, len(layout.categorical)
        self.max_levels = layout.max_levels
        row, column = self.cells.T
        d = len(rows.columns)
        position = np.argsort(layout.order)[column]  # of each cell's column in the state
        encoder = layout.encoder
        first = np.array([b.start for b in encoder.blocks], dtype=np.intp)[column]
        numeric = position < self.n_numeric
        self.place = torch.from_numpy(row * d + position).to(device)
        self.scale = torch.tensor(np.where(numeric, encoder.sd[first], 1.0), dtype=torch.float32, device=device)
        self.shift = torch.tensor(np.where(numeric, encoder.mean[first], 0.0), dtype=torch.float32, device=device)
        whole = np.array([c.kind == "integer" for c in rows.columns])[column]
        self.whole = torch.from_numpy(whole).to(device) if whole.any() else None
        self.low, self.high = (
            torch.tensor(limit[column], dtype=torch.float32, device=device) for limit in (encoder.low, encoder.high)
        )
        k = len(self.cells)
        self.watched = torch.from_numpy(np.sort(rng.permutation(k)[:N_WATCHED])).to(device)
        self.count = 0
        self.samples, self.summary = None, None
        if 4 * n_draws * k <= room:
            self.samples = torch.empty((n_draws, k), device=device)
        else:
            self.summary = RunningSummary(k, n_draws, alpha, device)

    def take(self, state: Tensor) -> Tensor:
        """Keep a draw; returns its watched cells (w,)."""
        values = self._values(state)
        if self.samples is not None:
            self.samples[self.count] = values
            self.count += 1
        elif self.summary is not None:
            self.summary.add(values)
        return values[self.watched]

    def _values(self, state: Tensor) -> Tensor:
        """(k,) in the units of the table, codes in categorical columns"""
        numeric = state[:, : self.n_numeric]
        if self.levels:
            codes = state[:, self.n_numeric :].unflatten(1, (self.levels, self.max_levels)).argmax(-1)
            numeric = torch.cat([numeric, codes.to(state.dtype)], 1)
        values = numeric.reshape(-1)[self.place] * self.scale + self.shift
        if self.whole is not None:
            rounded = torch.minimum(torch.maximum(values.round(), self.low), self.high)
            values = torch.where(self.whole, rounded, values)
        return values

    def draws(self) -> Draws:
        """The draws that were kept, or their summary."""
        if self.samples is not None and len(self.cells):
            found = summarise(self.samples, self.alpha)
        elif self.summary is not None:
            found = (self.summary.mean, self.summary.sd, self.summary.lower, self.summary.upper)
        else:
            found = (torch.empty(0),) * 4
        mean, sd, lower, upper = (t.double().cpu().numpy() for t in found)
        samples = None if self.samples is None else self.samples.cpu().numpy()
        return Draws(self.cells, mean, sd, lower, upper, self.alpha, samples)
