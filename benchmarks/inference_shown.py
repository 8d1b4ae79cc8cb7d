"""Lines of inference.py: blocks of a setting made one, and tables of them that say what misses its target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Line = dict[str, Any]

SETTING = ("law", "mechanism", "rate", "n", "method", "m")
MEANS = ("variance", "covered", "width", "fmi")
COVERAGE = (0.92, 0.98)
BIAS = 0.05
HARD = ("interaction", "quadratic")  # laws of which less is asked up to 30%
HARD_COVERAGE, HARD_BIAS, HARD_UP_TO = 0.85, 0.10, 0.3
NOTE = (
    "Bias of the worst estimand relative to the truth ± one Monte-Carlo error; the least and the largest coverage of "
    "95% intervals, whose Monte-Carlo error is {error:.3f} at {repetitions} repetitions; the mean width of intervals "
    "relative to those of complete tables, of the estimand where it is largest; CPU seconds are those of a table. "
    "Targets: bias under 5% or two Monte-Carlo errors, coverage of 0.92 to 0.98; for interaction and quadratic up to "
    "30%: 10%, and "
    "at least 0.85. **Bold** misses them; *italic* misses coverage by less than two Monte-Carlo errors."
)


def merged(lines: Iterable[Line], *, apart: bool = False) -> list[Line]:
    """One line a setting, of all its repetitions; or, ``apart``, one for each run of neighbouring seeds."""
    runs: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (_setting(line), line["first"])):
        if not runs or _setting(runs[-1][0]) != _setting(line):
            runs.append([line])
            continue
        end = runs[-1][-1]["first"] + runs[-1][-1]["repetitions"]
        if line["first"] < end:
            raise ValueError(f"two lines of {_setting(line)} tell of seed {line['first']}")
        if apart and line["first"] > end:
            runs.append([line])
        else:
            runs[-1].append(line)
    return [_one(blocks) for blocks in runs]


def _setting(line: Line) -> tuple[Any, ...]:
    return tuple(line[key] for key in SETTING)


def _one(blocks: Sequence[Line]) -> Line:
    told = [block for block in blocks if block["repetitions"] > block["failed"]]
    line = {key: blocks[0][key] for key in (*SETTING, "first")}
    line |= {key: sum(block[key] for block in blocks) for key in ("repetitions", "failed")}
    if not told:
        return line
    weights = np.array([block["repetitions"] - block["failed"] for block in told], float)

    def mean(values: Sequence[Any]) -> Any:
        return np.average(np.array(values, float), axis=0, weights=weights)

    estimates = np.array([block["estimate"] for block in told])
    estimate = mean(estimates)
    found = {key: mean([block[key] for block in told]) for key in MEANS}
    found |= {"estimate": estimate, "spread": mean([block["spread"] for block in told])}
    found["spread"] = found["spread"] + mean((estimates - estimate) ** 2)
    line |= {key: told[0][key] for key in ("estimands", "truth")}
    line |= {key: [float(f"{value:.6g}") for value in values] for key, values in found.items()}
    return line | {"seconds": round(float(mean([block["seconds"] for block in told])), 4)}


class Shown:
    """What a line says, beside its targets."""

    def __init__(self, line: Line, complete: Line | None) -> None:
        self.line, truth = line, np.array(line["truth"])
        self.n = line["repetitions"] - line["failed"]
        bias = np.array(line["estimate"]) / truth - 1
        error = np.sqrt(np.array(line["spread"]) / self.n) / np.abs(truth)
        hard = line["law"] in HARD and line["rate"] <= HARD_UP_TO
        excess = np.abs(bias) - np.maximum(HARD_BIAS if hard else BIAS, 2 * error)
        worst = int(np.abs(bias).argmax())
        self.bias, self.error, self.biased = bias[worst], error[worst], bool((excess > 0).any())
        covered = np.array(line["covered"])
        self.least, self.most = covered.min(), covered.max()
        low, high = (HARD_COVERAGE, 1.0) if hard else COVERAGE
        self.uncovered = self.least < low or self.most > high
        noise = 2 * np.sqrt(low * (1 - low) / self.n)
        above = 2 * np.sqrt(high * (1 - high) / self.n)
        self.clearly = self.least < low - noise or self.most > high + above
        self.width = float((np.array(line["width"]) / complete["width"]).max()) if complete else float("nan")

    @property
    def bias_text(self) -> str:
        text = f"{100 * self.bias:+.1f} ± {100 * self.error:.1f}%"
        return f"**{text}**" if self.biased else text

    @property
    def coverage_text(self) -> str:
        text = "-".join(dict.fromkeys(f"{share:.2f}" for share in (self.least, self.most)))
        return f"**{text}**" if self.clearly else f"*{text}*" if self.uncovered else text


def _shown(lines: Sequence[Line]) -> list[Shown]:
    complete = {(line["law"], line["n"]): line for line in lines if line["method"] == "complete"}
    return [Shown(line, complete.get((line["law"], line["n"]))) for line in lines if "estimate" in line]


def as_table(lines: Sequence[Line]) -> str:
    """A row for each setting and method."""
    head = ("law", "blanks", "n", "m", "repetitions", "method", "bias, worst", "coverage", "width", "seconds")
    rows = [
        (
            one.line["law"],
            f"{one.line['mechanism']} {one.line['rate']:g}",
            one.line["n"],
            one.line["m"],
            f"{one.line['repetitions']}" + (f" ({one.line['failed']} failed)" if one.line["failed"] else ""),
            one.line["method"],
            one.bias_text,
            one.coverage_text,
            "" if np.isnan(one.width) else f"{one.width:.2f}",
            f"{one.line['seconds']:.2f}",
        )
        for one in sorted(_shown(lines), key=lambda one: [str(one.line[key]) for key in SETTING[:4]])
    ]
    return _markdown(head, rows)


def as_markdown(lines: Sequence[Line], n: int = 300, rate: float = 0.3) -> str:
    """How many settings each method reaches, and the worst bias and coverages at one size and rate by law.

    Settings with less than half of the most repetitions are still under way, and are left out.
    """
    found = _shown(lines)
    most = max((one.n for one in found), default=0)
    shown = [one for one in found if 2 * one.n >= most]
    methods = sorted({one.line["method"] for one in shown}, key=lambda method: (method != "complete", method))
    summary = []
    for method in methods:
        own = [one for one in shown if one.line["method"] == method]
        summary.append(
            (
                method,
                len(own),
                f"{sum(not one.biased for one in own)}",
                f"{sum(not one.uncovered for one in own)}",
                f"{sum(not one.clearly for one in own)}",
                f"{sum(not one.biased and not one.uncovered for one in own)}",
                *(_seconds(own, size) for size in (300, 1000)),
            )
        )
    head = ("method", "settings", "bias", "coverage", "within noise", "both", "CPU s, n = 300", "n = 1,000")
    chosen = [one for one in shown if (one.line["n"], one.line["rate"]) in ((n, rate), (n, 0.0))]
    by_place: dict[tuple[str, str], dict[str, Shown]] = {}
    for one in chosen:
        by_place.setdefault((one.line["law"], one.line["mechanism"]), {})[one.line["method"]] = one
    there = [method for method in methods if any(method in found for found in by_place.values())]
    rows = [
        (law, "no blanks" if mechanism == "none" else mechanism, *(_cell(found.get(method)) for method in there))
        for (law, mechanism), found in by_place.items()
    ]
    rows.sort(key=lambda row: (row[0], row[1] != "no blanks", row[1]))
    note = NOTE.format(error=np.sqrt(0.95 * 0.05 / max(most, 1)), repetitions=most)
    title = f"Settings that meet their targets, of those measured:\n\n{_markdown(head, summary)}\n\n"
    return f"{title}At {100 * rate:.0f}% blank, n = {n}:\n\n{_markdown(('law', 'blanks', *there), rows)}\n\n{note}\n"


def _cell(one: Shown | None) -> str:
    if one is None:
        return ""
    width = "" if np.isnan(one.width) or one.line["method"] == "complete" else f", {one.width:.1f}"
    return f"{one.bias_text}, {one.coverage_text}{width}"


def _seconds(found: Sequence[Shown], n: int) -> str:
    seconds = [one.line["seconds"] for one in found if one.line["n"] == n]
    return f"{np.mean(seconds):.2f}" if seconds else ""


def _markdown(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows])
