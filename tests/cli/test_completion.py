"""The Tab key completes lacuna, and each way to start a run speaks of itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress

import pytest

from lacuna import paths
from lacuna.cli import main, run


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *typed: str) -> str:
    monkeypatch.setattr(sys, "argv", ["bin/lacuna", *typed])
    with suppress(SystemExit):
        main.main()
    out, err = capsys.readouterr()
    assert not err
    return out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lacuna ", {"compare", "diagnose", "impute", "run"}),
        ("lacuna ru", {"compare", "diagnose", "impute", "run"}),  # the shell takes those that begin so
        ("lacuna run method=sel", {"method=selective", "method=selection"}),
        ("lacuna run method=mean_mode seed", {"seed="}),
        ("lacuna impute my.c", set()),  # the shell completes files
        ("lacuna diagnose my.c", set()),
    ],
)
def test_words_that_complete_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, words: set[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert set(printed(capsys, monkeypatch, "-sc", "query=bash").split()) == words


@pytest.mark.parametrize("typed", [("-sc", "install=bash"), ("run", "-sc", "install=bash")])
def test_it_registers_lacuna_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...]
) -> None:
    if not (bash := shutil.which("bash")):
        pytest.skip("no bash")
    code = printed(capsys, monkeypatch, *typed)
    done = subprocess.run([bash, "-c", f"{code}\ncomplete -p"], capture_output=True, text=True, check=True)
    (registered,) = [line for line in done.stdout.splitlines() if "hydra" in line]
    assert registered.endswith(" lacuna")


def test_run_py_registers_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "-sc", "install=bash"])
    with pytest.raises(SystemExit) as end:
        run.main()
    assert end.value.code == 2
    assert 'eval "$(lacuna -sc install=bash)"' in capsys.readouterr().err


def test_help_names_what_was_typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = printed(capsys, monkeypatch, "run", "--help")
    assert "lacuna run key=value" in out
    assert "run.py" not in out
    monkeypatch.setattr(sys, "argv", ["run.py", "--help"])
    with pytest.raises(SystemExit):
        run.main()
    assert "python run.py key=value" in capsys.readouterr().out


def test_the_program_where_there_is_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["worker.py"])
    assert paths.program() == ["python", "run.py"]
    monkeypatch.setattr(paths, "IN_CHECKOUT", False)
    assert paths.program() == ["lacuna", "run"]
