"""``lacuna.diagnose``: what the blanks of a table say about their causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lacuna.diagnosis import association, together
from lacuna.diagnosis.association import Feature, blank_feature, overdispersion, value_feature
from lacuna.diagnosis.evidence import LEVEL, Evidence, p_text, significant
from lacuna.diagnosis.little import little_test
from lacuna.diagnosis.mixed import mixed_test
from lacuna.diagnosis.reading import Cells, positions_of, read_cells
from lacuna.diagnosis.result import CAUSES, Diagnosis
from lacuna.diagnosis.rules import Rule, find_rules
from lacuna.diagnosis.shape import observed_shape
from lacuna.errors import UserError
from lacuna.rng import stream

MOST_ROWS, MOST_ROWS_MIXED = 10_000, 3_000  # that tests look at; of larger tables a random part
DROPOUT = 0.8  # share of the incomplete rows that stop at some column


def diagnose(
    df: Any,
    mm_candidates: Iterable[Any] | None = None,
    *,
    schema: Mapping[Any, str] | None = None,
    random_state: int = 0,
    permutations: int = association.PERMUTATIONS,
) -> Diagnosis:
    """Say, for every column with blanks, what speaks for each of four causes, and what cannot be known.

    The causes: lost at random given observed values; lost together with other columns; hidden by the value itself;
    meaningful (structurally missing, not applicable). Nothing is imputed.

    Args:
        df: DataFrame, or array (n, d) of numbers.
        mm_candidates: labels of the columns whose blanks may be meaningful; their rates are compared with the others'.
        schema: kind by column label where the dtype misleads: continuous, integer, categorical, date, or ignore.
        random_state: seed of the permutations.
        permutations: of each column's blanks; p-values are multiples of 1 / (permutations + 1).

    Returns:
        Numbers in DataFrames and sentences; ``print`` shows the latter.

    Raises:
        UserError: no rows, duplicate labels, or a label or kind that is not there.

    >>> table = pd.DataFrame({"job": ["no", "yes"] * 30, "wage": [None, 9.0] * 30})
    >>> diagnose(table).rules[["column", "rule"]]
      column      rule
    0   wage  job = no
    """
    if permutations < 1:
        raise UserError(f"permutations must be at least 1, got {permutations}")
    frame = df if isinstance(df, pd.DataFrame) else pd.DataFrame(df)
    cells = read_cells(frame, schema)
    return diagnose_cells(cells, positions_of(mm_candidates, cells.names, "mm_candidates"), random_state, permutations)


def diagnose_cells(cells: Cells, candidates: list[int], seed: int, permutations: int) -> Diagnosis:
    """``diagnose`` for a table that was read.

    Args:
        candidates: positions of the columns whose blanks may be meaningful.
    """
    part = cells.take(_some_rows(len(cells.blank), MOST_ROWS, seed))
    with_blanks = [j for j in range(len(cells.names)) if cells.blank[:, j].any() and not cells.blank[:, j].all()]
    evidence = [_evidence(cells, part, j, seed, permutations) for j in with_blanks]
    drivers = {each.column: set(significant(each.values)) for each in evidence if each.values.p_value is not None}
    suggested = [each.column for each in evidence if each.suggested]
    references = [
        j for j in range(len(cells.names)) if j not in {*candidates, *suggested} and not cells.blank[:, j].all()
    ]
    sentences = [each.sentences(cells, drivers, candidates, references) for each in evidence]
    names = pd.Index([cells.names[j] for j in with_blanks], name="column")
    groups = [[cells.names[j] for j in group] for group in together.blocks(cells.blank)]
    tests = _tests(part, seed)
    suggested_names = [cells.names[j] for j in suggested]
    return Diagnosis(
        _summary(cells, tests, groups, suggested_names),
        tests,
        pd.DataFrame([_numbers(cells, each) for each in evidence], index=names),
        pd.DataFrame(sentences, index=names, columns=list(CAUSES)),
        pd.concat([_associations(cells, each) for each in evidence], ignore_index=True) if evidence else pd.DataFrame(),
        pd.DataFrame(together.correlations(cells.blank[:, with_blanks]), index=names, columns=list(names)),
        groups,
        _rules(cells, [rule for each in evidence for rule in each.rules]),
        suggested_names,
    )


def _some_rows(n: int, at_most: int, seed: int) -> np.ndarray:
    if n <= at_most:
        return np.arange(n)
    return np.sort(stream(seed, "rows").choice(n, at_most, replace=False))


def _evidence(cells: Cells, part: Cells, j: int, seed: int, permutations: int) -> Evidence:
    """Rules from all rows ``cells``; associations from some of them, ``part``, in which no rule holds."""
    rules = find_rules(cells, j)
    rest = ~np.any([rule.rows for rule in rules], axis=0) if rules else np.ones(len(cells.blank), bool)
    some = part if rest.all() else cells.take(_of(rest, MOST_ROWS, seed))
    others = [k for k in range(len(cells.names)) if k != j]
    values = [value_feature(k, some.values[:, k], bool(cells.discrete[k])) for k in others]
    blanks = [blank_feature(k, some.blank[:, k]) for k in others]
    families: list[list[Feature]] = [[f for f in family if f is not None] for family in (values, blanks)]
    rng = stream(seed, "permutations", cells.names[j])
    blank = some.blank[:, j]
    if blank.all() or not blank.any():
        families = [[], []]
    found = association.associations(blank, families, rng, permutations)
    shape = observed_shape(cells.values[:, j]) if cells.numeric[j] else None
    return Evidence(j, rules, rest, found[0], found[1], shape)


def _of(rows: np.ndarray, at_most: int, seed: int) -> np.ndarray:
    positions = np.flatnonzero(rows)
    return positions[_some_rows(len(positions), at_most, seed)]


def _tests(part: Cells, seed: int) -> pd.DataFrame:
    little = little_test(part.values[:, part.numeric])
    few = part.take(_some_rows(len(part.blank), MOST_ROWS_MIXED, seed))
    mixed = mixed_test(few.values, few.blank, stream(seed, "mixed"))
    ratio, p_rows = overdispersion(few.blank, stream(seed, "rows of blanks"))
    rows = {
        "Little": _test(little, None if isinstance(little, str) else little.statistic),
        "mixed": _test(mixed, None),
        "rows": (ratio, p_rows, "" if p_rows is not None else "fewer than two columns have blanks"),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "p_value", "note"])


def _test(found: Any, statistic: float | None) -> tuple[float | None, float | None, str]:
    return (None, None, found) if isinstance(found, str) else (statistic, found.p_value, "")


def _summary(cells: Cells, tests: pd.DataFrame, groups: list[list[str]], suggested: list[str]) -> list[str]:
    """Sentences about the whole table."""
    blank, n = cells.blank, len(cells.blank)
    lines = [
        f"{n:,} rows, {blank.shape[1]} columns, of which {int(blank.any(0).sum())} have blanks; {blank.mean():.1%} of "
        f"the cells are blank, in {len(np.unique(blank, axis=0)):,} patterns; "
        f"{(~blank.any(1)).mean():.1%} of the rows are complete."
    ]
    if n > MOST_ROWS:
        lines.append(f"Tests look at {MOST_ROWS:,} of the rows, drawn at random; rates and rules at all.")
    if whole := [name for name, column in zip(cells.names, blank.T, strict=True) if column.all()]:
        lines.append(f"Wholly blank, and left out: {', '.join(whole)}.")
    if not blank.any():
        return lines
    said = {"Little": "Little's test, numeric columns", "mixed": "classification of the patterns, all columns"}
    p_values, notes = tests["p_value"].astype(float), tests["note"]
    parts = [f"{words}: {notes[key] or p_text(p_values[key])}" for key, words in said.items()]
    lines.append(f"Lost completely at random? {'; '.join(parts)}. A small p-value speaks against it.")
    if p_values["rows"] <= LEVEL:
        ratio = tests["statistic"].astype(float)["rows"]
        lines.append(
            f"Some rows have more blanks than others: the variance of their number is {ratio:.1f} "
            f"times that of independent columns ({p_text(p_values['rows'])})."
        )
    if groups:
        lines.append(f"Nearly always blank in the same rows: {'; '.join(', '.join(group) for group in groups)}.")
    if (share := together.dropout_share(blank)) >= DROPOUT:
        lines.append(f"In {share:.0%} of the incomplete rows the blanks run to the last column: rows stop (dropout).")
    if suggested:
        lines.append(f"Exact rules, which suggest mm_candidates: {', '.join(suggested)}.")
    return lines


def _numbers(cells: Cells, each: Evidence) -> dict[str, Any]:
    blank, rule, shape = cells.blank[:, each.column], each.rules[0] if each.rules else None, each.shape
    row: dict[str, Any] = {"blank": int(blank.sum()), "rate": float(blank.mean())}
    for kind, found in (("value", each.values), ("blank", each.blanks)):
        best = int(np.lexsort((-found.strength, found.adjusted))[0]) if found.p_value is not None else None
        row[f"p_{kind}s"] = found.p_value
        row[f"{kind}_of"] = None if best is None else cells.names[found.columns[best]]
        row[f"{kind}_strength"] = None if best is None else float(found.strength[best])
    row |= {"rule": rule and rule.condition, "rule_coverage": rule and rule.coverage}
    for key in ("mean", "mean_if_low", "mean_if_high", "sharp_low", "sharp_high"):
        row[key] = None if shape is None else getattr(shape, key)
    return row | {"suggested": each.suggested}


def _associations(cells: Cells, each: Evidence) -> pd.DataFrame:
    parts = []
    for kind, found in (("value", each.values), ("blank", each.blanks)):
        with_ = [cells.names[k] for k in found.columns]
        numbers = {"strength": found.strength, "p_value": found.p_values, "p_adjusted": found.adjusted}
        parts.append(pd.DataFrame({"column": cells.names[each.column], "with_": with_, "kind": kind} | numbers))
    return pd.concat(parts, ignore_index=True)


def _rules(cells: Cells, rules: list[Rule]) -> pd.DataFrame:
    rows = [(cells.names[r.column], r.condition, int(r.rows.sum()), r.coverage, r.elsewhere, r.chance) for r in rules]
    return pd.DataFrame(rows, columns=["column", "rule", "rows", "coverage", "elsewhere", "chance"])
