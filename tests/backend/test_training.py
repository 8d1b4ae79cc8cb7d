from __future__ import annotations

import pytest
import torch
from torch import nn

from lacuna.backend.training import Plan, Plateau, Schedule, train

CPU = torch.device("cpu")


def test_the_learning_rate_follows_torch_s_own_rule():
    losses = torch.rand(400, generator=torch.Generator().manual_seed(0)) + torch.linspace(1, 0, 400)
    schedule = Schedule(epochs=400, batch=1, lr=0.1, factor=0.9, plateau=5, patience=1000)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.9, patience=5)
    ours = Plateau(schedule, CPU)
    for loss in losses:
        reference.step(loss.item())
        ours.update(loss)
        assert ours.lr.item() == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-5)
    assert ours.lr < 0.09


def test_it_stops_after_patience_and_remembers_the_best():
    plateau = Plateau(Schedule(epochs=100, batch=1, lr=0.1, patience=3), CPU)
    flags = [bool(plateau.update(torch.tensor(x))) for x in (3.0, 2.0, 2.5, 2.5)]
    assert flags == [True, True, False, False]
    assert not plateau.stopped
    plateau.update(torch.tensor(2.5))
    assert plateau.stopped
    assert not plateau.update(torch.tensor(0.0)), "nothing counts after the stop"
    assert plateau.best == 2.0


def fit(seed: int, epochs: int = 60) -> tuple[nn.Linear, list[float]]:
    """Least squares y = 3 x - 1 in mini-batches that do not divide the rows."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(50, 1, generator=generator)
    network = nn.utils.skip_init(nn.Linear, 1, 1)

    def reset() -> None:
        nn.init.zeros_(network.weight)
        nn.init.zeros_(network.bias)

    def loss(evaluated: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return ((evaluated(x) - (3 * x - 1)) ** 2).mean()

    return network, train(network, lambda rows: [x[rows]], loss, 50, Schedule(epochs, 16, 0.1), generator, reset)


def test_it_finds_the_least_squares_line():
    network, history = fit(0, epochs=200)
    assert network.weight.item() == pytest.approx(3, abs=0.01)
    assert network.bias.item() == pytest.approx(-1, abs=0.01)
    assert history[0] > 1 > history[-1]


def test_the_same_seed_trains_the_same_network():
    assert torch.equal(fit(1)[0].weight, fit(1)[0].weight)


def test_the_best_epoch_is_kept():
    """A loss that rises in every epoch leaves the weights of the first."""
    weight, seen = nn.Parameter(torch.zeros(1)), []
    network = nn.Module()
    network.weight = weight

    def loss(evaluated: nn.Module, rows: torch.Tensor) -> torch.Tensor:
        seen.append(weight.item())
        return len(seen) + 0 * weight.sum() - (weight - weight.detach()).sum()

    schedule = Schedule(epochs=5, batch=4, lr=0.1)
    train(network, lambda rows: [rows], loss, 4, schedule, torch.Generator(), lambda: nn.init.zeros_(weight))
    assert weight.item() == pytest.approx(0.1, rel=1e-5), "one step of Adam after the first epoch"


def test_weights_are_updated_in_float32_whatever_the_evaluation():
    """Steps far below bfloat16's resolution add up."""
    network = nn.utils.skip_init(nn.Linear, 1, 1, bias=False)
    seen = []

    def loss(evaluated: nn.Module, rows: torch.Tensor) -> torch.Tensor:
        seen.append(evaluated.weight.dtype)
        return (evaluated.weight.detach() - evaluated.weight).sum().float() - len(seen)

    schedule = Schedule(epochs=100, batch=4, lr=1e-4)
    start = lambda: nn.init.ones_(network.weight)  # noqa: E731
    train(network, lambda rows: [rows], loss, 4, schedule, torch.Generator(), start, torch.bfloat16)
    assert set(seen) == {torch.bfloat16}
    assert network.weight.dtype == torch.float32
    assert network.weight.item() == pytest.approx(1 + 100 * 1e-4, abs=1e-3)


def test_ranges():
    with pytest.raises(ValueError, match="batch must be positive, got 0"):
        Schedule(epochs=1, batch=0, lr=0.1)


def test_a_plan_gives_the_steps_of_torch_s_own_optimiser():
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(2))
    rates = (0.1, 0.2, 0.05)
    network, reference = nn.utils.skip_init(nn.Linear, 3, 1), nn.Linear(3, 1)
    start = {name: p.detach().clone() for name, p in reference.named_parameters()}
    plan = Plan(rates, batch=40, betas=(0.9, 0.95), weight_decay=0.1, decoupled=True, clip=0.5)

    def loss(evaluated: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return 10 * (evaluated(x) - 1).square().mean()

    generator = torch.Generator().manual_seed(0)
    history = train(
        network, lambda rows: [x[rows]], loss, 40, plan, generator, lambda: network.load_state_dict(start) and None
    )
    optimizer = torch.optim.AdamW(reference.parameters(), lr=1.0, betas=(0.9, 0.95), weight_decay=0.1)
    for lr in rates:
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        loss(reference, x).backward()
        nn.utils.clip_grad_norm_(reference.parameters(), 0.5)
        optimizer.step()
    torch.testing.assert_close(network.weight, reference.weight)
    assert len(history) == 3
