"""The README's "add your own" is tried exactly as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lacuna.records.record import Record, find_records

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"^## Add your own\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)
FILES = dict(re.findall(r"`([\w/]+\.(?:py|yaml))`:\n\n```(?:python|yaml)\n(.*?)```", SECTION, re.DOTALL))
RUN, IMPUTE = (shlex.split(line) for line in re.findall(r"^(?:python|lacuna) .*", SECTION, re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> str:
    """In a new process that stands in ``folder``; returns what it printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def recorded(folder: Path) -> Record:
    ((_, record),) = find_records(folder)
    return record


def test_the_examples_are_three_pairs_of_short_files() -> None:
    modules = {Path(name).stem for name in FILES if name.endswith(".py")}
    configs = {tuple(Path(name).parts[1:]) for name in FILES if name.endswith(".yaml")}
    assert configs == {("method", "hotdeck.yaml"), ("metric", "median_error.yaml"), ("dataset", "iris.yaml")}
    assert modules == {"hotdeck", "median_error", "iris"}
    assert max(len(content.splitlines()) for content in FILES.values()) < 30


def test_the_run_of_the_readme(folder: Path) -> None:
    run(folder, str(ROOT / "run.py"), *RUN[2:], f"outputs={folder}", "tracking=none", "device=cpu")
    record = recorded(folder)
    names = record.config["names"]
    assert (record.status, names["method"], names["dataset"]) == ("finished", "hotdeck", "iris")
    assert record.config["dataset"]["n_train"] == 120
    assert 0 < record.scores["test/median_error"] <= record.scores["test/rmse_all"]


def test_the_file_of_the_readme(folder: Path) -> None:
    pd.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", None]}).to_csv(folder / "my.csv", index=False)
    run(folder, "-m", "lacuna", *IMPUTE[1:], "--set", f"outputs={folder}", "device=cpu")
    done = pd.read_csv(folder / "my.completed.csv")
    assert done["a"][1] in (1.0, 3.0)
    assert done["b"][2] in ("x", "y")


PROGRAM = """
import pandas as pd
from lacuna import Imputer

print(Imputer("hotdeck"{argument}).fit_transform(pd.DataFrame({{"a": [2.0, None]}}))["a"][1])
"""


def test_the_imputer_of_the_readme(folder: Path) -> None:
    assert run(folder, "-c", PROGRAM.format(argument=', config_dir="my_conf"')) == "2.0\n"
    assert run(folder, "-c", PROGRAM.format(argument=""), LACUNA_CONFIG_DIR="my_conf") == "2.0\n"
