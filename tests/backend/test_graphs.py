"""What a capture leaves behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lacuna.backend.graphs import graphed, unchanged


def test_tensors_generators_and_optimisers_are_put_back() -> None:
    weight, buffer = torch.ones(3, requires_grad=True), torch.arange(4)
    optimizer, generator = torch.optim.Adam([weight], lr=0.1), torch.Generator().manual_seed(0)
    wanted = torch.rand(2, generator=torch.Generator().manual_seed(0))
    places = weight.data_ptr(), buffer.data_ptr()
    with unchanged([weight, buffer, generator, optimizer]):
        (weight * torch.rand(3, generator=generator)).sum().backward()
        optimizer.step()
        buffer += 1
    assert torch.equal(weight, torch.ones(3))
    assert torch.equal(buffer, torch.arange(4))
    assert torch.equal(torch.rand(2, generator=generator), wanted)
    assert not any(moment.any() for moment in optimizer.state[weight].values())
    assert places == (weight.data_ptr(), buffer.data_ptr()), "in place: a graph reads this memory"


def test_an_optimiser_that_is_put_back_starts_afresh() -> None:
    def stepped(weight: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
        weight.grad = torch.tensor([1.0, -2.0])
        optimizer.step()
        return weight.detach().clone()

    weight, other = (torch.zeros(2, requires_grad=True) for _ in range(2))
    used, fresh = torch.optim.Adam([weight]), torch.optim.Adam([other])
    with unchanged([weight, used]):
        stepped(weight, used)
    assert torch.equal(stepped(weight, used), stepped(other, fresh))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_capture_changes_nothing() -> None:
    total, generator = torch.zeros((), device="cuda"), torch.Generator("cuda").manual_seed(0)

    def add(x: Tensor) -> Tensor:
        return total.add_(x * torch.rand((), generator=generator, device="cuda"))

    x = torch.tensor(2.0, device="cuda")
    captured = graphed(add, [x], [generator], [total, generator])
    assert total == 0
    plain = torch.Generator("cuda").manual_seed(0)
    wanted = sum(2 * torch.rand((), generator=plain, device="cuda") for _ in range(3))
    for _ in range(3):
        found = captured(x)
    torch.testing.assert_close(found, wanted)
