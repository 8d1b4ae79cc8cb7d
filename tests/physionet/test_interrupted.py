"""A build that is killed goes on and ends with the same bytes; and nothing of a patient leaves its folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("duckdb")

from lacuna.physionet.build import build_cohort

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_mimic_ed.py"
KILLED = """
import os, signal, sys
from pathlib import Path
from lacuna.physionet.build import build_cohort

def report(line):
    if line.startswith(sys.argv[3] + ":"):
        os.kill(os.getpid(), signal.SIGKILL)

build_cohort(Path(sys.argv[1]), Path(sys.argv[2]), threads=1, report=report)
"""


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


@pytest.mark.parametrize("step", ["triage", "cohort", "features"])
def test_a_killed_build_goes_on_to_the_same_bytes(small: Callable[..., Path], tmp_path: Path, step: str) -> None:
    root = small(gz=True)
    done = subprocess.run([sys.executable, "-c", KILLED, root, tmp_path / "out", step], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "manifest.json").exists()
    lines: list[str] = []
    build_cohort(root, tmp_path / "out", threads=1, report=lines.append)
    assert any(re.fullmatch(rf"{step}: 20 rows \(step \d+ of 14, from before\)", line) for line in lines)
    build_cohort(root, tmp_path / "straight", threads=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")


def test_a_build_killed_between_its_files_is_not_taken_for_a_whole_one(
    small: Callable[..., Path], tmp_path: Path
) -> None:
    root, out = small(), tmp_path / "out"
    dies = "import os, signal, lacuna.physionet.build as it; it.data_card = lambda *_: os.kill(os.getpid(), 9)"
    call = "import sys, pathlib; it.build_cohort(*map(pathlib.Path, sys.argv[1:]), threads=1)"
    done = subprocess.run([sys.executable, "-c", f"{dies}; {call}", root, out], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (out / "test.parquet").exists()
    assert not (out / "manifest.json").exists()
    build_cohort(root, out, threads=1)
    build_cohort(root, tmp_path / "straight", threads=1)
    assert contents(out) == contents(tmp_path / "straight")


def test_a_table_that_changed_is_read_again(small: Callable[..., Path], tmp_path: Path) -> None:
    root = small()
    subprocess.run([sys.executable, "-c", KILLED, root, tmp_path / "out", "cohort"], check=False)
    triage = root / "ed" / "triage.csv"
    triage.write_text(triage.read_text().replace(",Ankle injury", ",Chest pain"))
    lines: list[str] = []
    build_cohort(root, tmp_path / "out", threads=1, report=lines.append)
    assert "edstays: 20 rows (step 1 of 14, from before)" in lines
    assert "triage: 20 rows (step 2 of 14)" in lines
    build_cohort(root, tmp_path / "straight", threads=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")


def test_a_finished_build_is_left_alone_unless_a_file_of_it_is_not_whole(
    small: Callable[..., Path], tmp_path: Path
) -> None:
    root, out = small(), tmp_path / "out"
    manifest = build_cohort(root, out, threads=1)
    before = contents(out)
    lines: list[str] = []
    assert build_cohort(root, out, threads=1, report=lines.append) == manifest
    assert lines[-1] == f"{out} is up to date"
    (out / "train.parquet").write_bytes(b"half")
    build_cohort(root, out, threads=1)
    assert contents(out) == before


@pytest.fixture
def marked(small: Callable[..., Path]) -> Iterator[Path]:
    """A download whose patients can be recognised: subject and stay numbers and the complaint."""
    root = small()
    for path in root.rglob("*.csv"):
        lines = path.read_text().splitlines()
        rows = [line.replace("Ankle injury", "SECRET complaint") for line in lines[1:]]
        path.write_text("\n".join([lines[0], *(f"7777{row}" for row in rows)]) + "\n")
    return root


@pytest.mark.parametrize("damage", ["none", "quote", "time", "columns"])
def test_nothing_of_a_patient_is_printed_or_written_elsewhere(marked: Path, tmp_path: Path, damage: str) -> None:
    triage, edstays = marked / "ed" / "triage.csv", marked / "ed" / "edstays.csv"
    if damage == "quote":
        triage.write_text(triage.read_text().replace("SECRET", 'SEC"RET,"', 1))
    if damage == "time":
        edstays.write_text(edstays.read_text().replace("2150-06-01 10", "SECRET 2150-06-01 10", 1))
    if damage == "columns":
        triage.write_text(triage.read_text().replace("SECRET complaint", "SECRET complaint,1,2", 1))
    out, home = tmp_path / "out", tmp_path / "home"
    home.mkdir()
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)}
    done = subprocess.run(
        [sys.executable, SCRIPT, "--root", marked, "--out", out, "--threads", "1"],
        capture_output=True, text=True, check=False, cwd=home, env=os.environ | {"HOME": str(home)},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert (done.returncode == 0) == (damage == "none"), said
    assert "Traceback" not in said
    if damage != "none":
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert str(triage if damage != "time" else edstays) in line
    assert "SECRET" not in said
    assert "7777" not in said
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)} == before
    if damage == "none":
        shown = (out / "card.md").read_text() + (out / "manifest.json").read_text()
        assert "SECRET" not in shown
        assert "7777" not in re.sub("[0-9a-f]{64}", "", shown)
    assert (out / ".gitignore").read_text() == "*\n"
