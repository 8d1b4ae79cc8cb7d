"""Tables of the UCI repository as the benchmarks use them: every column continuous and standardised.

Files are kept in a folder of the user's and fetched once; the repository is asked only for what is not there.
"""

from __future__ import annotations

import io
import socket
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.errors import UserError, require
from lacuna.files import whole
from lacuna.types import Column, Table

SECONDS = 30.0  # without an answer before the repository counts as out of reach


def standardised_table(name: str, matrix: np.ndarray, names: Sequence[str]) -> Table:
    """A complete numeric matrix (n, d) as a Table with mean 0 and population sd 1 in each column.

    A constant column becomes 0. There is no test split.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    sd = matrix.std(axis=0)
    values = (matrix - matrix.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return Table(name, tuple(map(Column, names)), values, np.zeros(values.shape, dtype=bool))


def cached(path: Path, number: int, fetch: Callable[[], bytes]) -> Path:
    """``path``, filled with what ``fetch`` gives if it is not there.

    Args:
        number: of the data set in the repository, for the message.

    Raises:
        UserError: it is not there and cannot be fetched.
        StorageError: it cannot be written.
    """
    if path.is_file():
        return path
    try:
        with time_out(SECONDS):
            content = fetch()
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # no answer, or half of one
        raise UserError(
            f"{path} is not there and could not be fetched ({error}): "
            f"download it from https://archive.ics.uci.edu/dataset/{number} and put it there"
        ) from error
    with whole(path) as temporary:
        temporary.write_bytes(content)
    return path


def fetch_frame(number: int) -> Any:
    """All columns of a data set as a DataFrame, through the ``ucimlrepo`` package.

    Raises:
        MissingPackage: it is not installed.
        OSError: the repository did not answer.
    """
    require(f"the download of data set {number} of the UCI repository", "uci", "ucimlrepo")
    from ucimlrepo import fetch_ucirepo

    try:
        return fetch_ucirepo(id=number).data.original
    except Exception as error:  # its own exceptions, and whatever a half answer leads to
        raise OSError(f"the repository said: {str(error) or type(error).__name__}") from error


def fetch_archive(number: int, slug: str) -> bytes:
    """The zip of a data set's original files, for those that ``ucimlrepo`` refuses."""
    address = f"https://archive.ics.uci.edu/static/public/{number}/{slug}.zip"
    with urllib.request.urlopen(address) as answer:
        content: bytes = answer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # an error page is no zip
        archive.infolist()
    return content


def of_shape(matrix: np.ndarray, shape: tuple[int, int], path: Path) -> np.ndarray:
    """``matrix`` if it has this shape and no blanks.

    Raises:
        UserError: the file holds something else.
    """
    if matrix.shape != shape or not np.isfinite(matrix).all():
        blanks = int((~np.isfinite(matrix)).sum())
        raise UserError(
            f"{path} gives {matrix.shape[0]} x {matrix.shape[1]} numbers and {blanks} blanks, not {shape[0]} x "
            f"{shape[1]} and none: delete the file to fetch it again"
        )
    return matrix


@contextmanager
def time_out(seconds: float) -> Iterator[None]:
    """For connections opened within; ``ucimlrepo`` has no time-out of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
