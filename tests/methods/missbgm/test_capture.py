"""What runs inside a CUDA graph must not ask the device for a number: checked without one, by watching operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lacuna.methods.missbgm import fitting, posterior, warm_start
from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.local import at_rest
from lacuna.methods.missbgm.model import Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.parameters import BayesianParameters, PointParameters
from lacuna.methods.missbgm.settings import ChainSettings, LocalSteps, WarmStart

CPU = torch.device("cpu")
# A value read by the host, or one that it brings along
FORBIDDEN = {"_local_scalar_dense", "nonzero", "lift_fresh", "is_nonzero", "equal"}


class Watch(TorchDispatchMode):
    """Remembers the operators that ran."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.add(op._schema.name.split("::")[1])
        return op(*args, **(kwargs or {}))


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The operators of each function that would be captured."""
    found: list[set[str]] = []

    def watched(
        function: Callable[..., Tensor], inputs: list[Tensor], generators: list[torch.Generator], changes: list[Any]
    ) -> Callable[..., Tensor]:
        with Watch() as watch:
            function(*inputs)
        found.append(watch.seen)
        return function

    for module in (fitting, posterior, warm_start):
        monkeypatch.setattr(module, "graphed", watched)
    return found


def parts() -> tuple[Model, Tensor, Tensor, Tensor, torch.Generator]:
    """Model, z, x, mask and generator of 20 rows of four numbers and a category of three levels."""
    generator = torch.Generator().manual_seed(0)
    g = Generator(2, [6, 6], Heads(4, np.array([3]), CPU), generator, CPU)
    model = Model(g, Missingness(7, [5], 5, generator, CPU), 0.1)
    z, x = torch.randn(20, 2, generator=generator), torch.randn(20, 7, generator=generator)
    x[:, 4:] = torch.eye(3)[torch.randint(3, (20,), generator=generator)]
    return model, z, x, (torch.rand(20, 5, generator=generator) > 0.3).float(), generator


@pytest.mark.parametrize("bayesian", [False, True])
def test_a_visit(bayesian: bool, captured: list[set[str]]) -> None:
    model, z, x, r, generator = parts()
    adams = (Adam(0.01), Adam(0.01))
    parameters: Any = (
        BayesianParameters(model, adams, 1e-4, generator) if bayesian else PointParameters(model, adams, 0.0)
    )
    steps = LocalSteps(Adam(0.01), Adam(0.01), 2, 25.0, "dense")
    rng = np.random.default_rng(0)
    fitting.alternate(at_rest(z, x, 4), r, model, parameters, steps, 1, 8, rng, generator, lambda epoch, loss: None)
    assert len(captured) == 2  # full batches, and the last one
    for seen in captured:
        assert "_fused_adam_" in seen
        assert not seen & FORBIDDEN


def test_a_sweep(captured: list[set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(posterior.CHAINS, "cpu", posterior.CHAINS["cuda"])
    model, z, x, r, generator = parts()
    settings = ChainSettings(2, 0.1, 2, "simple", 0.8, 0.75)
    rows = at_rest(z, x, 4)
    posterior.sample(
        rows, r, model, settings, 2, lambda name: generator, lambda state: state[0], lambda sweeps, rate: None
    )
    (seen,) = captured
    assert "randn" in seen
    assert not seen & FORBIDDEN


def test_an_iteration_of_the_warm_start(captured: list[set[str]]) -> None:
    model, _, x, _, generator = parts()
    settings = WarmStart(True, 2, 0.01, [5], [4], [4])
    warm_start.warm_start(
        model.g, x, settings, 8, generator, generator, np.random.default_rng(0), lambda iteration, loss: None
    )
    (seen,) = captured
    # torch's own optimiser reads its step count on the CPU only
    assert not seen & (FORBIDDEN - {"_local_scalar_dense", "lift_fresh"})
