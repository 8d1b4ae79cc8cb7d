from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lacuna.nets.masked_autoencoder import MaskedAutoencoder


@pytest.fixture(params=[False, True], ids=["values alone", "names too"])
def network(request: pytest.FixtureRequest) -> MaskedAutoencoder:
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(6, 5, generator=generator) if request.param else None
    made = MaskedAutoencoder(6, width=8, heads=2, mlp_ratio=2, encoder_blocks=2, decoder_blocks=1, text=text)
    made.reset(generator)
    return made


@pytest.fixture
def rows() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    values, seen = torch.rand(7, 6, generator=generator), torch.rand(7, 6, generator=generator) < 0.5
    seen[0], seen[1] = True, False
    return values, seen


def test_cells_that_are_not_seen_say_nothing(network: MaskedAutoencoder, rows: tuple[Tensor, Tensor]) -> None:
    values, seen = rows
    expected = network(values, seen)
    torch.testing.assert_close(network(torch.where(seen, values, 100.0), seen), expected)
    changed = network(torch.where(seen, 1 - values, values), seen)
    assert (changed != expected)[seen.any(1)].any(1).all()
    torch.testing.assert_close(changed[1], expected[1])  # the row that shows nothing


def test_a_row_stands_alone(network: MaskedAutoencoder, rows: tuple[Tensor, Tensor]) -> None:
    values, seen = rows
    alone = torch.cat([network(values[[i]], seen[[i]]) for i in range(len(values))])
    torch.testing.assert_close(network(values, seen), alone)
    assert (alone > 0).all()
    assert (alone < 1).all()
