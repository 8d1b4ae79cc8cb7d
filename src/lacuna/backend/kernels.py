"""Whether hand-written kernels are in use: ``auto``, where they serve, or ``off``, plain torch everywhere.

Each kernel's module asks ``allowed`` in the one function that says where it serves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from lacuna.errors import UserError

Choice = Literal["auto", "off"]
VARIABLE = "LACUNA_KERNELS"

_blocks: list[Choice] = []  # of ``using`` that are open; all threads see them


def allowed() -> bool:
    """Whether a kernel that serves is to be used.

    Raises:
        UserError: the environment variable holds another word.
    """
    choice = _blocks[-1] if _blocks else os.environ.get(VARIABLE, "auto")
    if choice not in get_args(Choice):
        raise UserError(f"{VARIABLE} must be {' or '.join(get_args(Choice))}, got {choice!r}")
    return choice == "auto"


@contextmanager
def using(choice: Choice) -> Iterator[None]:
    """This choice within a block, whatever the environment says.

    >>> with using("off"):
    ...     allowed()
    False
    """
    _blocks.append(choice)
    try:
        yield
    finally:
        _blocks.pop()
