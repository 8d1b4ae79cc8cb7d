"""Errors that a user can act on; the command line prints them as one line, without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something in the user's input is wrong; the message says what was found and what to do."""


class MissingPackage(UserError):
    """A method needs a package of an extra that is not installed."""


class StorageError(Exception):
    """A file could not be written: the disk is full, or the folder does not allow it."""


class NothingToScore(ValueError):
    """A metric was asked for on an empty set of cells."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name.

    >>> did_you_mean("mean_mod", ["mean_mode", "oracle"])
    ": did you mean 'mean_mode'?"
    >>> did_you_mean("x", ["mean_mode", "oracle"])
    ' (known: mean_mode, oracle)'
    """
    known = list(known)
    if not known:
        return " (there are none)"
    near = difflib.get_close_matches(name, known, n=1)
    shown = ", ".join(known[:30]) + (", ..." if len(known) > 30 else "")
    return f": did you mean {near[0]!r}?" if near else f" (known: {shown})"
