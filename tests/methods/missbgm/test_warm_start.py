"""The warm start on a table whose one factor is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lacuna.methods.missbgm.model import Generator, Heads
from lacuna.methods.missbgm.settings import WarmStart
from lacuna.methods.missbgm.warm_start import warm_start
from lacuna.nets.perceptron import Perceptron

CPU = torch.device("cpu")
ROWS, COLUMNS = 400, 5


def table() -> tuple[Tensor, Tensor]:
    """A standard normal factor (n,) and rows (n, COLUMNS) that follow it."""
    generator = torch.Generator().manual_seed(1)
    factor = torch.randn(ROWS, generator=generator)
    slopes = torch.tensor([1.5, -1.0, 0.8, 1.2, -0.6])
    return factor, factor[:, None] * slopes + 0.1 * torch.randn(ROWS, COLUMNS, generator=generator)


def started(x: Tensor, iterations: int) -> tuple[Generator, Perceptron]:
    generator = torch.Generator().manual_seed(0)
    g = Generator(1, [24, 24], Heads(COLUMNS, np.array([], dtype=np.intp), CPU), generator, CPU)
    settings = WarmStart(True, iterations, 0.002, [24, 24], [16, 8], [16, 8])
    rng = np.random.default_rng(0)
    return g, warm_start(g, x, settings, 16, generator, generator, rng, lambda iteration, loss: None)


def cycle_error(g: Generator, encoder: Perceptron, x: Tensor) -> float:
    """Of rows that went through the encoder and back, by their variance."""
    back = g.heads.gaussian(g.frozen().forward(encoder.forward(x)[-1])[-1])[0]
    return float((back - x).square().mean() / x.var(0).mean())


def test_the_encoder_finds_the_factor_and_the_generator_the_way_back() -> None:
    factor, x = table()
    g, encoder = started(x, 150)
    z = encoder.forward(x)[-1][:, 0]
    assert abs(float(torch.corrcoef(torch.stack([z, factor]))[0, 1])) > 0.98
    assert 0.6 < float(z.std()) < 1.5  # the critic of z asks for a standard normal
    assert cycle_error(g, encoder, x) < 0.1
    assert cycle_error(*started(x, 1), x) > 0.5
