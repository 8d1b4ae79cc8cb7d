"""CUDA graphs: a fixed-shape function of tensors replayed as one launch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP_CALLS = 3  # lazy initialisation of libraries and compiled kernels must be over before a capture


def graphed(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], generators: Sequence[torch.Generator] = ()
) -> Callable[..., Tensor]:
    """``function`` captured for arguments shaped like ``inputs``; on the CPU, ``function`` itself.

    The result is overwritten by the next call. ``function`` is run a few times first, so it must tolerate that;
    every generator that it draws from must be named.
    """
    if inputs[0].device.type != "cuda":
        return function
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
