"""A process and all that it started: how much memory they take, and their end. Read from /proc, so on Linux."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PATIENCE = 500  # times 0.02 seconds that killed processes get to be gone


def tree(leader: int) -> list[int]:
    """Ids of the living processes of the session that ``leader`` leads, and of their descendants elsewhere."""
    found = {leader}
    table = _table()
    while True:
        more = {pid for pid, (parent, session) in table.items() if parent in found or session == leader} - found
        if not more:
            return sorted(found & set(table))
        found |= more


def _table() -> dict[int, tuple[int, int]]:
    """Parent and session of every process that has not ended."""
    found = {}
    for path in PROC.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # the command, in brackets, may hold anything
            state, parent, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if state not in "ZX":
                found[int(path.parent.name)] = int(parent), int(session)
    return found


def memory_gb(pids: list[int]) -> float:
    """Memory of processes together; what several share counts once."""
    return sum(_kilobytes(pid, alone=len(pids) == 1) for pid in pids) / 2**20


def _kilobytes(pid: int, alone: bool) -> int:
    """Resident memory; beside others the proportional share, which takes the system longer to tell."""
    for file, key in (("status", "VmRSS"),) if alone else (("smaps_rollup", "Pss"), ("status", "VmRSS")):
        with suppress(OSError):
            if found := re.search(rf"^{key}:\s*(\d+) kB", (PROC / str(pid) / file).read_text(), re.MULTILINE):
                return int(found[1])
    return 0


def kill(leader: int) -> None:
    """End a session and its descendants at once; returns when they are gone."""
    for _ in range(PATIENCE):
        members = tree(leader)
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not members:
            return
        time.sleep(0.02)
