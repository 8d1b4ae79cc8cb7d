"""The switch of the hand-written kernels."""

from __future__ import annotations

import pytest

from lacuna.backend.kernels import VARIABLE, allowed, using
from lacuna.errors import UserError


@pytest.mark.parametrize(("word", "wanted"), [("auto", True), ("off", False), (None, True)])
def test_the_environment_decides(word: str | None, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if word:
        monkeypatch.setenv(VARIABLE, word)
    assert allowed() is wanted


def test_a_block_overrules_it_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    with using("auto"):
        assert allowed()
        with using("off"):
            assert not allowed()
        assert allowed()
    assert not allowed()


def test_another_word_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "on")
    with pytest.raises(UserError, match="LACUNA_KERNELS must be auto or off, got 'on'"):
        allowed()
