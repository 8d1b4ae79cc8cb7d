"""The arena as one page that needs nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from lacuna.config import described
from lacuna.records.record import Record
from lacuna.tables.arena.checks import checks
from lacuna.tables.arena.results import Results, results
from lacuna.tables.arena.scores import RATIOS, SCORES, Score
from lacuna.tables.arena.statistics import differences, elo, possible
from lacuna.templates import environment

DIGITS = 4  # significant, of numbers on the page
EVERYWHERE = ""  # under all mechanisms together


def as_html(records: Iterable[Record], rounds: int = 200) -> str:
    """The page of these records.

    Args:
        rounds: of the bootstrap behind the intervals of ratings.
    """
    records = list(records)
    pages = environment("lacuna.tables")
    found = results(records)
    data = json.dumps(page_data(found, _labels(records), rounds), separators=(",", ":"), allow_nan=False)
    facts = {"n_runs": len(records), "results": found, "checks": checks(found)}
    return pages.get_template("arena.html").render(data=data.replace("</", "<\\/"), **facts)


def page_data(found: Results, labels: dict[str, str], rounds: int) -> dict[str, Any]:
    """What the page sorts and filters, in terms of JSON.

    Ratings, groups and shares of what is possible are computed here, under all mechanisms together and under each;
    the rest, which is quick, the page computes for any filter.
    """
    used = [score for score in SCORES if any(score.id in entry.scores for entry in found.entries)]
    mechanisms = sorted({problem.mechanism for problem in found.problems})
    place = {problem: i for i, problem in enumerate(found.problems)}
    tables = sorted({problem.table for problem in found.problems})
    return {
        "scores": [vars(score) | {"ratio": score.id in RATIOS, "metrics": list(score.metrics)} for score in used],
        "methods": {name: labels.get(name, name) for name in found.methods},
        "tables": [{"name": name} | found.sizes.get(name, {}) for name in tables],
        "problems": [[tables.index(p.table), p.mechanism, p.ratio] for p in found.problems],
        "entries": [
            [place[entry.problem], entry.method, entry.failed or _rounded(entry.scores)] for entry in found.entries
        ],
        "statistics": {
            score.id: {
                mechanism: _statistics(_under(found, mechanism), score, rounds)
                for mechanism in (EVERYWHERE, *mechanisms)
            }
            for score in used
            if score.better and score.metrics
        },
    }


def _under(found: Results, mechanism: str) -> Results:
    return found.where(lambda problem: mechanism in (EVERYWHERE, problem.mechanism))


def _statistics(found: Results, score: Score, rounds: int) -> dict[str, Any]:
    losses = found.losses(score)
    rivals = losses.without(*(name for name in ("oracle",) if name in losses.methods))
    if len(rivals.methods) < 2:
        return {"elo": {}, "groups": [], "p": None, "possible": {}}
    tested = differences(rivals)
    ratings = {name: [round(x) for x in vars(one).values()] for name, one in elo(rivals, rounds).items()}
    p = None if math.isnan(tested.p_friedman) else float(f"{tested.p_friedman:.2g}")
    return {"elo": ratings, "groups": tested.groups, "p": p, "possible": _rounded(possible(losses))}


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    return {key: float(f"{value:.{DIGITS}g}") for key, value in numbers.items() if math.isfinite(value)}


def _labels(records: Iterable[Record]) -> dict[str, str]:
    """What methods are called, by id."""
    first = {record.config["names"]["method"]: record for record in records}
    return {name: described.label(record.config, "method") for name, record in first.items()}
