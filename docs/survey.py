"""A made-up survey with blanks of both kinds, for docs/impute.md.

``python docs/survey.py > survey.csv`` writes it; ``python docs/survey.py mm.parquet`` counts how many of the blanks
that were kept are meaningful in truth. Income and contract are blank for people without a job, which is not a
column; besides, 8% of all answers are lost.
"""

from __future__ import annotations

import csv
import sys

import numpy as np
import pandas as pd

N_PEOPLE, LOST = 1500, 0.08
TOWNS = ("Aalen", "Bonn", "Celle", "Düren")
HEADER = ["person", "age", "town", "rent", "commute", "income", "contract"]


def survey(rng: np.random.Generator) -> tuple[list[list[object]], np.ndarray]:
    """Rows of the table, and who has a job."""
    age = rng.integers(18, 80, N_PEOPLE)
    has_job = rng.random(N_PEOPLE) < np.where(age < 66, 0.8, 0.08)
    commute = np.where(has_job, rng.gamma(4, 8, N_PEOPLE).round(), rng.poisson(1, N_PEOPLE)).astype(int)
    income = np.exp(rng.normal(7.6 + 0.01 * (age - 40), 0.35)).round(-1).astype(int)
    rent = (300 + np.where(has_job, 0.2 * income, 150) + rng.normal(0, 60, N_PEOPLE)).round(-1).astype(int)
    contract = np.where(rng.random(N_PEOPLE) < (age - 10) / 60, "permanent", "temporary")
    town = rng.choice(TOWNS, N_PEOPLE)
    answers = np.array([age, town, rent, commute, income, contract], dtype=object).T
    answers[~has_job, 4:] = ""
    answers[rng.random(answers.shape) < LOST] = ""
    return [[f"p{i:04d}", *row] for i, row in enumerate(answers.tolist())], has_job


def count(flags: pd.DataFrame) -> None:
    rows, has_job = survey(np.random.default_rng(0))
    for name in ("income", "contract"):
        blank = np.array([row[HEADER.index(name)] == "" for row in rows])
        kept, meaningful = flags[name].to_numpy(), blank & ~has_job
        print(f"{name}: {blank.sum()} blank, {meaningful.sum()} of them meaningful;", end=" ")
        print(f"{kept.sum()} kept, {(kept & meaningful).sum()} of them meaningful")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        count(pd.read_parquet(sys.argv[1]))
    else:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([HEADER, *survey(np.random.default_rng(0))[0]])
