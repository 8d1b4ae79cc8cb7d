"""Where the configuration lives, and where results go unless told otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CONF = PACKAGE / "conf"  # in a checkout a link to the conf/ folder at the top; in a wheel a copy of it
_checkout = PACKAGE.parents[1]
IN_CHECKOUT = (_checkout / "run.py").is_file()
PROJECT = _checkout if IN_CHECKOUT else Path.cwd()  # outputs/ and data/ lie here


def program() -> list[str]:
    """What one types to start a run: ``lacuna run`` where that was typed, or nothing else is there."""
    typed = Path(sys.argv[0]).name == "lacuna"
    return ["lacuna", "run"] if typed or not IN_CHECKOUT else ["python", "run.py"]
