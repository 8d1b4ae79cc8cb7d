"""Torch's private operators do what we rely on, and no other module names one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import lacuna
from lacuna.backend import private

SOURCES = sorted(Path(lacuna.__file__).parent.rglob("*.py"))


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_many_tensors_are_copied_whatever_their_types() -> None:
    sources = [numbers(3), numbers(2, 2).double()]
    targets = [torch.zeros(3, dtype=torch.bfloat16), torch.zeros(2, 2)]
    private.copy_all_(targets, sources)
    for target, source in zip(targets, sources, strict=True):
        assert torch.equal(target, source.to(target.dtype))


@pytest.mark.parametrize("divisor", [None, 4.0])
def test_a_step_of_adam_is_torch_s_own(divisor: float | None) -> None:
    ours, wanted = numbers(5, 3), torch.nn.Parameter(numbers(5, 3))
    mean, square = torch.zeros(5, 3), torch.zeros(5, 3)
    optimizer = torch.optim.Adam([wanted], lr=0.1, betas=(0.8, 0.95), eps=1e-6)
    for step in range(1, 4):
        gradient = numbers(5, 3) * step
        wanted.grad = gradient / (divisor or 1)
        optimizer.step()
        time = torch.tensor(float(step))
        private.fused_adam_(
            [ours],
            [gradient.clone()],
            [mean],
            [square],
            [],
            [time],
            lr=0.1,
            beta1=0.8,
            beta2=0.95,
            weight_decay=0.0,
            eps=1e-6,
            amsgrad=False,
            maximize=False,
            grad_scale=None if divisor is None else torch.tensor(divisor),
        )
        assert time == step, "the count of steps is the caller's"
    torch.testing.assert_close(ours, wanted.detach())
    torch.testing.assert_close(mean, optimizer.state[wanted]["exp_avg"])


def test_the_derivative_of_leaky_relu_is_read_from_its_output() -> None:
    x, upstream = numbers(7, 4).requires_grad_(), numbers(7, 4)
    out = F.leaky_relu(x, 0.2)
    (wanted,) = torch.autograd.grad(out, x, upstream)
    assert torch.equal(private.leaky_relu_backward(upstream, out.detach(), 0.2, True), wanted)
    private.leaky_relu_backward_into(upstream, out.detach(), 0.2, True, grad_input=upstream)
    assert torch.equal(upstream, wanted)


@pytest.mark.skipif(private.linear_pointwise is None, reason="torch without oneDNN")
@pytest.mark.parametrize("bend", [True, False])
def test_a_product_may_bend_its_result(bend: bool) -> None:
    assert private.linear_pointwise is not None
    x, weight, bias = numbers(9, 16), numbers(24, 16), numbers(24)
    then = ("leaky_relu", [0.2], "") if bend else ("none", [], "")
    found = private.linear_pointwise(x.bfloat16(), weight.bfloat16(), bias.bfloat16(), *then)
    plain = F.linear(x.bfloat16().float(), weight.bfloat16().float(), bias.bfloat16().float())
    wanted = F.leaky_relu(plain, 0.2) if bend else plain
    torch.testing.assert_close(found.float(), wanted, rtol=2**-7, atol=2**-7)


def names(path: Path) -> set[str]:
    """Dotted names that begin with ``torch.``, calls not among their parts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    dotted = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return {name for name in dotted | imported if name.startswith("torch.") and "(" not in name}


def is_private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split(".")) or name.startswith("torch.ops.")


def test_no_other_module_names_one() -> None:
    for path in SOURCES:
        if path != Path(private.__file__):
            assert not {name for name in names(path) if is_private(name)}, path
    assert any(map(is_private, names(Path(private.__file__))))
