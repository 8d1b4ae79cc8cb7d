"""The numbers of docs/meaningful-missingness.md: what `selective` says of the made-up survey of docs/survey.py.

``python docs/meaningful_missingness.py`` prints the page's blocks; ``--write`` puts them into the page, each between
its ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. A test compares the two.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from survey import HEADER, survey

from lacuna import Imputer

PAGE = Path(__file__).with_name("meaningful-missingness.md")
JOB = ["income", "contract"]  # blank for those without one


@cache
def people() -> tuple[pd.DataFrame, np.ndarray]:
    """The survey without the column of names, and who has a job."""
    rows, has_job = survey(np.random.default_rng(0))
    frame = pd.DataFrame(rows, columns=HEADER).drop(columns="person").replace("", None)
    return frame.astype({c: "Int64" for c in ("age", "rent", "commute", "income")}), has_job


@cache
def fitted(*candidates: str) -> Imputer:
    return Imputer("selective", mm_candidates=list(candidates)).fit(people()[0])


def said(imputer: Imputer, *columns: str) -> str:
    """The verdicts on some columns and the warnings, as `lacuna impute` prints them."""
    found: dict[str, Any] = imputer.diagnostics_
    lines = [found["columns"][name]["verdict"] for name in columns] + [f"note: {text}" for text in found["warnings"]]
    return "\n".join(["```", *lines, "```"])


def kept() -> str:
    """Which blanks are kept, beside the truth."""
    frame, has_job = people()
    flags = fitted(*JOB).meaningful_
    rows = ["| column | blank | of them meant | kept blank | of them meant |", "|---|---|---|---|---|"]
    for name in JOB:
        blank, flag = frame[name].isna().to_numpy(), flags[name].to_numpy()
        counts = blank.sum(), (blank & ~has_job).sum(), flag.sum(), (flag & ~has_job).sum()
        rows.append(f"| {name} | " + " | ".join(str(count) for count in counts) + " |")
    return "\n".join(rows)


def driven() -> str:
    """The survey once more, but older people skip more questions."""
    frame, _ = people()
    rng = np.random.default_rng(1)
    age = frame["age"].fillna(45).to_numpy(dtype=float)
    skipped = rng.random((len(frame), frame.shape[1] - 1)) < (0.4 / (1 + np.exp((60 - age) / 5)))[:, None]
    lost = pd.DataFrame(skipped, columns=frame.columns.drop("age")).reindex(columns=frame.columns, fill_value=False)
    return said(Imputer("selective", mm_candidates=JOB).fit(frame.mask(lost)), "income")


def trial() -> str:
    """Hide answers that are there, so that one knows that they were lost, and see how many are kept blank."""
    frame, _ = people()
    hidden = frame.notna() & (np.random.default_rng(2).random(frame.shape) < 0.05)
    flags = Imputer("selective", mm_candidates=JOB).fit(frame.mask(hidden)).meaningful_
    counts = ((flags & hidden)[name].sum() for name in JOB)
    return "; ".join(f"{count} of {hidden[name].sum()} in {name}" for name, count in zip(JOB, counts, strict=True))


BLOCKS: dict[str, Callable[[], str]] = {
    "meant": lambda: said(fitted(*JOB), *JOB),
    "kept": kept,
    "lost": lambda: said(fitted(*JOB, "rent"), "rent"),
    "unidentified": lambda: said(fitted(*people()[0].columns), "income"),
    "driven": driven,
    "trial": trial,
}


def pattern(name: str) -> re.Pattern[str]:
    return re.compile(f"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into the page")
    write = parser.parse_args().write
    page = PAGE.read_text(encoding="utf-8")
    for name, block in BLOCKS.items():
        text = block()
        print(f"{name}:\n{text}\n")
        page = pattern(name).sub(lambda match, text=text: match[1] + text + "\n" + match[2], page)  # type: ignore[misc]
    if write:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
