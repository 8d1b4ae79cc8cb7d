"""How columns are to be read, what a schema asks of them, and what is found out about them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lacuna.errors import UserError
from lacuna.frames.labels import label_text

Wanted = Literal["continuous", "integer", "categorical", "date", "ignore"]
WANTED: tuple[Wanted, ...] = ("continuous", "integer", "categorical", "date", "ignore")
# a label must be seen often enough to be learned: beyond 20 levels five times on average, beyond 10 twice
LEVELS_BY_CELLS = ((20, 5), (10, 2))
Reason = Literal[
    "text with nearly no repeats", "cells that cannot be compared", "identifiers", "numbers of very many digits"
]
MODELLED_AS = {"text with nearly no repeats": "categorical", "identifiers": "integer"}  # by a schema
MOST_NAMED = 20  # columns in one sentence


@dataclass(frozen=True)
class Asked:
    """What a schema asks for a column."""

    kind: Wanted | None  # None: what the cells suggest
    format: str | None = None  # strptime's, of a date
    low: Any = None  # least number or date that may be imputed
    high: Any = None  # largest
    decimal: str | None = None  # mark before the decimals of numbers


KEYS = ("kind", "format", "decimal", "min", "max", "whole")


def asked_of(label: Any, value: str | Mapping[str, Any]) -> Asked:
    """What a schema says of one column: a kind, or a mapping of some of KEYS.

    >>> asked_of("age", {"min": 0, "max": 120, "whole": True})
    Asked(kind='integer', format=None, low=0, high=120, decimal=None)
    """
    given = dict(value) if isinstance(value, Mapping) else {"kind": value}
    name = label_text(label)
    if unknown := [key for key in given if key not in KEYS]:
        raise UserError(f"schema: column {name!r} has {unknown[0]!r}; it can have {', '.join(KEYS)}")
    date_format, decimal, low, high, whole = (given.get(key) for key in KEYS[1:])
    usual = "date" if date_format is not None else "continuous" if decimal is not None else None
    kind: Any = given.get("kind", usual)
    if kind is not None and kind not in WANTED:
        raise UserError(f"schema: column {name!r} cannot be {kind!r}; it can be {', '.join(WANTED)}")
    if date_format is not None and (kind != "date" or "%" not in str(date_format)):
        raise UserError(
            f"schema: column {name!r}: a format such as '%d/%m/%y' goes with kind date, got {date_format!r}"
        )
    if (low is not None or high is not None) and kind in ("categorical", "ignore"):
        raise UserError(f"schema: column {name!r} is {kind}: min and max go with numbers and dates")
    if whole is not None:
        if not isinstance(whole, bool) or kind not in (None, "continuous", "integer"):
            raise UserError(f"schema: column {name!r}: whole: true or false goes with numbers, got {whole!r}")
        kind = "integer" if whole else "continuous"
    if decimal is not None and (kind not in ("continuous", "integer") or decimal not in (".", ",")):
        raise UserError(
            f"schema: column {name!r}: decimal is '.' or ',' of kind continuous or integer, got {decimal!r}"
        )
    return Asked(kind, date_format, low, high, decimal)


@dataclass(frozen=True)
class Reading:
    """How to read columns whose dtype leaves it open."""

    max_levels: int = 100  # text with more distinct values than this is not modelled
    decimal_marks: str = ""  # that numbers in text may have: "." or ".,"; empty: text is never a number
    guess: bool = True  # from numbers: whole ones, identifiers, dates such as 20240131
    schema_key: str = "schema"  # what the user calls the schema, for messages
    schema_file: str = ""  # where it is given as a file

    def __post_init__(self) -> None:
        if self.max_levels < 1:
            raise ValueError(f"max_levels must be at least 1, got {self.max_levels}")

    def most_levels(self, n_seen: int) -> int:
        """How many levels a categorical column with ``n_seen`` observed cells may have."""
        (many, often), (few, twice) = LEVELS_BY_CELLS
        return min(self.max_levels, max(n_seen // often, min(many, max(few, n_seen // twice))))

    def typed(self, name: str, kind: str, date_format: str = "", decimal: str = "") -> str:
        """What to type to give a column a kind: an argument of Python, an override for the shell, or a line of YAML.

        >>> Reading(schema_key="dataset.schema").typed("town", "ignore")
        '+dataset.schema.town=ignore'
        >>> print(Reading(schema_key="dataset.schema").typed("pay ($)", "ignore"))
        'dataset.schema="{\\"pay ($)\\": \\"ignore\\"}"'
        """
        more = {key: each for key, each in (("format", date_format), ("decimal", decimal)) if each}
        value = {"kind": kind, **more} if more else kind
        if "." not in self.schema_key:
            return f"{self.schema_key}={{{name!r}: {value!r}}}"
        mapping = json.dumps({name: value}, ensure_ascii=False)  # which is YAML
        if self.schema_file or any(mark in name for mark in ("'", '"', "\\", "${")):
            return f"the line {mapping[1:-1]} in {self.schema_file or f'a YAML file given as {self.schema_key}'}"
        if re.fullmatch(r"\w+", name, re.ASCII) and not more:
            return f"+{self.schema_key}.{name}={kind}"
        escaped = mapping.replace('"', r"\"")
        return f"'{self.schema_key}=\"{escaped}\"'"


@dataclass
class Findings:
    """What is worth saying about columns, collected while they are looked at."""

    left_out: dict[str, tuple[Reason, int]] = field(default_factory=dict)  # by column: why, and its blank cells
    notes: list[str] = field(default_factory=list)

    def left_out_notes(self, reading: Reading) -> list[str]:
        """One sentence for each reason, which names the columns, their blanks, and what would model one of them."""
        notes = []
        for reason in dict.fromkeys(reason for reason, _ in self.left_out.values()):
            columns = {name: n_blank for name, (why, n_blank) in self.left_out.items() if why == reason}
            parts = [f"{name!r} ({n:,} blank, which stay blank)" if n else repr(name) for name, n in columns.items()]
            more = f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
            example = max(columns, key=columns.__getitem__)
            kind = MODELLED_AS.get(reason)
            advice = f"; {reading.typed(example, kind)} would model {example!r}" if kind else ""
            notes.append(f"left out of the model as {reason}: {', '.join(parts[:MOST_NAMED])}{more}{advice}")
        return notes

    def unmodelled(self, candidates: Sequence[str], reading: Reading) -> str:
        """What to say where columns that are not modelled are to hold meaningful missingness."""
        known = [name for name in candidates if name in self.left_out]
        why = f"left out of the model as {self.left_out[known[0]][0]}" if known else "ignored"
        kind = MODELLED_AS.get(self.left_out[known[0]][0]) if known else None
        advice = f"; {reading.typed(known[0], kind)} would model {known[0]!r}" if kind else ""
        names, are = ", ".join(map(repr, candidates)), "is" if len(candidates) == 1 else "are"
        return f"mm_candidates: {names} {are} {why}{advice}"
