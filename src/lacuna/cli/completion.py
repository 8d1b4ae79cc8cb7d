"""Shell completion of ``lacuna``: its commands, and after ``lacuna run`` what Hydra knows."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lacuna.cli import run

OPTIONS = ("-sc", "--shell-completion")
COMMANDS = ("compare", "diagnose", "impute", "run")


def answer(arguments: Sequence[str]) -> None:
    """Print the code that registers ``lacuna`` with a shell, or what completes the line that the shell shows.

    Args:
        arguments: one of ``install=``, ``uninstall=`` and ``query=``, with ``bash`` or ``fish``.
    """
    if arguments and arguments[0].startswith("query="):
        program, command, typed = split(os.environ.get("COMP_LINE", ""))
        if typed is None:
            print(*COMMANDS)
        if typed is None or command != "run":  # the shell itself completes the files of ``lacuna impute``
            return
        os.environ["COMP_LINE"] = f"{program} {typed}"
    sys.argv = ["lacuna", OPTIONS[0], *arguments]
    run.main()


def split(line: str) -> tuple[str, str, str | None]:
    """Program, command and what was typed after it; None where the command itself is being typed.

    >>> split("lacuna run method=sel"), split("lacuna ru")
    (('lacuna', 'run', 'method=sel'), ('lacuna', 'ru', None))
    """
    program, _, rest = line.lstrip().partition(" ")
    command, space, typed = rest.lstrip().partition(" ")
    return program, command, typed if space else None
