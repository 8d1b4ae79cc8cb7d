"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if not Path("/dev/nvidia0").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # where Triton is installed: its kernels run without a GPU too


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data files kept beside a checkout; tests that need it skip where it is absent."""
    for parent in Path(__file__).resolve().parents:
        if (folder := parent / "shared" / "data").is_dir():
            return folder
    pytest.skip("the real data files (shared/data beside the checkout) are not here")
