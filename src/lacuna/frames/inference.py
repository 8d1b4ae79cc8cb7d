"""What a DataFrame column is: from its dtype, from its cells, or from what a schema asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from lacuna.errors import UserError
from lacuna.frames import blank_codes, codings, date_text
from lacuna.frames.codings import Coding, DateTimes, Durations, Levels, Numbers
from lacuna.frames.date_text import DateText
from lacuna.frames.identifiers import is_identifier
from lacuna.frames.number_text import (
    ARABIC_POINT,
    NUMBER,
    ZERO_PADDED,
    NumberText,
    looks_grouped,
    read_marked_numbers,
    read_number_text,
    with_ascii_digits,
)
from lacuna.frames.reading import Asked, Findings, Reading, Reason, Wanted

GROUPS = (",", ".")  # marks of thousands in some countries, of decimals in others
EXACT = 2.0**53  # whole numbers below are exact in float64
LONGEST = 2**63  # whole numbers from here on are keys, not amounts


def column_coding(
    series: pd.Series, name: str, asked: Asked | None, reading: Reading, findings: Findings
) -> Coding | None:
    """The coding of a column; None where it is not modelled, for which ``findings`` gets the reason.

    Raises:
        UserError: nothing observed, or cells unlike what is asked.
    """
    if isinstance(series.dtype, pd.SparseDtype):
        raise UserError(f"column {name!r} is sparse: make it dense with .sparse.to_dense()")
    seen = series[series.notna().to_numpy()]
    if seen.empty:
        advice = reading.typed(name, "ignore")
        raise UserError(f"column {name!r} has no observed value: drop it, or leave it blank with {advice}")
    n_blank = len(series) - len(seen)
    if asked is not None:
        coding: Coding | None = _asked_coding(seen, name, asked, reading, findings)
    else:
        coding = _natural_coding(seen, name, reading, findings)
        if reason := _unfit(coding, seen, name, n_blank, reading):
            findings.left_out[name] = reason, n_blank
            return None
    assert coding is not None
    if isinstance(coding, Numbers | NumberText):
        codings.check_finite(name, coding.encode(seen))
    if not (asked and asked.kind == "categorical"):
        _note_codes(coding, seen, name, findings)
    return coding


def _unfit(coding: Coding | None, seen: pd.Series, name: str, n_blank: int, reading: Reading) -> Reason | None:
    """Why a column that nobody asked for is not modelled."""
    if coding is None:
        return "cells that cannot be compared"
    if len(coding.levels) > reading.most_levels(len(seen)):
        return "text with nearly no repeats"
    if not isinstance(coding, Numbers | NumberText) or not coding.whole or not reading.guess:
        return None
    if (numbers := _whole_numbers(coding, seen)) is None or min(numbers) < -LONGEST or max(numbers) >= LONGEST:
        return "numbers of very many digits"
    return "identifiers" if seen.is_unique and is_identifier(name, numbers, n_blank) else None


def _whole_numbers(coding: Numbers | NumberText, seen: pd.Series) -> list[int] | None:
    """The observed cells with all their digits; None where those are too many for any integer."""
    if isinstance(coding, Numbers):
        return [int(x) for x in seen.tolist()]
    texts = coding.digits(seen)
    return [int(text) for text in texts] if texts.str.len().max() <= len(str(-LONGEST)) else None


def _note_codes(coding: Coding, seen: pd.Series, name: str, findings: Findings) -> None:
    if isinstance(coding, Numbers | NumberText):
        code = blank_codes.code_in_numbers(coding.encode(seen))
        found = None if code is None else f"{code[0]:.12g} in {code[1]:,} cell{'s'[: code[1] > 1]}"
    elif isinstance(coding, DateTimes):
        found = blank_codes.code_in_days(coding.encode(seen))
    else:
        found = blank_codes.code_in_levels(coding.levels)
    if found is not None:
        findings.notes.append(
            f"column {name!r} holds {found}, which looks like a code for a blank: if it is one, give it in na_values"
        )


# --- what the dtype and the cells suggest -------------------------------------------------------------------


def _natural_coding(seen: pd.Series, name: str, reading: Reading, findings: Findings) -> Coding | None:
    """The coding of observed cells whatever their number of levels; None where they cannot be compared."""
    dtype = seen.dtype
    if dtypes.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return levels(seen)
    if dtype.type is Decimal:
        return _decimals(seen)
    if dtypes.is_any_real_numeric_dtype(dtype):
        return _numbers(seen, reading.guess)
    if dtypes.is_datetime64_any_dtype(dtype):
        return DateTimes.of(seen)
    if dtypes.is_timedelta64_dtype(dtype):
        return Durations.of(seen)
    return _object_coding(seen, name, reading, findings)


def _object_coding(seen: pd.Series, name: str, reading: Reading, findings: Findings) -> Coding | None:
    content = dtypes.infer_dtype(seen)
    if content == "string":
        return _text_coding(seen.drop_duplicates(), len(seen), name, reading, findings)
    if content in ("integer", "floating", "mixed-integer-float"):
        return _numbers(seen, reading.guess)
    return OBJECTS.get(content, levels)(seen)


def _decimals(seen: pd.Series) -> Numbers:
    exponent = codings.decimal_exponent(seen)
    return Numbers(exponent >= 0 and max(map(abs, seen)) < EXACT, exponent)


OBJECTS: dict[str, Callable[[pd.Series], Coding | None]] = {  # by what pandas' infer_dtype calls them
    "decimal": _decimals,
    "date": lambda seen: DateTimes.of(seen, as_objects="date"),
    "datetime": lambda seen: DateTimes.of(seen, as_objects="datetime") if _naive(seen) else levels(seen),
}


def _naive(seen: pd.Series) -> bool:
    return all(moment.tzinfo is None for moment in seen)


def _numbers(seen: pd.Series, guess: bool) -> Coding:
    """Whole where the dtype or every cell is; whole numbers that are all dates, such as 20240131, are dates."""
    values = seen.to_numpy(dtype=np.float64)
    whole = dtypes.is_integer_dtype(seen.dtype) or dtypes.infer_dtype(seen) == "integer"
    if guess and not whole:
        whole = bool((np.abs(values) < EXACT).all() and (values % 1 == 0).all())
    if guess and whole and date_text.digits_only(seen.drop_duplicates()):
        return DateTimes.of(seen, DateText(date_text.DIGITS_ONLY), as_objects="int")
    return Numbers(whole)


def _text_coding(texts: pd.Series, n_seen: int, name: str, reading: Reading, findings: Findings) -> Coding | None:
    """Of distinct texts: numbers where numbers may be written, then dates, then times if they are many, then levels."""
    for mark in reading.decimal_marks:
        if (numbers := read_number_text(texts, mark)) is not None:
            plain = numbers.whole and not numbers.point_zero and texts.str.fullmatch("[0-9]{8}").all()
            if plain and date_text.digits_only(texts.astype("int64")):
                return DateTimes.of(texts, DateText(date_text.DIGITS_ONLY))
            if mark == "." and "," in reading.decimal_marks and looks_grouped(texts, "."):
                _note_open_marks(texts, "read with a decimal point", ",", name, reading, findings)
            return numbers
    marked = read_marked_numbers(texts) if reading.decimal_marks else []
    if len(marked) == 1:
        return marked[0]
    text, formats = date_text.find_format(texts)
    if text is not None and (text.has_date or len(texts) > reading.most_levels(n_seen)):
        if len(formats) > 1:
            advice = reading.typed(name, "date", formats[1])
            findings.notes.append(
                f"column {name!r} can be read as {' or '.join(formats)}: it is read as {formats[0]} ({advice} reads "
                f"it as {formats[1]})"
            )
        return DateTimes.of(texts, text)
    if marked:
        _note_open_marks(texts, "read as text", marked[0].decimal, name, reading, findings)
    elif reading.decimal_marks:
        _note_near_numbers(texts, name, findings)
        if len(texts) <= reading.most_levels(n_seen):
            _note_spellings(texts, name, findings)
    return levels(texts)


def _note_open_marks(texts: pd.Series, how: str, decimal: str, name: str, reading: Reading, findings: Findings) -> None:
    """1,234 may be a thousand and more, or one and less than a quarter."""
    example = texts[texts.str.contains(f"[{''.join(GROUPS)}]")].iloc[0]
    advice = reading.typed(name, "continuous", decimal=decimal)
    number = NumberText(False, decimal, group="," if decimal == "." else ".")
    (value,) = number.encode(pd.Series([example]))
    findings.notes.append(f"column {name!r} is {how}: if {example!r} is {value:.12g}, say {advice}")


def _note_near_numbers(texts: pd.Series, name: str, findings: Findings) -> None:
    """One odd word makes a column of numbers a column of text: say so, for it is often a sign for a blank."""
    plain = with_ascii_digits(texts)
    numeric = plain.str.fullmatch(NUMBER).to_numpy(dtype=bool)
    if numeric.mean() > 0.5 and not plain.str.fullmatch(ZERO_PADDED).any():
        odd = texts[~numeric].iloc[0]
        findings.notes.append(
            f"column {name!r} is read as text because of {odd!r}: if that means blank, add it to na_values"
        )


def _note_spellings(texts: pd.Series, name: str, findings: Findings) -> None:
    """TRUE and true are two levels, which may not be meant."""
    first: dict[str, str] = {}
    for text in texts:
        if (other := first.setdefault(" ".join(text.casefold().split()), text)) != text:
            findings.notes.append(f"column {name!r}: {other!r} and {text!r} are two levels, and may be meant as one")
            return


def levels(seen: pd.Series) -> Levels | None:
    """The distinct cells, in the order of their categories or sorted; None where they cannot be compared."""
    if isinstance(seen.dtype, pd.CategoricalDtype):
        present = set(seen.cat.codes.unique().tolist())
        return Levels(tuple(x for code, x in enumerate(seen.cat.categories.tolist()) if code in present))
    try:
        distinct = seen.astype(object).unique().tolist()
    except TypeError:  # lists, dicts and the like
        return None
    try:
        return Levels(tuple(sorted(distinct)))
    except TypeError:  # of several types
        return Levels(tuple(sorted(distinct, key=lambda x: (type(x).__name__, str(x)))))


# --- what a schema asks for ---------------------------------------------------------------------------------


def _asked_coding(seen: pd.Series, name: str, asked: Asked, reading: Reading, findings: Findings) -> Coding:
    wanted = asked.kind
    if asked.decimal is not None and wanted is not None:
        return _wanted_numbers(_numbers_with(seen, name, asked.decimal), seen, name, wanted)
    if asked.format is not None:
        return _formatted_dates(seen, name, asked.format)
    if wanted == "date":
        coding = _natural_coding(seen, name, replace(reading, decimal_marks="."), findings)
    elif wanted == "categorical":
        coding = levels(seen)
    else:
        coding = _natural_coding(seen, name, Reading(guess=False), Findings())
    if wanted in ("continuous", "integer"):
        return _wanted_numbers(coding, seen, name, wanted)
    if coding is None:
        raise UserError(f"schema: column {name!r} cannot be {wanted}: its cells cannot be compared")
    if wanted == "date" and not isinstance(coding, DateTimes):
        example = "{kind: date, format: '%d/%m/%y'}"
        raise UserError(
            f"schema: column {name!r} is not a date: {seen.iloc[0]!r} is in none of the known formats; one can be "
            f"given, as in {example}"
        )
    return coding


def _formatted_dates(seen: pd.Series, name: str, date_format: str) -> DateTimes:
    """Of text or whole numbers in the given format."""
    numeric = dtypes.is_numeric_dtype(seen.dtype)
    if not numeric and dtypes.infer_dtype(seen) != "string":
        raise UserError(f"schema: column {name!r} is not text: it needs no format")
    texts = seen.astype("int64").astype(str) if numeric else seen
    try:
        moments = DateText(date_format).read(texts)
    except ValueError as error:
        raise UserError(f"schema: column {name!r}: {date_format!r} is no format of a date: {error}") from None
    if moments.isna().any():
        raise UserError(f"schema: column {name!r} holds {seen[moments.isna()].iloc[0]!r}, which is not {date_format}")
    text = date_text.styled(DateText(date_format), texts.drop_duplicates())
    return DateTimes.of(seen, text, as_objects="int" if numeric else None)


def _wanted_numbers(coding: Coding | None, seen: pd.Series, name: str, wanted: Wanted) -> Coding:
    if isinstance(coding, Levels) and dtypes.infer_dtype(seen) == "string":
        coding = _forced_numbers(seen.drop_duplicates(), name)
    if not isinstance(coding, Numbers | NumberText):
        raise UserError(f"schema: column {name!r} cannot be {wanted}: {seen.iloc[0]!r} is not a number")
    if wanted == "integer" and (fraction := coding.encode(seen) % 1 != 0).any():
        raise UserError(f"schema: column {name!r} cannot be integer: it holds {seen[fraction].iloc[0]!r}")
    return replace(coding, whole=wanted == "integer")


def _numbers_with(seen: pd.Series, name: str, decimal: str) -> NumberText:
    """Of text with the given decimal mark; the other one of comma and point stands between thousands."""
    if dtypes.infer_dtype(seen) != "string":
        raise UserError(f"schema: column {name!r} is not text: it needs no decimal mark")
    texts = seen.drop_duplicates()
    fitting = [each for each in read_marked_numbers(texts) if each.decimal == decimal]
    coding = fitting[0] if fitting else read_number_text(texts, decimal)
    if coding is None:
        raise UserError(f"schema: column {name!r} holds no numbers with {decimal!r} before decimals: {seen.iloc[0]!r}")
    return coding


def _forced_numbers(texts: pd.Series, name: str) -> NumberText:
    marks = (".", ",", ARABIC_POINT)
    natural = (read_number_text(texts, mark) for mark in marks)
    padded = (NumberText(False, mark) for mark in marks)
    for coding in (*filter(None, natural), *read_marked_numbers(texts), *padded):
        if not np.isnan(coding.encode(texts)).any():
            return coding
    odd = texts[np.isnan(NumberText(False).encode(texts))].iloc[0]
    raise UserError(f"schema: column {name!r} holds {odd!r}, which is not a number")
