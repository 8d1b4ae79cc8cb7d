"""Passwords on the command line: they reach what needs them, and nothing that is written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

IN_URL = re.compile(r"(?P<before>\b[a-zA-Z][\w+.-]*://[^\s/@:?#'\"]*:)(?P<secret>[^\s@/'\"]+)(?=@)")
IN_QUERY = re.compile(r"(?P<before>[?&][\w.-]*(?:password|passwd|pwd|token|secret|key)=)(?P<secret>[^\s&'\"]+)", re.I)


def to_environment(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with each password of a URL in an environment variable, and its name in its place.

    Processes that this one starts inherit the variable. To type the recorded command again, set it, or type the
    password in its place.
    """
    return [_hidden(argument, store=True) for argument in arguments]


def redacted(text: str) -> str:
    """Text with ``***`` in the place of passwords of URLs.

    >>> redacted("postgresql://me:hunter2@db/runs?sslpassword=x"), redacted("postgresql://me:${oc.env:PW}@db/runs")
    ('postgresql://me:***@db/runs?sslpassword=***', 'postgresql://me:${oc.env:PW}@db/runs')
    """
    return _hidden(text, store=False)


def _hidden(text: str, store: bool) -> str:
    def replace(found: re.Match[str]) -> str:
        secret = found["secret"]
        if secret.startswith("${"):  # a name, not a password
            return found[0]
        return found["before"] + (_variable(secret) if store else "***")

    return IN_QUERY.sub(replace, IN_URL.sub(replace, text))


def _variable(secret: str) -> str:
    """The interpolation that stands for a password; the same one has the same name."""
    number = 1
    while os.environ.get(name := f"LACUNA_PASSWORD_{number}", secret) != secret:
        number += 1
    os.environ[name] = secret
    return f"${{oc.env:{name}}}"
