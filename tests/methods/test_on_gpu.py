"""The neural methods on a GPU: the same numbers for the same seed, and as good as on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lacuna.methods.base import Method
from lacuna.methods.cacti import CACTI
from lacuna.methods.gain import GAIN
from lacuna.methods.miwae import MIWAE
from lacuna.methods.notmiwae import NotMIWAE
from lacuna.methods.remasker import ReMasker
from lacuna.methods.tabcsdi import TabCSDI


def small(name: str, device: str) -> Method:
    network: dict[str, Any] = {"width": 32, "heads": 2, "encoder_blocks": 2, "decoder_blocks": 1}
    if name == "cmae":
        return CACTI(None, **network, epochs=40, warm_up=4, batch=64, lr=3e-3, device=device)
    if name == "gain":
        return GAIN(iterations=1500, device=device)
    if name == "remasker":
        return ReMasker(**network, epochs=60, warm_up=4, lr=3e-3, device=device)
    if name in ("miwae", "notmiwae"):
        kind = MIWAE if name == "miwae" else NotMIWAE
        return kind(2, 32, 2, 10, iterations=1500, batch=64, lr=3e-3, samples=300, device=device)
    score: dict[str, Any] = {"channels": 32, "layers": 2, "noise": 64, "steps": 40, "hide": "uniform"}
    return TabCSDI(samples=20, epochs=80, batch=64, lr=4e-3, **score, device=device)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["cmae", "gain", "tabcsdi", "remasker", "miwae", "notmiwae"])
def test_the_same_seed_gives_the_same_numbers_and_they_are_good(name: str, gaussian: Any) -> None:
    d = 16 if name == "gain" else 3  # it has as many units as columns, and with few of them some seeds fail
    known = gaussian(n=1000, d=d, correlation=0.8, ratio=0.2)
    rows = known.problem.train
    once, again = (small(name, "cuda").fit(rows, seed=0).impute(rows).values for _ in range(2))
    np.testing.assert_array_equal(once, again)
    on_cpu = small(name, "cpu").fit(rows, seed=0).impute(rows).values
    assert known.rmse(once) < 1.1 * known.rmse(on_cpu)
