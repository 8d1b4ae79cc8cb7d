"""What a build takes, as the operating system counts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("duckdb")

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_mimic_ed.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory of a process is counted in another unit")
def test_a_build_holds_a_fraction_of_its_tables(loaded: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """40,000 stays with 440,000 diagnoses; 450,000 stays take 0.9 GB (benchmarks/README.md)."""
    loaded("benchmarks/mimic_ed.py").make(tmp_path / "raw", 40_000)
    call = [sys.executable, SCRIPT, "--root", tmp_path / "raw", "--out", tmp_path / "out", "--threads", "2"]
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # it has been waited for
    assert status == 0
    # Linux starts to count a child where the process that started it stands: at this one's memory
    own = int(next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS")).split()[1])
    assert usage.ru_maxrss < max(0.6 * 2**20, 1.1 * own)
