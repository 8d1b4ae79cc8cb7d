"""Files that are whole or absent, whatever stops the process; and one process at a time in a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lacuna.errors import StorageError


def sha256(path: Path) -> str:
    """Of the file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write to the temporary path given; it becomes ``path`` at the end, or vanishes if anything goes wrong.

    Raises:
        StorageError: the disk is full, or the folder does not allow it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("r+b") as file:  # Windows flushes no file that is open for reading alone
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        # some libraries put the whole story, the temporary name in it, into their message
        reason = error.strerror or str(error).replace(str(temporary), str(path))
        raise StorageError(f"cannot write {path}: {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_writable(path: Path) -> None:
    """Raise a StorageError now where ``path`` could not be written later; nothing is left behind.

    >>> check_writable(Path("/proc/nothing/of/this"))
    Traceback (most recent call last):
    lacuna.errors.StorageError: cannot write /proc/nothing/of/this: No such file or directory
    """
    probe = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0")  # a full disk still takes an empty file
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
            for parent in made:  # from the deepest up
                parent.rmdir()


def sweep_temporaries(folder: Path) -> None:
    """Remove what killed processes left half-written; only under the folder's lock."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, on_wait: Callable[[], None] = lambda: None, name: str = ".lock") -> Iterator[None]:
    """Hold ``folder`` alone; where another process does, call ``on_wait`` and then wait for it.

    Args:
        name: of the lock's file; locks of different names do not know each other.

    Raises:
        StorageError: the folder cannot be written to.
    """
    from filelock import FileLock, Timeout  # the numerical core reads files where it may be missing

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
