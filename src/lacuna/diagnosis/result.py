"""What ``lacuna.diagnose`` returns: numbers as DataFrames, and sentences."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pandas as pd

CAUSES = ("lost at random", "lost together", "hides itself", "meaningful")
WIDTH = 110
UNKNOWABLE = (
    "No table shows by itself whether a value hides itself: what is observed is the same whether blanks depend on the "
    "value or not, under a suitable population.",
    "A large p-value does not show that blanks are lost completely at random; dependence on what was never recorded "
    "leaves no trace.",
    "A rate alone does not tell meaningful blanks (structurally missing, not applicable) from lost ones: columns "
    "differ in their rates.",
    "Of columns in which nothing goes with the blanks, 5% have p < 0.05 all the same.",
)


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """The evidence for each cause of each column's blanks.

    Printed, it is a page of plain text.
    """

    summary: list[str]  # of the table: sizes, tests of missing completely at random, blanks that come together
    tests: pd.DataFrame  # of the whole table; by test: statistic, p_value, and note where there is none
    # One row for each column with blanks: rates, p-values, what goes with the blanks, rules, and how far the mean of
    # a column could be from that of the observed values.
    columns: pd.DataFrame
    sentences: pd.DataFrame  # one row for each column with blanks, one column for each cause
    associations: pd.DataFrame  # column, with_, kind ("value" or "blank"), strength, p_value, p_adjusted
    together: pd.DataFrame  # (d, d) correlations of the blanks of the columns that have some
    groups: list[list[str]]  # columns that are nearly always blank in the same rows
    rules: pd.DataFrame  # column, rule, rows, coverage, elsewhere, chance
    suggested: list[str]  # columns with an exact rule, to consider for mm_candidates

    def __repr__(self) -> str:
        lines = [textwrap.fill(line, WIDTH) for line in self.summary]
        for name, row in self.columns.iterrows():
            lines += ["", f"{name}: {row['blank']:,} blank ({row['rate']:.1%})"]
            for cause in CAUSES:
                label = f"  {cause:15s} "
                text = str(self.sentences.loc[name, cause])  # type: ignore[index]
                lines.append(textwrap.fill(text, WIDTH, initial_indent=label, subsequent_indent=" " * len(label)))
        if len(self.columns):
            lines += ["", "What cannot be known:"]
            lines += [textwrap.fill(each, WIDTH, initial_indent="- ", subsequent_indent="  ") for each in UNKNOWABLE]
        return "\n".join(lines)
