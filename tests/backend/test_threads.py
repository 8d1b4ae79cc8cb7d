"""Threads of tensor operations."""

from __future__ import annotations

import threading

import pytest
import torch

from lacuna.backend.threads import side_by_side, threads


def test_threads_are_given_back_after_an_error() -> None:
    def fail() -> None:
        assert torch.get_num_threads() == before + 1
        raise ValueError("stop")

    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="stop"), threads(before + 1):
        fail()
    assert torch.get_num_threads() == before


def test_tasks_run_at_once_each_in_one_thread() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def task(i: int) -> tuple[int, int]:
        meeting.wait()  # a task that ran alone would wait for ever
        return i, torch.get_num_threads()

    before = torch.get_num_threads()
    with threads(3):
        with side_by_side(2) as each:
            assert list(each(task, range(2))) == [(0, 1), (1, 1)]
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before


def test_without_workers_tasks_have_torch_s_threads() -> None:
    with threads(3), side_by_side(0) as each:
        assert list(each(lambda i: (i, torch.get_num_threads()), range(2))) == [(0, 3), (1, 3)]
