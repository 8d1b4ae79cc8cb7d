"""A process and all that it started: how much memory they take, and their end."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

MARK = "LACUNA_PROCESS_TREE"  # an environment variable, which every descendant inherits
PATIENCE = 10.0  # seconds that killed processes get to be gone


@dataclass
class ProcessTree:
    """The processes that one process started, those that left its session and lost their parent included.

    Args:
        leader: id of that process.
        mark: what it has in the environment variable ``MARK``; "" finds descendants and members of its session only.
    """

    leader: int
    mark: str = ""
    _marked: dict[tuple[int, float], bool] = field(default_factory=dict)  # process -> whether it has the mark

    @staticmethod
    def environment(mark: str) -> Mapping[str, str]:
        """Of a new leader with this mark."""
        return os.environ | {MARK: mark}

    def members(self) -> list[psutil.Process]:
        """The living ones."""
        living = {process.pid: process for process in psutil.process_iter() if _lives(process)}
        parents = {pid: _parent(process) for pid, process in living.items()}
        found = {self.leader} | {pid for pid, process in living.items() if self._belongs(process)}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return [living[pid] for pid in sorted(found & living.keys())]

    def memory_gb(self) -> float:
        """Memory of all members together; what several share counts once where the system tells."""
        return memory_gb(self.members())

    def kill(self) -> None:
        """End all members at once; returns when they are gone."""
        deadline = time.monotonic() + PATIENCE
        while (members := self.members()) and time.monotonic() < deadline:
            for process in members:
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.02)

    def _belongs(self, process: psutil.Process) -> bool:
        if _session(process.pid) == self.leader:
            return True
        if not self.mark:
            return False
        with suppress(psutil.Error):
            key = process.pid, process.create_time()
            if key not in self._marked:  # reading every environment at every look would cost too much
                self._marked[key] = _mark(process) == self.mark
            return self._marked[key]
        return False


def memory_gb(processes: Sequence[psutil.Process]) -> float:
    """Memory of processes together.

    One process counts by its resident memory, several by their proportional share of what they have in common. Where
    the system does not tell that share (it does on Linux) all of them count by their resident memory.
    """
    return sum(_bytes(process, alone=len(processes) == 1) for process in processes) / 2**30


def _bytes(process: psutil.Process, alone: bool) -> int:
    with suppress(psutil.Error):
        if not alone:
            with suppress(psutil.AccessDenied, AttributeError):
                return process.memory_full_info().pss
        return process.memory_info().rss
    return 0


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return False


def _parent(process: psutil.Process) -> int | None:
    with suppress(psutil.Error):
        return process.ppid()
    return None


def _session(pid: int) -> int | None:
    """None where there are no sessions (Windows), or none of ours."""
    with suppress(OSError, AttributeError):
        return os.getsid(pid)
    return None


def _mark(process: psutil.Process) -> str | None:
    """None also for processes of others, whose environment the system does not tell."""
    with suppress(psutil.Error, OSError):
        return process.environ().get(MARK)
    return None
