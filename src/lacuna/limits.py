"""What may stop a run from outside: its own time and memory limits, and signals.

Both arrive as exceptions that no ``except Exception`` in a method swallows.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from lacuna.environment import resident_gb

CHECK_EVERY = 0.2  # seconds


class LimitReached(BaseException):
    """The run used more than ``limits.seconds`` or ``limits.memory_gb``."""

    def __init__(self, status: Literal["timeout", "out_of_memory"], message: str) -> None:
        super().__init__(message)
        self.status = status


class Stopped(BaseException):
    """SIGTERM or SIGINT."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise ``Stopped`` on SIGTERM and SIGINT; ignore later ones, so that what follows can be written."""

    def stop(signum: int, frame: Any) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(signum)

    signals = (signal.SIGTERM, signal.SIGINT)
    with _handling(signals, stop):
        yield


@contextmanager
def enforced(seconds: float | None, memory_gb: float | None) -> Iterator[None]:
    """Raise ``LimitReached`` in the main thread once a limit (None: there is none) is passed.

    Other threads cannot be interrupted: there the limits do not hold.
    """
    if (seconds is None and memory_gb is None) or not _in_main_thread():
        yield
        return
    over, reached = threading.Event(), []
    started = time.monotonic()

    def passed() -> LimitReached | None:
        if seconds is not None and time.monotonic() - started > seconds:
            return LimitReached("timeout", f"limits.seconds={seconds:g} reached")
        if memory_gb is not None and (resident_gb() or 0.0) > memory_gb:
            return LimitReached("out_of_memory", f"limits.memory_gb={memory_gb:g} reached")
        return None

    def watch() -> None:
        while not over.wait(CHECK_EVERY):
            if limit := passed():
                reached.append(limit)
                os.kill(os.getpid(), signal.SIGALRM)
                return

    def interrupt(signum: int, frame: Any) -> None:
        if not over.is_set():
            raise reached[0]

    with _handling((signal.SIGALRM,), interrupt):
        watchdog = threading.Thread(target=watch, daemon=True)
        watchdog.start()
        try:
            yield
        finally:
            over.set()
            watchdog.join()


def _in_main_thread() -> bool:
    """Python handles signals nowhere else."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _handling(signals: tuple[signal.Signals, ...], handler: Any) -> Iterator[None]:
    if not _in_main_thread():
        yield
        return
    previous = [(signum, signal.signal(signum, handler)) for signum in signals]
    try:
        yield
    finally:
        for signum, old in previous:
            signal.signal(signum, old)
