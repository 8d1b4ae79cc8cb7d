"""Dates and times written out: how their format is found, and how they are read and written in it."""

from __future__ import annotations

import datetime
import itertools
import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

# A date alone, or before a time of day. Of several that fit all cells of a column, the first is taken.
DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d%b%Y"),
    *("%Y-%m", "%m/%Y", "%b %Y", "%B %Y"),
    *("%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%y/%m/%d", "%m-%d-%y", "%d-%m-%y", "%y-%m-%d", "%d %b %y", "%d-%b-%y"),
)
DIGITS_ONLY = "%Y%m%d"
DIGITS_ONLY_YEARS = (1800, 2200)  # of eight digits that are taken for a date
FEWEST_DIGITS_ONLY = 3  # distinct cells: one or two numbers may be valid dates by chance
TIME = re.compile(
    r"(?P<joiner>T|,? +)(?P<hour>\d{1,2}:\d{2})(?P<seconds>:\d{2})?(?P<fraction>\.\d{1,9})?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:Z|[+-]\d{2}(?::?\d{2})?))?$"
)
ZONE = re.compile(r"Z|[+-]\d{2}(?::?\d{2})?$")
WHOLE_SECONDS = re.compile(r"(?<=:\d{2}:\d{2})(?![.\d])")  # their end
MOST_SUMMER_TIME = 60  # minutes
YEAR = 366 * 86_400_000_000  # microseconds
EPOCH = datetime.datetime(1970, 1, 1)
SAMPLED = 50  # cells that decide on the style


@dataclass(frozen=True)
class DateText:
    """A strftime format, and what a format leaves open of how its fields are written."""

    format: str
    zone: str = ""  # the offset that most cells have, as they write it; for %z
    fraction_digits: int = 6  # of %f
    unpadded: str = ""  # letters of fields that are written without a leading zero
    case: str = ""  # "upper" or "lower": of names, and of AM and PM
    whole_seconds: bool = False  # are written without a fraction, though %f is in the format
    zones: tuple[tuple[int, str], ...] = ()  # with summer time: (microsecond of the clock, offset from then on)

    @property
    def has_date(self) -> bool:
        """False for a time of day alone."""
        return bool(re.search("%[dDjmbByYUWVGxc]", self.format))

    def instants(self, cells: pd.Series) -> pd.Series:
        """As ``read``, but with the zone UTC where the text has an offset."""
        if "%z" not in self.format:
            return self.read(cells)
        return pd.to_datetime(self._whole(cells), format=self.format, errors="coerce", utc=True)

    def read(self, cells: pd.Series) -> pd.Series:
        """Text (k,) -> moments (k,); NaT where it is not in the format.

        By the clock of ``zone``, or with ``zones`` by each cell's own.
        """
        if "%z" not in self.format:
            return pd.to_datetime(self._whole(cells), format=self.format, errors="coerce")
        moments = self.instants(cells).dt.tz_localize(None)
        if not self.zones:
            return moments + offset(self.zone)
        return moments + np.array([_own_offset(text) for text in cells], "timedelta64[m]")

    def _whole(self, cells: pd.Series) -> pd.Series:
        """With a fraction in every cell, where the format has one."""
        texts = cells.astype(object)
        return texts.str.replace(WHOLE_SECONDS, ".0", regex=True) if self.whole_seconds else texts

    def write(self, moment: datetime.datetime) -> str:
        """
        >>> DateText("%d.%m.%Y %I:%M %p", unpadded="dm", case="lower").write(datetime.datetime(2024, 5, 1, 15, 7))
        '1.5.2024 03:07 pm'
        """
        shorter = self.whole_seconds and not moment.microsecond
        form = self.format.replace(".%f", "") if shorter else self.format
        return re.sub("%[a-zA-Z%]", lambda field: self._field(field[0][1], moment), form)

    def _field(self, letter: str, moment: datetime.datetime) -> str:
        if letter == "z":
            return self._zone_at(moment)
        if letter == "f":
            return f"{moment.microsecond:06d}".ljust(9, "0")[: self.fraction_digits]
        if letter == "Y":
            return f"{moment.year:04d}"
        text = moment.strftime(f"%{letter}")
        if letter in self.unpadded:
            return text.lstrip("0") or "0"
        return getattr(text, self.case)() if self.case and letter in "aAbBp" else text

    def _zone_at(self, moment: datetime.datetime) -> str:
        since = (moment - EPOCH) // datetime.timedelta(microseconds=1)
        return next((zone for start, zone in reversed(self.zones) if start <= since), self.zone)


def find_format(texts: pd.Series) -> tuple[DateText | None, list[str]]:
    """The format that every one of the distinct texts has, if there is one.

    Returns:
        It, and all formats that fit but give other dates, the one taken first; one alone where there is no doubt.

    >>> find_format(pd.Series(["31.12.2024 10:30"]))[0].format
    '%d.%m.%Y %H:%M'
    >>> find_format(pd.Series(["01/02/2024"]))[1]
    ['%m/%d/%Y', '%d/%m/%Y']
    """
    if alone := TIME.fullmatch(f" {texts.iloc[0]}"):  # a time of day
        formats = [_time_format(alone).lstrip()]
    else:
        found_times = (time for text in texts if (time := TIME.search(text)) and time["fraction"])
        time = next(found_times, None) or TIME.search(texts.iloc[0])
        formats = [date + (_time_format(time) if time else "") for date in DATES]
    short = any(WHOLE_SECONDS.search(text) for text in texts)
    found = [form for each in formats if _fits(form := DateText(each, whole_seconds=short and "%f" in each), texts)]
    if not found:
        return None, []
    found = [form for form in found if not _year_varies(form, texts)] or found
    first = found[0].read(texts)
    others = [form.format for form in found[1:] if not form.read(texts).equals(first)]
    return styled(found[0], texts), [found[0].format, *others]


def digits_only(numbers: pd.Series) -> bool:
    """Whether all of the distinct whole numbers are dates as in 20240131.

    >>> digits_only(pd.Series([20240131, 20240201, 19991231])), digits_only(pd.Series([20240132, 20240201, 19991231]))
    (True, False)
    """
    first, last = (year * 10_000 for year in DIGITS_ONLY_YEARS)
    if len(numbers) < FEWEST_DIGITS_ONLY or not numbers.between(first, last).all():
        return False
    return bool(DateText(DIGITS_ONLY).read(numbers.astype("int64").astype(str)).notna().all())


def styled(form: DateText, texts: pd.Series) -> DateText:
    """``form`` with the style in which it writes ``texts`` as they are."""
    few = texts.iloc[:SAMPLED]
    if "%z" in form.format:
        zones = Counter(match[0] for text in texts if (match := ZONE.search(text)))
        form = replace(form, zone=zones.most_common(1)[0][0] if zones else "")
        form = replace(form, zones=_seasons(form, texts)) if len(zones) == 2 else form
    if "%f" in form.format:
        found = [fractions[-1] for text in few if (fractions := re.findall(r"\.(\d+)", text))]
        form = replace(form, fraction_digits=max(map(len, found), default=form.fraction_digits))
    moments = form.read(few).dt.to_pydatetime()
    for unpadded, case in itertools.product(("", "dm", "HI", "dmHI"), ("", "upper", "lower")):
        style = replace(form, unpadded=unpadded, case=case)
        written = (style.write(moment) for moment in moments)
        if all(_zoneless(a, form) == _zoneless(b, form) for a, b in zip(written, few, strict=True)):
            return style
    return form


def _seasons(form: DateText, texts: pd.Series) -> tuple[tuple[int, str], ...]:
    """When which of two offsets an hour apart begins; none where they change too often for summer and winter."""
    zones = pd.Series([match[0] for text in texts if (match := ZONE.search(text))])  # each has one
    apart = abs(int((offset(zones.iloc[0]) - offset(zones[zones != zones.iloc[0]].iloc[0])) / np.timedelta64(1, "m")))
    clock = replace(form, zones=((0, form.zone),)).read(texts).to_numpy(dtype="datetime64[us]").astype(np.int64)
    order = np.argsort(clock, kind="stable")
    clock, written = clock[order], zones.iloc[order].tolist()
    changes = np.array([i for i in range(1, len(written)) if written[i] != written[i - 1]], np.intp)
    if apart > MOST_SUMMER_TIME or len(changes) > 2 * (1 + np.ptp(clock) / YEAR):
        return ()
    starts = [np.iinfo(np.int64).min, *((clock[changes - 1] + clock[changes]) // 2).tolist()]
    return tuple(zip(starts, [written[0], *(written[i] for i in changes)], strict=True))


def _own_offset(text: str | float) -> np.timedelta64:
    match = ZONE.search(text) if isinstance(text, str) else None
    return offset(match[0]) if match else np.timedelta64("NaT", "m")


def offset(zone: str) -> np.timedelta64:
    """
    >>> offset("+05:30"), offset("Z"), offset("-03")
    (np.timedelta64(330,'m'), np.timedelta64(0,'m'), np.timedelta64(-180,'m'))
    """
    digits = re.sub(r"\D", "", zone).ljust(4, "0")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return np.timedelta64(-minutes if zone.startswith("-") else minutes, "m")


def _time_format(time: re.Match[str]) -> str:
    half, zone = time["half"] or "", time["zone"] or ""
    parts = [time["joiner"], "%I" if half else "%H", ":%M", ":%S" if time["seconds"] else ""]
    parts += [".%f" if time["fraction"] else "", half[:-2] + "%p" if half else ""]
    return "".join([*parts, zone[: len(zone) - len(zone.lstrip())] + "%z" if zone else ""])


def _fits(form: DateText, texts: pd.Series) -> bool:
    return bool(form.read(texts.iloc[:SAMPLED]).notna().all() and form.read(texts).notna().all())


def _year_varies(form: DateText, texts: pd.Series) -> bool:
    """Whether the year comes first, in two digits, and varies as much as a day would: 31/12/24 is a 24/12/31 too."""
    moments = form.read(texts)
    return form.format.startswith("%y") and moments.dt.year.nunique() >= moments.dt.day.nunique()


def _zoneless(text: str, form: DateText) -> str:
    return ZONE.sub("", text) if "%z" in form.format else text
