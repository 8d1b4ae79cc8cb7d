"""Fixtures shared by the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data files kept beside a checkout; tests that need it skip where it is absent."""
    for parent in Path(__file__).resolve().parents:
        if (folder := parent / "shared" / "data").is_dir():
            return folder
    pytest.skip("the real data files (shared/data beside the checkout) are not here")
