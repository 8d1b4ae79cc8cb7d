"""How many threads tensor operations take on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def threads(n: int) -> Iterator[None]:
    """``n`` threads for each operation within a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def side_by_side(n_workers: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """``map`` over tasks of tensor work, in so many threads at once and each task in one; 0: one after the other.

    Torch's own threads would meet at the end of every operation; small ones then cost more than they gain, and
    far more on a busy machine. At the end of the block, tasks that have not begun are given up.
    """
    if not n_workers:
        yield map
        return
    with threads(1), ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)
