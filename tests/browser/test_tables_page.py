"""The page of all tables in a real browser: it needs nothing else, every table is there, and its links lead to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lacuna.records.record import Record
from lacuna.tables.grid import Grid
from lacuna.tables.page import filled
from lacuna.tables.papers.catalogue import CATALOGUE
from lacuna.tables.produce import write_all
from lacuna.tables.text import words

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TABLES = ("diffjoint/1", "diffjoint/2", "missbgm/figure2", "missbgm/figure6")


@pytest.fixture
def page(tmp_path: Path, fake: Callable[..., Record]) -> tuple[str, list[Grid]]:
    """Its address, and what it shows."""
    for seed in (0, 1):
        for method, rmse in (("mean_mode", 5.1), ("oracle", 4.8)):
            scores = {"test/acc": 0.5, "test/acc_discrete": 0.6, "test/rmse": rmse + seed / 10}
            fake(tmp_path, [f"method={method}", f"seed={seed}"], scores | {"test/mm_f1": 0.7, "test/mm_recall": 0.6})
            asked = ["experiment=missbgm_figure2", f"method={method}", f"seed={seed}"]
            fake(tmp_path, [*asked, "dataset.p=50"], {"train/rmse_all": rmse})
            fake(tmp_path, [*asked, "dataset.p=100"], {"train/rmse_all": rmse / 2})
    filled_page = filled(CATALOGUE, [tmp_path / "runs"], TABLES)
    write_all(filled_page, tmp_path / "tables")
    return (tmp_path / "tables" / "tables.html").as_uri(), filled_page.grids


def test_the_page_of_tables(browser: Any, page: tuple[str, list[Grid]]) -> None:
    address, grids = page
    browser.get(address)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert [h.text for h in browser.find_elements("css selector", "section h2")] == [grid.heading for grid in grids]
    for i, grid in enumerate(grids):
        shown = browser.find_elements("css selector", f"#t{i} > .scroll td:not(.head)")
        expected = [words(cell).ours for row in grid.rows for cell in row.cells] if grid.records else []
        assert [cell.text.split("\n")[0] for cell in shown] == expected
    for picture in browser.find_elements("tag name", "img"):
        assert browser.execute_script("return arguments[0].naturalWidth", picture) > 100
    assert len(browser.find_elements("css selector", "section img")) == 1
    assert_nothing_sticks_out(browser)


def test_links_and_commands_of_the_page_of_tables(browser: Any, page: tuple[str, list[Grid]]) -> None:
    browser.get(page[0])
    browser.find_element("css selector", "nav a[href='#t2']").click()
    top = browser.execute_script("return document.getElementById('t2').getBoundingClientRect().top")
    bottom = browser.execute_script("return document.body.getBoundingClientRect().bottom - innerHeight")
    assert abs(top) < 5 or bottom < 5  # at the top of the window, or the window at the end of the page
    command = browser.find_element("css selector", "#t0 .missing pre")
    assert not command.is_displayed()
    browser.find_element("css selector", "#t0 .missing summary").click()
    assert "python run.py -m experiment=diffjoint_table1" in command.text


def assert_nothing_sticks_out(browser: Any) -> None:
    """Wide tables scroll within their frame, at the width of a phone too."""
    for width in (1800, 500):
        browser.set_window_size(width, 1000)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), width
