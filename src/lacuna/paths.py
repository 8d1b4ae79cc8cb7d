"""Where the configuration lives, and where results go unless told otherwise."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CONF = PACKAGE / "conf"  # in a checkout a link to the conf/ folder at the top; in a wheel a copy of it
_checkout = PACKAGE.parents[1]
PROJECT = _checkout if (_checkout / "run.py").is_file() else Path.cwd()  # outputs/ and data/ lie here
