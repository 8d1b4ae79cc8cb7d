"""The machine and the software a run happened on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from lacuna import __version__, paths

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "torch",
    "hydra-core",
    "omegaconf",
    "mlflow",
    "hyperimpute",
    "miceforest",
    "lightgbm",
    "ForestDiffusion",
    "xgboost",
    "xgboost-cpu",
)


def versions() -> dict[str, str]:
    """Of Python and of the packages that a run may touch."""
    found = {"python": platform.python_version(), "lacuna": __version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> tuple[str | None, bool | None]:
    """The checked-out commit and whether tracked files differ from it; None outside a git checkout."""
    if not (paths.PROJECT / ".git").exists():
        return None, None
    try:
        return _git("rev-parse", "HEAD").strip(), bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(paths.PROJECT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def hardware(device: str) -> dict[str, Any]:
    """Processor, cores that this process may use, memory, and the GPU where one is used."""
    import psutil  # not for those who only read records

    memory = psutil.virtual_memory().total / 2**30
    found: dict[str, Any] = {"cpu": _processor(), "cores": n_cores(), "memory_gb": round(memory, 1)}
    if device == "cuda":
        import torch

        found["gpu"] = torch.cuda.get_device_name()
    return found


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return named[1] if named else platform.processor() or platform.machine()


class MemoryMeter:
    """Peak memory from its creation on: of this process, and what torch allocated on the GPU."""

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # Linux: start VmHWM anew
        if self._cuda:
            self._cuda.reset_peak_memory_stats()

    @property
    def _cuda(self) -> Any:
        torch = sys.modules.get("torch")
        return torch.cuda if torch and torch.cuda.is_available() and torch.cuda.is_initialized() else None

    def peak_gb(self) -> float:
        if peak := _status_gb("VmHWM"):
            return peak
        try:
            import resource
        except ImportError:  # Windows
            import psutil

            return psutil.Process().memory_info().peak_wset / 2**30  # since the process began
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30

    def device_peak_gb(self) -> float | None:
        return self._cuda.max_memory_allocated() / 2**30 if self._cuda else None


def resident_gb() -> float | None:
    """Resident memory of this process now; None where the system does not tell."""
    return _status_gb("VmRSS")


def _status_gb(key: str) -> float | None:
    try:
        found = re.search(rf"{key}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return None
    return int(found[1]) / 2**20 if found else None
