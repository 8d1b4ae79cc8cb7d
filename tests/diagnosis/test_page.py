"""The page quotes what the command prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lacuna.cli import diagnose

PAGE = Path(__file__).parents[2] / "docs" / "diagnose.md"


def test_the_page_holds_what_is_said_of_the_survey(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    survey = subprocess.run([sys.executable, PAGE.parent / "survey.py"], capture_output=True, check=True)
    (tmp_path / "survey.csv").write_bytes(survey.stdout)
    assert diagnose.diagnose([str(tmp_path / "survey.csv"), "--mm-candidates", "income,contract"]) == 0
    printed = capsys.readouterr().out
    (there,) = re.findall(
        "<!-- begin income -->\n```\n(.*?)\n```\n<!-- end income -->", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert there in printed
