"""Files that the code reads are part of the package that users install."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "src" / "lacuna"


def test_every_file_beside_the_code_is_package_data() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = {path for glob in settings["tool"]["setuptools"]["package-data"]["lacuna"] for path in PACKAGE.glob(glob)}
    files = {path for path in PACKAGE.rglob("*.*") if path.is_file() and "__pycache__" not in path.parts}
    assert PACKAGE / "reports" / "templates" / "completion_page.html" in packed
    left_out = sorted(str(path.relative_to(PACKAGE)) for path in files - packed if path.suffix != ".py")
    assert not left_out, "add them to package-data in pyproject.toml"
