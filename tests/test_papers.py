"""The pages that map papers to code quote code that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("papers*.md"))
QUOTED = re.compile(r"`((?:src|conf)/[^`]+)`: `([^`]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_quoted_code_occurs_in_its_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    quoted = [(path, fragment.replace(r"\|", "|")) for path, fragment in QUOTED.findall(text)]
    assert quoted
    missing = [f"{path}: {fragment}" for path, fragment in quoted if fragment not in (ROOT / path).read_text("utf-8")]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_has_the_columns_of_its_table(page: Path) -> None:
    """A table's mapping rows all quote code: none says that a step exists without showing it."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(lines):
        if not line.startswith("| --- "):
            continue
        n_columns, maps = line.count("|"), lines[i - 1].endswith("| code |")
        for row in lines[i + 1 : next((j for j in range(i, len(lines)) if not lines[j].startswith("|")), len(lines))]:
            assert row.replace(r"\|", "").count("|") == n_columns, row
            assert QUOTED.search(row) or not maps, row
