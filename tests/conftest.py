"""Fixtures shared by the whole suite."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

from lacuna.config.compose import compose, plain
from lacuna.records.record import Record, run_folder, run_id, run_name

# the same examples every time, and no time limit: a first call may import a library, and machines are busy
settings.register_profile("lacuna", deadline=None, derandomize=True)
settings.load_profile("lacuna")

if not Path("/dev/nvidia0").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # where Triton is installed: its kernels run without a GPU too


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data files kept beside a checkout; tests that need it skip where it is absent."""
    for parent in Path(__file__).resolve().parents:
        if (folder := parent / "shared" / "data").is_dir():
            return folder
    pytest.skip("the real data files (shared/data beside the checkout) are not here")


def script_at(path: str) -> ModuleType:
    """What a script, named by its path in the project, defines."""
    spec: Any = importlib.util.spec_from_file_location(Path(path).stem, Path(__file__).parents[1] / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def loaded() -> Callable[[str], ModuleType]:
    """Loads a script as a module, see ``script_at``."""
    return script_at


def left_by(folder: Path, overrides: list[str], scores: dict[str, float], **other: Any) -> Record:
    """A record below ``folder``/runs of the run that ``overrides`` describe."""
    config = plain(compose(["device=cpu", "tracking=none", f"outputs={folder}", *overrides]))
    about = {"status": "finished", "seconds": {"total": 2.0}, "device": "cpu", "peak_memory_gb": 0.5}
    about |= {"hardware": {"cpu": "a CPU", "cores": 2}, "commit": "c" * 40, "finished": "2026-01-01", "scores": scores}
    kept = {key: value for key, value in config.items() if key not in ("outputs", "tracking")}
    named = {"run": run_id(config), "name": run_name(config), "config": kept}
    record = Record(**{"command": "python run.py " + " ".join(overrides), **named, **about, **other})
    record.write(run_folder(config))
    return record


@pytest.fixture(scope="session")
def fake() -> Callable[..., Record]:
    """Writes a record below ``folder``/runs; arguments as of ``left_by``."""
    return left_by
