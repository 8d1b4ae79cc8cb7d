"""Errors that a user can act on; the command line prints them as one line, without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib.util import find_spec

DISTRIBUTION = "lacuna-impute"  # what pip installs


class UserError(ValueError):
    """Something in the user's input is wrong; the message says what was found and what to do."""


class MissingPackage(UserError):
    """A package of an extra is not installed; the message ends with the command that installs it."""


class MissingWeights(UserError):
    """The trained weights of a method are not on this machine; the message says which, and where to put them."""


class StorageError(Exception):
    """A file could not be written: the disk is full, or the folder does not allow it."""


class NothingToScore(ValueError):
    """A metric was asked for on an empty set of cells."""


def require(what: str, extra: str, *packages: str) -> None:
    """Make sure, without importing them, that packages are installed.

    Args:
        what: needs them, for the message.
        extra: of Lacuna, which brings them.
        packages: as they are imported.

    Raises:
        MissingPackage: one is not installed.
    """
    if missing := [package for package in packages if not is_installed(package)]:
        needed = " and ".join(missing)
        raise MissingPackage(f"{what} needs {needed}, not installed here: pip install '{DISTRIBUTION}[{extra}]'")


def is_installed(package: str) -> bool:
    """
    >>> is_installed("numpy"), is_installed("no_such.package")
    (True, False)
    """
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of the package above it
        return False


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
