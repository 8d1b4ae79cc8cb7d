"""The page for users says what its script prints."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    sys.path.insert(0, str(DOCS))
    try:
        import meaningful_missingness  # type: ignore[import-not-found]

        yield meaningful_missingness
    finally:
        sys.path.remove(str(DOCS))


@pytest.mark.parametrize("name", ["meant", "kept", "lost", "unidentified", "driven", "trial"])
def test_the_page_holds_what_its_script_prints(script: ModuleType, name: str) -> None:
    """Words to the letter; numbers but for what another processor does to the last digit."""
    page = script.PAGE.read_text(encoding="utf-8")
    (there,) = re.findall(f"<!-- begin {name} -->\n(.*?)\n<!-- end {name} -->", page, re.DOTALL)
    printed = script.BLOCKS[name]()
    assert NUMBER.sub("#", there) == NUMBER.sub("#", printed)
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (there, printed)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0.5)


def test_every_block_of_the_page_has_a_script(script: ModuleType) -> None:
    page = script.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"<!-- begin (\w+) -->", page) == list(script.BLOCKS)
    assert re.findall(r"<!-- end (\w+) -->", page) == list(script.BLOCKS)


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (DOCS / target).exists(), f"{page.name}: {target}"
