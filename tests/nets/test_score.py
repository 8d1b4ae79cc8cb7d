from __future__ import annotations

import pytest
import torch

from lacuna.nets.score import ScoreNetwork


@pytest.fixture
def network() -> ScoreNetwork:
    made = ScoreNetwork(width=5, steps=10, channels=8, layers=2, heads=2, noise=4)
    generator = torch.Generator().manual_seed(0)
    made.reset(generator)
    torch.nn.init.normal_(made.end[-1].weight, generator=generator)  # it starts at 0, as if nothing mattered
    return made


def test_it_reads_given_cells_where_they_are_given_and_noisy_ones_elsewhere(network: ScoreNetwork) -> None:
    generator = torch.Generator().manual_seed(1)
    noisy, given = torch.randn(2, 6, 5, generator=generator)
    is_given, step = torch.rand(6, 5, generator=generator) < 0.5, torch.arange(6)
    expected = network(noisy, given, is_given, step)
    hidden = network(noisy.masked_fill(is_given, 50.0), given.masked_fill(~is_given, 50.0), is_given, step)
    torch.testing.assert_close(hidden, expected)
    for changed in (
        network(noisy + 1, given, is_given, step),
        network(noisy, given + 1, is_given, step),
        network(noisy, given, is_given, step + 1),
    ):
        assert (changed != expected).any(1).all()


def test_a_row_stands_alone(network: ScoreNetwork) -> None:
    noisy, given = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(2))
    is_given, step = torch.arange(5).expand(4, 5) < torch.arange(4)[:, None], torch.tensor([0, 3, 9, 9])
    together = network(noisy, given, is_given, step)
    for i in range(4):
        torch.testing.assert_close(network(*(x[[i]] for x in (noisy, given, is_given, step))), together[[i]])
