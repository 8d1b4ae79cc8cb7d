"""How the numbers of records are shown: as the functions that compute them declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lacuna.config.described import display
from lacuna.downstream import DISPLAYS
from lacuna.metrics.display import Display

TOTAL = Display("running time", unit="seconds")  # of other machines: no rank
MM_RATE = Display("MM rate", percent=True)


def display_of_key(key: str, metrics: Mapping[str, Any]) -> Display:
    """Of a record's key.

    Args:
        key: ``<split>/<metric>``, the same with ``/<column>``, ``<split>/downstream/<target>/<score>``,
            ``seconds/<phase>`` or ``meaningful_rates/<column>/mm_rate``.
        metrics: the config of each metric by id, as records hold them.

    >>> display_of_key("seconds/total", {}).label, display_of_key("test/mine/age", {}).label
    ('running time', 'mine')
    """
    kind, *parts = key.split("/")
    if kind == "seconds":
        return TOTAL if parts == ["total"] else Display(f"time of {parts[0]}", unit="seconds")
    if kind == "meaningful_rates":
        return MM_RATE
    if parts[0] == "downstream":
        return DISPLAYS.get(parts[-1], Display(parts[-1]))
    return display(parts[0], metrics)
