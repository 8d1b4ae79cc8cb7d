"""What the cost of methods against rows is said to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def line(method: str, rows: int, **other: object) -> dict[str, object]:
    about = {"method": method, "rows": rows, "device": "cpu", "budget": "quick", "cut": {}, "status": "finished"}
    measured = {"fit_cpu_s": 30.0, "impute_cpu_s": 5.0, "fit_s": 90.0, "impute_s": 9.0, "peak_memory_gb": 0.5}
    return about | measured | other


def test_tables_take_the_whole_measurement_and_mark_what_is_none(
    tmp_path: Path, loaded: Callable[[str], ModuleType]
) -> None:
    shown = loaded("benchmarks/scale_shown.py")
    cut = {"device": "cuda", "cut": {"epochs": 3}, "whole_fit_s": 4000.0, "device_peak_memory_gb": 3.25}
    lines = [
        line("forest", 1000, status="timeout", cpu_s=420.4),
        line("forest", 1000),
        line("forest", 50_000, fit_only=True),
        line("forest", 150_000, status="timeout", cpu_s=420.4, fit_only=True),
        {"method": "forest", "rows": 441_437, "device": "cpu", "budget": "quick", "status": "failed"},
        line("net", 150_000, **cut),
    ]
    source = tmp_path / "scale.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)))
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in shown.tables(source).splitlines() if row]
    assert ["CPU", "1,000", "50,000", "150,000"] in cells
    assert ["forest, quick budget", "35 s", "35 s, fit alone", "over 420 s, fit alone"] in cells
    assert ["net, quick budget", "", "", "4,009 s *"] in cells
    assert cells[-1] == ["peak memory of process and device, GB", "", "", "0.50, 3.2"]
    shown.figure(source, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").stat().st_size > 10_000
