"""What a sweep would do: how many of its runs exist, failed, stopped or are missing, and how long the rest may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console

from lacuna.records.record import find_records, read_record, run_folder
from lacuna.runner.experiment import settled
from lacuna.runner.progress import duration


def print_plan(configs: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Count the runs of a sweep by what is known of them; nothing is run or written.

    Args:
        configs: resolved and checked, one for each job.
        console: where to print.
    """
    folders = [run_folder(config) for config in configs]
    kept = [read_record(folder) for folder in folders]
    done = [bool(settled(config, folder)) for config, folder in zip(configs, folders, strict=True)]
    unsettled = [record for record, over in zip(kept, done, strict=True) if record and not over]
    interrupted = sum(record.status == "interrupted" for record in unsettled)
    missing, failed = sum(record is None for record in kept), len(unsettled) - interrupted
    text = f"{len(configs)} run{'s' * (len(configs) != 1)}: {sum(done)} exist, {missing} missing, {failed} failed"
    if interrupted:
        text += f", {interrupted} interrupted (to go on)"
    todo = [config for config, over in zip(configs, done, strict=True) if not over]
    if todo:
        text += f"; to do {_estimate(todo)}"
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _estimate(todo: Sequence[Mapping[str, Any]]) -> str:
    """The time of the runs one after the other, as finished runs of the same method, data, budget and device took."""
    past: dict[tuple[str, ...], list[float]] = {}
    for _, record in find_records(Path(todo[0]["outputs"])):
        if record.status == "finished":
            past.setdefault(_kind(record.config), []).append(record.seconds["total"])
    known = [mean(past[_kind(config)]) for config in todo if _kind(config) in past]
    text = f"about {duration(sum(known))} one after the other" if known else "takes unknown time"
    unknown = len(todo) - len(known)
    return text + (f"; no past record to judge {unknown} of them by" if unknown else "")


def _kind(config: Mapping[str, Any]) -> tuple[str, ...]:
    return config["names"]["dataset"], config["names"]["method"], config["budget"]["name"], config["device"]
