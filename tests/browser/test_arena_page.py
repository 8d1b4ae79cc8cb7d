"""The page of the arena in a real browser: it sorts, filters, opens a table, and fits a telephone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lacuna.records.record import Record
from lacuna.tables.arena.page import as_html

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def address(tmp_path: Path, fake: Callable[..., Record]) -> str:
    made = []
    for d, data in enumerate(("wine", "breast", "concrete")):
        for ratio in (0.1, 0.3):
            for method, rmse in (("mean_mode", 1.0), ("knn", 0.5 + 0.1 * d), ("ice", 0.65)):
                asked = [f"dataset={data}", "mask=self_logistic", f"method={method}", f"ratio={ratio}"]
                scores = {"train/rmse_std": rmse + ratio, "train/energy_distance": 0.2 if method == "ice" else rmse}
                made.append(fake(tmp_path, asked, scores))
                made[-1].size = {"rows": 200 * (d + 1), "numbers": 5, "levels": d}
    (tmp_path / "arena.html").write_text(as_html(made, rounds=5), encoding="utf-8")
    return (tmp_path / "arena.html").as_uri()


def column(browser: Any, table: str, at: int) -> list[str]:
    cells = browser.find_elements("css selector", f"#{table} > tbody > tr > td:nth-child({at})")
    return [cell.text.split("\n")[0] for cell in cells]


def choose(browser: Any, name: str, text: str) -> None:
    from selenium.webdriver.support.select import Select

    Select(browser.find_element("name", name)).select_by_visible_text(text)


def head(browser: Any, table: str, text: str) -> Any:
    heads = browser.find_elements("css selector", f"#{table} > thead button")
    return next(button for button in heads if button.text.startswith(text))


def test_the_arena_sorts_filters_and_opens(browser: Any, address: str) -> None:
    browser.get(address)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert [text.split()[0] for text in column(browser, "board", 1)] == ["nearest", "ICE", "Mean/Mode"]
    assert [text.split()[0] for text in column(browser, "board", 2)] == ["1.33", "1.67", "3.00"]
    head(browser, "board", "mean rank").click()
    assert [text.split()[0] for text in column(browser, "board", 2)] == ["3.00", "1.67", "1.33"]
    choose(browser, "score", "energy distance")
    head(browser, "board", "mean rank").click()
    assert column(browser, "board", 1)[0].startswith("ICE")
    choose(browser, "type", "numbers only")
    assert column(browser, "list", 1) == ["wine"]
    assert "2 problems of 1 tables" in browser.find_element("id", "said").text
    choose(browser, "size", "over 5,000 rows")
    assert browser.find_element("id", "said").text == "No run matches these filters."
    choose(browser, "size", "all")
    browser.find_element("css selector", "#list td button").click()
    shown = browser.find_element("css selector", "td.detail").text
    assert "self_logistic 10.0%" in shown
    assert shown.splitlines()[1].startswith("ICE")


@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_of_the_arena_sticks_out(browser: Any, address: str, width: int) -> None:
    size = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    browser.find_element("css selector", "#list td button").click()
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.find_element("css selector", "#front circle").is_displayed()
