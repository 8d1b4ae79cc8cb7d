"""Where the configuration lives, and where results go unless told otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_checkout = PACKAGE.parents[1]
_conf = PACKAGE / "conf"  # in a wheel a copy of conf/; in a checkout a link, or where there are none (Windows) a file
CONF = _conf if _conf.is_dir() else _checkout / "conf"
IN_CHECKOUT = (_checkout / "run.py").is_file()
PROJECT = _checkout if IN_CHECKOUT else Path.cwd()  # outputs/ and data/ lie here


def program() -> list[str]:
    """What one types to start a run: ``lacuna run`` where that was typed, or nothing else is there."""
    return ["lacuna", "run"] if is_lacuna(sys.argv[0]) or not IN_CHECKOUT else ["python", "run.py"]


def is_lacuna(program: str) -> bool:
    """Whether a program is the console command.

    >>> is_lacuna("bin/lacuna"), is_lacuna("lacuna.exe"), is_lacuna("run.py")
    (True, True, False)
    """
    return Path(program).name.lower() in ("lacuna", "lacuna.exe")
