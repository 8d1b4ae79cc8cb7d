"""``lacuna diagnose``: a file in, sentences out; errors are one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lacuna.cli import main
from lacuna.rng import stream


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    rng = stream(0, "jobs")
    frame = pd.DataFrame({"job": rng.choice(["yes", "no"], 200), "age": rng.integers(18, 70, 200)})
    frame["wage"] = np.where(frame["job"] == "yes", rng.normal(20, 3, 200).round(2), np.nan)
    path = tmp_path / "my jobs.csv"
    frame.to_csv(path, index=False)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["lacuna", "diagnose", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(end.value.code or 0)


def test_a_file_is_diagnosed(
    jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "columns.csv"
    assert run(monkeypatch, str(jobs), "--mm-candidates", "wage", "--permutations", "99", "-o", str(out)) == 0
    printed = capsys.readouterr().out
    assert "Blank without exception where job = no" in printed
    assert f"written: {out}" in printed
    assert pd.read_csv(out).set_index("column").loc["wage", "rule"] == "job = no"
    frame = pd.read_csv(jobs)
    frame.to_parquet(tmp_path / "jobs.parquet")
    assert (
        run(monkeypatch, str(tmp_path / "jobs.parquet"), "--permutations", "99", "--set", "dataset.max_levels=50") == 0
    )
    assert "where job = no" in capsys.readouterr().out


def test_the_name_of_a_file_is_a_name(
    jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SECRET", "resolved")
    named = jobs.rename(tmp_path / "${oc.env:SECRET}.csv")
    assert run(monkeypatch, str(named), "--permutations", "19") == 0
    assert "where job = no" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "cannot be read"),
        (["{jobs}", "--mm-candidates", "wages"], "did you mean 'wage'"),
        (["{jobs}", "--fast"], "lacuna diagnose --help"),
        (["{jobs}", "--set", "dataset.max_level=5"], "max_level"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], message: str, jobs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run(monkeypatch, *(argument.format(jobs=jobs) for argument in arguments)) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.strip().splitlines()) == 1


def test_a_page(jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    page = tmp_path / "page.html"
    assert run(monkeypatch, str(jobs), "--permutations", "99", "--report", str(page)) == 0
    assert f"written: {page}" in capsys.readouterr().out
    content = page.read_text(encoding="utf-8")
    assert "<title>my jobs.csv, diagnosed</title>" in content
    assert "Blank without exception where job = no" in content
    assert content.count("<dt>") == 4  # causes of one column
