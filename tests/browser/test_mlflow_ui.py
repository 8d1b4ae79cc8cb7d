"""The MLflow of a small sweep in a real browser: open the experiment, select two runs, compare them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lacuna.records.record import find_records

ROOT = Path(__file__).parents[2]
METHODS = ("mean_mode", "always_na")
METRIC = "//a[@title='Plot chart' and text()='test/acc']"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """What a sweep over two methods leaves."""
    small = ["dataset.n_train=200", "dataset.n_test=100", "device=cpu", f"outputs={tmp_path}"]
    command = [sys.executable, ROOT / "run.py", "-m", f"method={','.join(METHODS)}", *small]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    return tmp_path


@pytest.fixture
def address(outputs: Path) -> Iterator[str]:
    """Where ``mlflow ui`` answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "ui", "--workers=1", "--host=127.0.0.1", f"--port={port}"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    log = (outputs / "server.log").open("w")
    server = subprocess.Popen(
        [*command, f"--backend-store-uri=sqlite:///{outputs}/mlflow.db"],
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )

    def answers() -> bool:
        assert server.poll() is None, (outputs / "server.log").read_text()
        try:
            return urllib.request.urlopen(f"{url}/health", timeout=5).status == 200
        except OSError:
            return False

    try:
        wait_for(answers)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # the server and its workers
        server.wait()


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    """The first true answer of ``condition``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
    return found


def test_two_runs_of_a_sweep_are_compared(browser: Any, address: str, outputs: Path) -> None:
    """And the sweep is called by its axes, and final scores are the first charts."""

    def see(xpath: str) -> Any:
        return wait_for(lambda: next((e for e in browser.find_elements("xpath", xpath) if e.is_displayed()), None))

    def click(xpath: str) -> None:
        see(xpath).click()

    browser.get(f"{address}/#/experiments")
    click("//*[text()='Model training']")
    click("//a[text()='bayesnet']")
    name = "method=mean_mode,always_na, dataset.n_train=200, dataset.n_test=100"  # too long to be shown whole
    wait_for(lambda: browser.find_elements("xpath", f"//a[.='{name}']"))
    click("//*[contains(@data-component-id, 'runnamecellrenderer')]")  # unfolds the sweep
    click("//label[.//input[@value='CHART']]")
    see("//h4[@title='test/acc']")
    titles = [element.get_attribute("title") for element in browser.find_elements("xpath", "//h4[@title]")]
    assert titles[0] == "test/acc"
    heads = browser.find_elements("xpath", "//div[text()='test' or text()='train' or text()='usage']")
    assert [head.get_attribute("textContent") for head in heads] == ["test", "train", "usage"]
    click("//label[.//input[@value='TABLE']]")
    for method in METHODS:
        name = f"{method}-mcar-0.1-0-n200+100"
        click(f"//div[@role='row' and .//*[text()='{name}']]//div[contains(@class, 'ag-checkbox-input-wrapper')]")
    click("//button[.//text()='Compare']")
    see("//*[contains(text(), 'Comparing 2 Runs')]")
    shown = {record.name: f"{record.scores['test/acc']:.3f}" for _, record in find_records(outputs)}
    for name in shown:
        wait_for(lambda name=name: browser.find_elements("xpath", f"//*[text()='{name}-n200+100']"))
    value, other = shown.values()
    for cell in (f"//*[text()='{value}']", METRIC):  # values and names scroll apart
        found = wait_for(lambda cell=cell: browser.find_elements("xpath", cell))
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
    wait_for(lambda: beside(browser, value) and beside(browser, other))


def beside(browser: Any, value: str) -> bool:
    """Whether ``value`` is to be seen in the row of the metric."""
    name = browser.find_element("xpath", METRIC)
    cells = [cell for cell in browser.find_elements("xpath", f"//*[text()='{value}']") if cell.is_displayed()]
    return name.is_displayed() and any(abs(cell.rect["y"] - name.rect["y"]) < 20 for cell in cells)
