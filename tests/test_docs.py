"""The pages say what their scripts print, and quote what stands in the code."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NUMBER = re.compile(r"\d+(?:\.\d+)?")
PAPERS = sorted(DOCS.glob("papers*.md"))
QUOTE = re.compile(r"`([^`\s]+/[^`\s]+\.\w+)`: `([^`]+)`")  # `path`: `fragment`
CELL = re.compile(r"(?<!\\)\|")  # a bar within a cell is written \|
MISSBGM_LINES = 14  # of its Algorithm 1
DIFFJOINT_LINES = {1: 11, 2: 9, 3: 11, 4: 14}  # of each algorithm of the paper


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


def quotes(text: str) -> list[tuple[str, str]]:
    """The (path, fragment) pairs of a page or a cell."""
    return [(path, fragment.replace("\\|", "|")) for path, fragment in QUOTE.findall(text)]


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.stem)
def test_what_the_maps_of_the_papers_quote_stands_in_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert quotes(text)
    for path, fragment in quotes(text):
        assert (ROOT / path).is_file(), f"{page.name} names {path}, which is not there"
        assert fragment in (ROOT / path).read_text(encoding="utf-8"), f"{page.name}: {path} has no `{fragment}`"


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.stem)
def test_every_row_of_the_maps_of_the_papers_quotes_code(page: Path) -> None:
    """Of a table whose last column is ``code``: none says that a step exists without showing it."""
    heading: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            heading = []
        elif not heading:
            heading = [cell.strip() for cell in CELL.split(line)[1:-1]]
        elif set(line) - set("|- "):
            row = CELL.split(line)[1:-1]
            assert len(row) == len(heading), f"{page.name}: {row}"
            assert heading[-1] != "code" or quotes(row[-1]), f"{page.name}: {row[0].strip()} quotes no code"


def test_the_map_has_every_line_of_the_algorithms_of_diff_joint() -> None:
    text = (DOCS / "papers.md").read_text(encoding="utf-8")
    found = [(int(a), int(line)) for a, line in re.findall(r"^\| Algorithm (\d), line (\d+) \|", text, re.MULTILINE)]
    assert found == [(a, line) for a, n in DIFFJOINT_LINES.items() for line in range(1, n + 1)]
    assert re.findall(r"^\| equation (\d) \|", text, re.MULTILINE) == ["5", "6", "7"]


def test_the_map_has_every_line_of_the_algorithm_of_missbgm() -> None:
    section = (DOCS / "papers.md").read_text(encoding="utf-8").partition("### Algorithm 1, section 4.2")[2]
    rows = re.findall(r"^\| lines? ([\d, ]+) \|", section.partition("\n### ")[0], re.MULTILINE)
    lines = [int(line) for row in rows for line in row.split(",")]
    assert lines == list(range(1, MISSBGM_LINES + 1))


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.py")), ids=lambda path: path.stem)
def test_the_scripts_of_the_pages_import(path: Path, loaded: Callable[[str], ModuleType]) -> None:
    assert loaded(f"docs/{path.name}").__doc__
