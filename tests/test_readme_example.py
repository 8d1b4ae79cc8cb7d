"""The README's "add your own method" is run exactly as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lacuna.records.record import find_records

ROOT = Path(__file__).parents[1]
# lacuna.methods takes a further folder, so that the example's file needs no place in this checkout.
PROGRAM = """
import runpy, sys
import lacuna.methods

lacuna.methods.__path__.append({folder!r})
sys.path.insert(0, {folder!r})
sys.argv = {arguments!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return next((text for text in blocks if containing in text), "")


def test_the_example_runs_as_printed(tmp_path: Path) -> None:
    code, config = block("python", "(Method)"), block("ya?ml", "_target_:")
    if not code or not config:
        pytest.skip("the README has no example of a method yet")
    assert len([*code.splitlines(), *config.splitlines()]) < 30
    target = re.search(r"_target_:\s*(\S+)\.\w+", config)
    assert target is not None
    name = target[1].rpartition(".")[2]
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    (tmp_path / "conf" / "method").mkdir(parents=True)
    (tmp_path / "conf" / "method" / f"{name}.yaml").write_text(config, encoding="utf-8")
    arguments = [str(ROOT / "run.py"), f"--config-dir={tmp_path / 'conf'}", f"method={name}", f"outputs={tmp_path}"]
    arguments += ["dataset.n_train=300", "dataset.n_test=100", "tracking=none", "device=cpu"]
    program = PROGRAM.format(folder=str(tmp_path), arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ((_, record),) = find_records(tmp_path)
    assert (record.status, record.config["names"]["method"]) == ("finished", name)
    assert record.scores["test/rmse"] > 0
