"""What may stop a run from outside: its own time and memory limits, and signals.

Both arrive as exceptions that no ``except Exception`` in a method swallows. A run with limits has a process of its
own, which the launching one watches: a method may be deep in compiled code, or have started processes itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from lacuna.errors import UserError
from lacuna.runner.process_tree import MARK, ProcessTree

CHECK_EVERY = 0.2  # seconds
GRACE = 5.0  # seconds that a run gets to end by itself after it was asked to
Reason = Literal["timeout", "out_of_memory"]
SIGNALS: dict[Reason, signal.Signals] = (  # Windows has no signals to tell a process the reason
    {"timeout": signal.SIGUSR1, "out_of_memory": signal.SIGUSR2} if hasattr(signal, "SIGUSR1") else {}
)


class LimitReached(BaseException):
    """The run used more than ``limits.seconds`` or ``limits.memory_gb``."""

    def __init__(self, status: Reason, message: str) -> None:
        super().__init__(message)
        self.status = status


class Stopped(BaseException):
    """SIGTERM or SIGINT."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


@dataclass(frozen=True)
class Limits:
    """Of one run; None: there is none."""

    seconds: float | None = None
    memory_gb: float | None = None

    def __bool__(self) -> bool:
        return self.seconds is not None or self.memory_gb is not None

    def check(self) -> None:
        """Raise a UserError where this system cannot enforce them, and warn where it does so otherwise."""
        if self and not SIGNALS:
            raise UserError("limits.seconds and limits.memory_gb need Linux or macOS: leave them out here")
        if self.memory_gb is not None and sys.platform != "linux":
            warnings.warn("limits.memory_gb: memory that processes of a run share counts for each here", stacklevel=2)

    def reached(self, seconds: float, memory_gb: float) -> LimitReached | None:
        """The limit that these exceed, if any."""
        if self.seconds is not None and seconds > self.seconds:
            return self.why("timeout")
        if self.memory_gb is not None and memory_gb > self.memory_gb:
            return self.why("out_of_memory")
        return None

    def why(self, status: Reason) -> LimitReached:
        key = "seconds" if status == "timeout" else "memory_gb"
        return LimitReached(status, f"limits.{key}={getattr(self, key):g} reached")


@dataclass
class Watched:
    """How a process under limits ended."""

    exit_code: int
    seconds: float
    peak_gb: float  # of the process and all that it started
    limit: LimitReached | None


def watch(module: str, sent: Mapping[str, Any], limits: Limits) -> Watched:
    """Run ``main(sent)`` of a module in a new process, with this one's ``sys.path`` and terminal, under limits.

    The time counts from the first line that it writes to its pipe, ``begun``. A process that passes a limit gets the
    signal of ``SIGNALS`` and, after ``GRACE`` seconds, SIGKILL. Whatever it started ends with it.
    """
    ours, theirs = os.pipe()
    start = f"import sys; sys.path[:] = {sys.path!r}; import {module}; {module}.main({theirs})"
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    process = subprocess.Popen(
        [sys.executable, "-c", start],
        stdin=subprocess.PIPE,
        start_new_session=True,
        pass_fds=(theirs,),
        env=ProcessTree.environment(mark),
    )
    tree = ProcessTree(process.pid, mark)
    os.close(theirs)
    try:
        with suppress(BrokenPipeError):  # it died at once: its exit code says so
            assert process.stdin is not None
            process.stdin.write(json.dumps(dict(sent)).encode())
            process.stdin.close()
        while process.poll() is None and not select.select([ours], [], [], CHECK_EVERY)[0]:
            pass  # until it has begun, or ended; a process that it left behind may hold the pipe open
        return _watched(process, tree, limits)
    except BaseException:
        _end(process, tree, signal.SIGTERM)
        raise
    finally:
        os.close(ours)
        tree.kill()


def _watched(process: subprocess.Popen[bytes], tree: ProcessTree, limits: Limits) -> Watched:
    began, peak, limit = time.monotonic(), 0.0, None
    while (exit_code := _wait(process, CHECK_EVERY)) is None:
        seconds, memory_gb = time.monotonic() - began, tree.memory_gb()
        peak = max(peak, memory_gb)
        if limit := limits.reached(seconds, memory_gb):
            exit_code = _end(process, tree, SIGNALS[limit.status])
            break
    return Watched(exit_code, time.monotonic() - began, peak, limit)


def _end(process: subprocess.Popen[bytes], tree: ProcessTree, signum: signal.Signals) -> int:
    """Ask a process to end; after ``GRACE`` make it. Returns its exit code."""
    process.send_signal(signum)
    if _wait(process, GRACE) is None:
        tree.kill()
    return process.wait()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def watched(limits: Limits, parent: int) -> Iterator[None]:
    """In the process that is watched: signals become exceptions, and it does not outlive ``parent``."""

    def reached(signum: int, frame: Any) -> None:
        status = next(status for status, each in SIGNALS.items() if each == signum)
        raise limits.why(status)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        ProcessTree(os.getpid(), os.environ.get(MARK, "")).kill()

    threading.Thread(target=follow, daemon=True).start()
    with stoppable(), _handling(tuple(SIGNALS.values()), reached):
        yield


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
def _handling(signals: tuple[signal.Signals, ...], handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # Python handles signals nowhere else
        yield
        return
    previous = [(signum, signal.signal(signum, handler)) for signum in signals]
    try:
        yield
    finally:
        for signum, old in previous:
            signal.signal(signum, old)
