"""Step-size rules on an acceptance that is a known function of the step size."""

from __future__ import annotations

import math

import pytest
import torch

from lacuna.methods.missbgm.step_size import adapt, freeze, initial

TARGET = 0.75


def settled(rule: str, start: float, scale: torch.Tensor, n: int = 800, noise: float = 0.0) -> torch.Tensor:
    """The step size found where acceptance is exp(-step / scale): the answer is -scale log(target)."""
    state, generator = initial(start, rule, len(scale)), torch.Generator().manual_seed(0)
    for _ in range(n):
        acceptance = (-state.size / scale).exp()
        acceptance = (acceptance + noise * torch.randn(scale.shape, generator=generator)).clamp(0, 1)
        state = adapt(state, acceptance if rule == "per_row" else acceptance.mean(0, keepdim=True), TARGET, rule)
    return freeze(state).size


@pytest.mark.parametrize("rule", ["simple", "dual_averaging", "per_row"])
@pytest.mark.parametrize("start", [0.01, 5.0])
def test_rules_find_the_step_size_of_the_target(rule: str, start: float) -> None:
    found = settled(rule, start, torch.ones(1, 1))
    assert float(found) == pytest.approx(-math.log(TARGET), rel=0.03)


def test_per_row_gives_each_chain_its_own() -> None:
    scale = torch.tensor([[0.2], [1.0], [5.0]])
    found = settled("per_row", 0.5, scale, noise=0.05)
    torch.testing.assert_close(found, -math.log(TARGET) * scale, rtol=0.1, atol=0)


def test_the_simple_rule_moves_by_one_percent() -> None:
    state = initial(0.1, "simple", 1)
    up = adapt(state, torch.tensor([[0.9]]), TARGET, "simple").size
    down = adapt(state, torch.tensor([[0.1]]), TARGET, "simple").size
    assert float(up) == pytest.approx(0.101)
    assert float(down) == pytest.approx(0.1 / 1.01)


def test_dual_averaging_forgets_its_start_under_noise() -> None:
    found = [float(settled("dual_averaging", start, torch.ones(1, 1), noise=0.2)) for start in (0.02, 2.0)]
    assert found[0] == pytest.approx(found[1], rel=0.05)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="adaptation must be one of"):
        initial(0.1, "none", 1)
    with pytest.raises(ValueError, match=r"step_size must be positive, got -1"):
        initial(-1.0, "simple", 1)
