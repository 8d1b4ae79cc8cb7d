"""Benchmarks that go on where they were stopped: one JSON line a run, and no run is measured twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def measured_once(path: Path, keys: Iterable[Line], measure: Callable[[Line], Line]) -> list[Line]:
    """The line of each key, in their order: read from ``path``, or measured and added to it.

    Args:
        keys: what tells one run from all others; they become part of its line.
        measure: key -> what was found.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    lines = []
    for key in keys:
        line = next((line for line in known if line.items() >= key.items()), None)
        if line is None:
            line = key | measure(key)
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
        lines.append(line)
    return lines
