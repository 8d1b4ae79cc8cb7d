"""CUDA graphs: a fixed-shape function of tensors replayed as one launch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor

Changed: TypeAlias = Tensor | torch.Generator | torch.optim.Optimizer

WARM_UP_CALLS = 3  # lazy initialisation of libraries and compiled kernels must be over before a capture


def graphed(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    generators: Sequence[torch.Generator] = (),
    changes: Sequence[Changed] = (),
) -> Callable[..., Tensor]:
    """``function`` captured for arguments shaped like ``inputs``; on the CPU, ``function`` itself.

    The result is overwritten by the next call.

    Args:
        generators: all that ``function`` draws from.
        changes: what is as it was after the capture, which runs ``function`` a few times, see ``unchanged``.
    """
    if inputs[0].device.type != "cuda":
        return function
    with unchanged(changes):
        return _captured(function, inputs, generators)


@contextmanager
def unchanged(things: Sequence[Changed]) -> Iterator[None]:
    """Puts back, in place, what a block does to tensors, to generators and to optimisers that have made no step."""
    tensors = [thing for thing in things if isinstance(thing, Tensor)]
    kept = [tensor.detach().clone() for tensor in tensors]
    states = [(thing, thing.get_state()) for thing in things if isinstance(thing, torch.Generator)]
    yield
    with torch.no_grad():
        for now, before in zip(tensors, kept, strict=True):
            now.copy_(before)
    for generator, state in states:
        generator.set_state(state)
    for optimizer in (thing for thing in things if isinstance(thing, torch.optim.Optimizer)):
        for moments in optimizer.state.values():
            for moment in moments.values():
                moment.zero_()


def _captured(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], generators: Sequence[torch.Generator]
) -> Callable[..., Tensor]:
    static = [x.clone() for x in inputs]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_CALLS):
            function(*static)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        output = function(*static)

    @functools.wraps(function)  # and so keeps it: the graph reads the memory of the tensors that it refers to
    def replay(*arguments: Tensor) -> Tensor:
        for buffer, argument in zip(static, arguments, strict=True):
            buffer.copy_(argument)
        graph.replay()
        return output

    return replay
