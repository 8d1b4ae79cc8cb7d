"""The lines of ``scale.py`` as a figure and as the tables of benchmarks/notes/size.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]  # of one measurement
HARDWARE = {"cpu": "CPU", "cuda": "GPU"}


def read(source: Path) -> list[Line]:
    """The lines that count: of each method, device, budget and size a whole measurement, else a part; the latest."""
    found: dict[tuple[str, ...], Line] = {}
    for text in source.read_text().splitlines():
        line = json.loads(text)
        key = tuple(str(line[name]) for name in ("method", "device", "budget", "rows"))
        told = "fit_s" in line or "cpu_s" in line  # else it was killed before it could tell
        if told and (key not in found or _rank(line) >= _rank(found[key])):
            found[key] = line
    return sorted(found.values(), key=lambda line: line["rows"])


def _rank(line: Line) -> tuple[bool, bool]:
    return line["status"] == "finished", not line.get("fit_only", False)


def by_method(lines: Iterable[Line]) -> dict[tuple[str, str, str], dict[int, Line]]:
    """By method, device and budget, then by rows."""
    groups: dict[tuple[str, str, str], dict[int, Line]] = {}
    for line in lines:
        groups.setdefault((line["method"], line["device"], line["budget"]), {})[line["rows"]] = line
    return groups


def cost(line: Line) -> float:
    """Seconds of fit and impute, or until it was stopped; on a CPU, that other work may share, of the processor."""
    if line["status"] != "finished":
        return line["cpu_s"]
    if "whole_fit_s" in line:
        return line["whole_fit_s"] + line["impute_s"]
    kind = "s" if line["device"] == "cuda" else "cpu_s"
    return line[f"fit_{kind}"] + line[f"impute_{kind}"]


# --- tables -----------------------------------------------------------------------------------------------------------


def tables(source: Path) -> str:
    """Markdown: for CPU and GPU seconds and peak memory of each method against the rows."""
    lines = read(source)
    sizes = sorted({line["rows"] for line in lines})
    parts = []
    for device, name in HARDWARE.items():
        own = by_method(line for line in lines if line["device"] == device)
        heads = [f"| {name} | " + " | ".join(f"{rows:,}" for rows in sizes) + " |", "|---" * (1 + len(sizes)) + "|"]
        parts.append(
            "\n".join([*heads, *(row for group, by_rows in own.items() for row in _rows(group, by_rows, sizes))])
        )
    return "\n\n".join(parts)


def _rows(group: tuple[str, str, str], by_rows: dict[int, Line], sizes: list[int]) -> Iterator[str]:
    method, device, budget = group
    for title, cell in (
        (f"{method}, {budget} budget", _seconds),
        ("peak memory, GB" if device == "cpu" else "peak memory of process and device, GB", _memory),
    ):
        yield f"| {title} | " + " | ".join(cell(by_rows[rows]) if rows in by_rows else "" for rows in sizes) + " |"


def _seconds(line: Line) -> str:
    """A star is an extrapolated fit."""
    seconds = f"{cost(line):,.0f} s" if cost(line) >= 1 else f"{cost(line):.1f} s"
    limit = "over " * (line["status"] != "finished")
    return limit + seconds + " *" * bool(line["cut"]) + ", fit alone" * line.get("fit_only", False)


def _memory(line: Line) -> str:
    peaks = (line["peak_memory_gb"], line.get("device_peak_memory_gb"))
    return ", ".join(f"{gb:.1f}" if gb >= 1 else f"{gb:.2f}" for gb in peaks if gb is not None)


# --- the figure -------------------------------------------------------------------------------------------------------


def figure(source: Path, target: Path) -> None:
    """Cost against rows, both logarithmic: fit and impute together, and peak memory."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(11.5, 4.2), layout="constrained")
    seconds, memory = drawing.subplots(1, 2)
    for i, ((method, device, _), by_rows) in enumerate(by_method(read(source)).items()):
        own = [line for line in by_rows.values() if all(_rank(line))]
        look = {"color": f"C{i % 10}", "marker": "osdv<>Px*"[i % 9], "linestyle": ("-", "--", ":", "-.")[i % 4]}
        cut = any(line["cut"] for line in own)
        label = f"{method}, {HARDWARE[device]}{', extrapolated' if cut else ''}"
        look |= {"markerfacecolor": "none"} if cut else {}
        seconds.loglog([x["rows"] for x in own], [cost(x) for x in own], label=label, **look)
        memory.loglog([x["rows"] for x in own], [x["peak_memory_gb"] for x in own], **look)
        for line in by_rows.values():
            if not all(_rank(line)):
                seconds.loglog(line["rows"], cost(line), color=look["color"], marker=r"$\uparrow$", markersize=12)
    seconds.set(
        xlabel="rows", ylabel="fit and impute, seconds (CPU: of the processor)", title="time (↑ more than this)"
    )
    memory.set(xlabel="rows", ylabel="peak memory of the process, GB", title="memory")
    drawing.legend(loc="outside right upper", fontsize="small")
    for axis in (seconds, memory):
        axis.grid(which="major", color="0.85")
    drawing.savefig(target, dpi=100)
