"""A real browser for the pages that users see."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OPTIONS = (  # no network but the loopback, and no sandbox, which root may not have
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1800,1400"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture
def browser(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Headless Chromium with a profile of its own."""
    missing = [tool for tool in ("chromium", "chromedriver") if not shutil.which(tool)]
    if missing and not os.environ.get("LACUNA_REQUIRE_BROWSER"):
        pytest.skip(f"no browser can be started here: no {missing[0]} (apt-get install chromium chromium-driver)")
    assert not missing
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = shutil.which("chromium")
    for option in (*OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    folder = Path(os.environ.get("LACUNA_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    name = request.node.name.removeprefix("test_").replace("_", "-")
    driver.save_screenshot(str(folder / f"{name}.png"))  # also of where a test failed
    driver.quit()
