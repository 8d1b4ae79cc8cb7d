"""What a run shows while it goes on: a bar with phase and loss on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

log = logging.getLogger("lacuna")
LINE_EVERY = 30.0  # seconds between lines about one long phase
KNOWN_AFTER = 2.0  # seconds of a step until it is foretold how long the rest takes


class Clock:
    """Seconds by phase; time in an inner phase is not counted in the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = 0.0
        self._started = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started, outer, self._inner = time.perf_counter(), self._inner, 0.0
        try:
            yield
        finally:
            elapsed = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed - self._inner
            self._inner = outer + elapsed

    def total(self) -> float:
        """Seconds since the start, those of an earlier process that this one goes on from included."""
        return time.perf_counter() - self._started + self.seconds.get("before_resume", 0.0)


def duration(seconds: float) -> str:
    """
    >>> duration(7.25), duration(600), duration(40_000)
    ('7.2 s', '10 min', '11.1 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Pace:
    """Time that a step still takes, as it went from its first report to the latest one."""

    def __init__(self) -> None:
        self._step, self._began, self._first, self._last = "", 0.0, 0, 0

    def left(self, step: str, done: int, total: int, now: float) -> float | None:
        """Seconds; None while nothing is known.

        Args:
            step: another step, or the same one that begins anew, is timed afresh.
            now: seconds of any clock.
        """
        if step != self._step or done < self._last:
            self._step, self._began, self._first = step, now, done
        self._last = done
        if done in (self._first, total) or now - self._began < KNOWN_AFTER:
            return None
        return (now - self._began) * (total - done) / (done - self._first)


class Display:
    """One line about the running phase.

    >>> with Display(Console(quiet=True)) as display:
    ...     display.phase("fit")
    ...     display.update("training", 3, 10, loss=0.25)
    """

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, note="")
        self._phase, self._pace = "", Pace()
        self._last_line = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()

    def phase(self, name: str) -> None:
        """The next phase begins; nothing is known of its length."""
        self._phase, self._last_line = name, time.monotonic()
        self._bar.update(self._task, description=name, completed=0, total=None, note="")
        log.debug("%s", name)

    def update(self, step: str, done: int, total: int, **info: float) -> None:
        """``done`` of ``total`` of a step of the phase; ``info`` are numbers to show."""
        description = f"{self._phase}, {step}"
        note = " ".join([f"{done}/{total}", *(f"{key} {value:.4g}" for key, value in info.items())])
        if (left := self._pace.left(description, done, total, time.monotonic())) is not None:
            note += f", about {duration(left)} left"
        self._bar.update(self._task, description=description, completed=done, total=total, note=note)
        if time.monotonic() - self._last_line >= LINE_EVERY:
            self._last_line = time.monotonic()
            log.info("%s %s", description, note)


@contextmanager
def logged(path: Path, console: Console) -> Iterator[None]:
    """Log lines and warnings go to the file ``path``, and to the console where it has no bar."""
    file = _QuietFileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    screen = _ConsoleHandler(console)
    screen.setLevel(logging.WARNING if console.is_terminal else logging.INFO)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    for handler in (file, screen):
        log.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *where, **more: log.warning("warning: %s", message)
            yield
    finally:
        for handler in (file, screen):
            log.removeHandler(handler)
            handler.close()


class _QuietFileHandler(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk must not flood the terminal; what could not be written is reported where it matters."""


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)
