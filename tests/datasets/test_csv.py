"""Files: every byte of the user's table that is not a filled blank comes back."""

from __future__ import annotations

import csv
import gzip
import io
import re
import shlex
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from lacuna.config.compose import compose, plain
from lacuna.datasets.csv import CSV
from lacuna.errors import UserError
from lacuna.frames.conversion import typed
from lacuna.frames.date_text import find_format
from lacuna.frames.delimited_text import DelimitedText
from lacuna.frames.number_text import read_marked_numbers
from lacuna.frames.sources import Source
from lacuna.imputer import Imputer
from lacuna.methods.mean_mode import MeanMode
from lacuna.rng import stream
from lacuna.types import Incomplete, Table


def load(path: Path, **options: object) -> Table:
    return CSV(str(path), **options).load(stream(0, "dataset"), stream(0, "split"))  # type: ignore[arg-type]


def table(folder: Path, text: str | bytes, name: str = "my.csv", **options: object) -> Table:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, **options)


def completed(table: Table, folder: Path) -> bytes:
    """The file as it is written after a mean/mode imputation."""
    rows = Incomplete(table.columns, table.values, ~np.isnan(table.values))
    (folder / "out").mkdir(exist_ok=True)
    source: Source = table.source
    return source.write(MeanMode().fit(rows).impute(rows).final, folder / "out").read_bytes()


def kinds(table: Table) -> dict[str, str]:
    return {c.name: c.kind for c in table.columns}


MIXED = """\
zip,age,income,member,city,born,note
007,31,1.50,TRUE,"Bonn, Rhein",1990-02-01,"said ""hi""
and left"
012,,2.5,FALSE,Köln,,x
007,40,,TRUE,,1991-03-01,x
100,35,3e2,,"Bonn, Rhein",1992-04-01,x
"""


def test_types_are_inferred_and_only_blank_cells_change(tmp_path: Path) -> None:
    mixed = table(tmp_path, MIXED, mm_candidates=["income"])
    assert kinds(mixed) == {
        "zip": "categorical",  # padded with zeros: a code, not a number
        "age": "integer",
        "income": "continuous",
        "member": "categorical",
        "city": "categorical",
        "born": "integer",
        "note": "categorical",
    }
    assert mixed.columns[0].levels == ("007", "012", "100")
    assert [c.mm_candidate for c in mixed.columns] == [False, False, True, False, False, False, False]
    assert not mixed.meaningful.any()
    want = MIXED.replace("012,,2.5,FALSE,Köln,,x", "012,35,2.5,FALSE,Köln,1991-03-02,x")
    want = want.replace("007,40,,TRUE,,1991", '007,40,101.333333333,TRUE,"Bonn, Rhein",1991')
    want = want.replace("3e2,,", "3e2,TRUE,")
    assert completed(mixed, tmp_path).decode() == want


def test_cells_kept_blank_keep_their_bytes(tmp_path: Path) -> None:
    text = 'a,b\n1,"NA"\nnull, \n3,x\n'
    one = table(tmp_path, text, mm_candidates=["b"])
    assert one.source.n_blank == 3
    kept = one.source.write(one.values, tmp_path)
    assert kept.name == "completed.csv"
    assert kept.read_text() == text
    assert one.source.complete(one.values).isna().to_numpy().tolist() == [
        [False, True],
        [True, True],
        [False, False],
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, newline: str) -> None:
    lines = [["x", "y", "z"], ["1", "", "a, b; c"], ["2", "5", "d"], ["3", "7", "d"]]
    text = newline.join(delimiter.join(f'"{c}"' if delimiter in c else c for c in line) for line in lines)
    one = table(tmp_path, text.encode())
    assert kinds(one) == {"x": "integer", "y": "integer", "z": "categorical"}
    want = text.replace(f"1{delimiter}{delimiter}", f"1{delimiter}6{delimiter}")
    assert completed(one, tmp_path) == want.encode()


def test_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    one = table(tmp_path, "a;b\n1,5;1.5\n2,5;\n;2.5\n")
    np.testing.assert_array_equal(one.values, [[1.5, 1.5], [2.5, np.nan], [np.nan, 2.5]])
    assert completed(one, tmp_path) == b"a;b\n1,5;1.5\n2,5;2.0\n2,0;2.5\n"


def test_whole_numbers_as_pandas_writes_them_beside_blanks(tmp_path: Path) -> None:
    one = table(tmp_path, "a;b\n1.0;1,0\n4.0;\n;2,5\n")
    assert kinds(one) == {"a": "integer", "b": "continuous"}
    assert completed(one, tmp_path) == b"a;b\n1.0;1,0\n4.0;1,8\n2.0;2,5\n"
    assert typed(one.source)["a"].to_list() == [1, 4, pd.NA]


MARKS = ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]  # all but the first with a mark


@pytest.mark.parametrize("encoding", MARKS)
def test_encodings_come_back(tmp_path: Path, encoding: str) -> None:
    def encoded(text: str) -> bytes:
        return (("\ufeff" if encoding[-2:] in ("le", "be") else "") + text).encode(encoding)

    one = table(tmp_path, encoded("größe,b\nä,1\nä,\n"))
    assert one.columns[0].name == "größe"
    assert completed(one, tmp_path) == encoded("größe,b\nä,1\nä,1\n")


def test_other_bytes_are_read_as_latin_1_with_a_note(tmp_path: Path) -> None:
    one = table(tmp_path, "größe,b\nä,1\nä,\n".encode("latin-1"))
    assert one.source.notes == ("my.csv is not UTF-8: read as Latin-1",)
    assert completed(one, tmp_path) == "größe,b\nä,1\nä,1\n".encode("latin-1")


def test_gz(tmp_path: Path) -> None:
    one = table(tmp_path, gzip.compress(b"a,b\n1,\n2,3\n"), "my.v2.csv.gz")
    assert gzip.decompress(completed(one, tmp_path)) == b"a,b\n1,3\n2,3\n"
    assert (tmp_path / "out" / "completed.csv.gz").is_file()


def test_na_values_add_to_what_is_blank_by_default(tmp_path: Path) -> None:
    text = "a,b\n1,None\n?,y\n3,NA\n"
    usual = table(tmp_path, text)
    assert kinds(usual)["a"] == "categorical"
    assert usual.source.notes[0].startswith("column 'a' is read as text because of '?'")
    own = table(tmp_path, text, na_values=["?"])
    assert kinds(own) == {"a": "integer", "b": "categorical"}
    assert own.columns[1].levels == ("y",)
    assert completed(own, tmp_path).decode() == text.replace("?", "2").replace("NA", "y").replace("None", "y")


@pytest.mark.parametrize("spelling", ["-999", "-999.0", "-999.00", "-9.99e2", " -999 "])
def test_na_values_compare_as_numbers(tmp_path: Path, spelling: str) -> None:
    for na_values in (-999, -999.0, "-999", [-999], ["-999.0", "?"]):
        one = table(tmp_path, f"a,b\n1.5,x\n{spelling},y\n,y\n3.5,NA\n", na_values=na_values)
        assert kinds(one) == {"a": "continuous", "b": "categorical"}
        assert completed(one, tmp_path) == b"a,b\n1.5,x\n2.5,y\n2.5,y\n3.5,y\n"
    assert table(tmp_path, "zip,x\n0099,1\n0100,99\n", na_values=99).source.n_blank == 1  # a padded code is no number


def test_levels_that_differ_in_spelling_alone_are_said(tmp_path: Path) -> None:
    one = table(tmp_path, "a,b\n" + "TRUE,x\ntrue,y\n" * 3 + ",y\n")
    assert one.source.notes == ("column 'a': 'TRUE' and 'true' are two levels, and may be meant as one",)
    with pytest.raises(UserError, match="line 1, 'sep=,', is no header: remove it"):
        table(tmp_path, "sep=,\na,b\n1,2\n,3\n")


def test_question_marks_may_be_blanks(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("age,x\n" + "\n".join(f"{i},{i % 3}" for i in range(9)) + "\n???,1\n")
    asked = ["dataset=csv", f"dataset.path={path}"]
    with pytest.raises(UserError, match=r"'\?\?\?' stands for a value that is not given: write '\\\?\?\?'"):
        compose([*asked, "dataset.na_values=['???']"])
    one = load(path, **{"na_values": plain(compose([*asked, r"dataset.na_values=['\???']"]))["dataset"]["na_values"]})
    assert kinds(one)["age"] == "integer"
    assert np.isnan(one.values[-1, 0])


def test_na_values_by_column(tmp_path: Path) -> None:
    text = "age,rooms\n99,99\n20,98\n30,97\n"
    one = table(tmp_path, text, na_values={"age": [99]})
    assert completed(one, tmp_path).decode() == text.replace("99,99", "25,99")
    with pytest.raises(UserError, match=r"dataset\.na_values: there is no column 'aeg': did you mean 'age'"):
        table(tmp_path, text, na_values={"aeg": 99})
    notes = table(tmp_path, text, na_values={"age": [-1], "rooms": 97}).source.notes
    assert notes[0] == "na_values: no cell is '-1' in column 'age'"


def test_na_may_be_a_country(tmp_path: Path) -> None:
    text = "country,n\nNA,1\nDE,2\nFR,\n,4\n"
    usual = table(tmp_path, text)
    assert usual.columns[0].levels == ("DE", "FR")
    assert "column 'country' holds NA, which counts as blank" in usual.source.notes[0]
    own = table(tmp_path, text, keep_default_na=False)
    assert own.columns[0].levels == ("DE", "FR", "NA")
    assert own.source.n_blank == 2
    other = table(tmp_path, text + "DE,NA\n", keep_default_na=False, na_values={"n": ["NA"]})
    assert kinds(other)["n"] == "integer"


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (["23", "54", "31", "-999", "47", "23"], "-999"),
        (["1", "4", "2", "99", "3", "99"], "99"),
        (["1.25", "4.50", "888888", "3.25", "888888", "2.75"], "888888"),
        (["M", "F", "F", "M", "unknown", "F"], "unknown"),
        (["M", "F", "F", "M", "-9", "F"], "-9"),
        (["2020-01-05", "2020-03-01", "2020-02-17", "2020-05-04", "9999-12-31", "2020-01-05"], "9999-12-31"),
        (["23", "54", "31", "99", "101", "97"], None),
        (["-999.1", "-998.7", "-999", "-997", "-999", "-996"], None),
        (["M", "F", "F", "M", "D", "F"], None),
    ],
)
def test_what_looks_like_a_code_for_a_blank_is_said_and_kept(tmp_path: Path, cells: list[str], code: str) -> None:
    text = "a,b\n" + "".join(f"{cell},{i % 4}\n" for i, cell in enumerate(cells)) + ",1\n"
    one = table(tmp_path, text)
    said = [note for note in one.source.notes if "looks like a code for a blank" in note]
    assert [note.split(" holds ")[1].split(",")[0].split(" in ")[0] for note in said] == ([code] if code else [])
    if code:
        assert not any("looks like" in n for n in table(tmp_path, text, na_values={"a": [code]}).source.notes)


def dated(folder: Path, cells: list[str], **options: object) -> tuple[Table, list[str]]:
    """A table of these cells and a blank, and the lines of its completed file."""
    lines = ["when,x", *(f'"{cell}",{i % 4}' for i, cell in enumerate(cells)), '"",1']
    one = table(folder, "\n".join(lines), **options)
    done = completed(one, folder).decode().split("\n")
    assert done[:-1] == lines[:-1]
    return one, [done[-1].rsplit(",", 1)[0].strip('"')]


@pytest.mark.parametrize(
    ("cells", "fill"),
    [
        (["2024-05-01T10:30:00+02:00", "2024-05-03T10:30:00+02:00"], "2024-05-02T10:30:00+02:00"),
        (["2024-05-01 10:30:00Z", "2024-05-01 10:30:10Z"], "2024-05-01 10:30:05Z"),
        (["2024-03-30T23:00+01:00", "2024-03-31T06:00+02:00", "2024-03-31T11:00+02:00"], "2024-03-31T05:00+02:00"),
        (["2024-05-01T10:00:00", "2024-05-01T10:00:02.50"], "2024-05-01T10:00:01.25"),
        (["2024-05-01 10:00:00Z", "2024-05-01 10:00:01.500Z", "2024-05-01 10:00:04.500Z"], "2024-05-01 10:00:02Z"),
        (["31.12.2023 10:30:00", "02.01.2024 10:30:30"], "01.01.2024 10:30:15"),
        (["1.12.2023 9:30:00", "13.12.2023 9:30:30"], "7.12.2023 9:30:15"),
        (["12/31/2023 10:30:00", "01/02/2024 10:30:30"], "01/01/2024 10:30:15"),
        (["12/31/2023 01:30 PM", "01/02/2024 01:32 PM"], "01/01/2024 01:31 PM"),
        (["12/31/2023 1:30:00 am", "1/2/2024 1:30:30 am"], "1/1/2024 1:30:15 am"),
        (["31/12/23", "02/01/24"], "01/01/24"),
        (["20231231", "20240101", "20240108"], "20240103"),
        (["31-DEC-2023", "02-JAN-2024"], "01-JAN-2024"),
        (["December 31, 2023", "January 2, 2024"], "January 1, 2024"),
        (["2023-12-31 10:30:00.250", "2023-12-31 10:30:00.750"], "2023-12-31 10:30:00.500"),
        (["2023-12-31 10:30:00.250000000", "2023-12-31 10:30:00.750000000"], "2023-12-31 10:30:00.500000000"),
        ([f"{8 + i // 4:02d}:{15 * (i % 4):02d}" for i in range(25)], "11:00"),
        ([f"8:15:{10 + i} pm" for i in range(25)], "8:15:22 pm"),
        (["2023-12", "2024-02"], "2024-01"),
    ],
)
def test_dates_come_back_in_their_own_format(tmp_path: Path, cells: list[str], fill: str) -> None:
    one, filled = dated(tmp_path, cells)
    assert filled == [fill]
    assert one.columns[0].kind in ("integer", "continuous")
    assert one.source.notes == ()


def test_offsets_of_summer_and_winter_follow_the_clock(tmp_path: Path) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moments = [datetime(2023, 11, 3, 10, 30, tzinfo=berlin) + timedelta(days=9 * i) for i in range(60)]
    lines = ["when,x", *(f"{moment.isoformat()},{i % 4}" for i, moment in enumerate(moments))]
    one = table(tmp_path, "\n".join([*lines, ",1"]))
    coding = one.source.codec.coded[0].coding
    assert not one.source.notes
    assert coding.decode(one.values[:-1, 0], None) == [moment.isoformat() for moment in moments]
    between = [moment + timedelta(days=4) for moment in moments]
    written = coding.decode(one.values[:-1, 0] + 4, None)
    agree = [a == b.isoformat() for a, b in zip(written, between, strict=True)]
    assert sum(agree) >= len(agree) - 3  # but for the days around a change of the clock
    assert typed(one.source)["when"][0] == pd.Timestamp(moments[0])


def test_offsets_of_two_places_have_one_clock(tmp_path: Path) -> None:
    cells = [f"2024-05-{d:02d}T10:00{'+01:00' if d % 2 else '+02:00'}" for d in range(1, 25)]
    _, (filled,) = dated(tmp_path, [*cells, "2024-05-25T10:00+02:00"])
    assert filled.endswith("+02:00")


@pytest.mark.parametrize(
    ("cells", "shape"),
    [
        (["2024-05-01 10:30:00", "2024-05-01 12:41:00", "2024-05-01 10:36:00"], r".*:\d\d:00"),  # whole minutes
        (["2024-05-01 10:00", "2024-05-01 13:00", "2024-05-02 15:00"], r".*:00"),  # whole hours
        (["2024-05-01 00:00:00", "2024-05-02 00:00:00", "2024-05-04 00:00:00"], r".* 00:00:00"),
        (["2024-05-01 10:30:07", "2024-05-01 12:41:00", "2024-05-01 10:36:59"], r".*:\d\d:\d\d"),
    ],
)
def test_times_keep_their_granularity(tmp_path: Path, cells: list[str], shape: str) -> None:
    _, (fill,) = dated(tmp_path, cells)
    assert re.fullmatch(shape, fill)


def test_an_ambiguous_date_is_said_and_a_schema_decides(tmp_path: Path) -> None:
    cells = ["01/02/24", "03/02/24"]
    one, filled = dated(tmp_path, cells)
    assert filled == ["02/01/24"]  # of 2 January and 2 March
    assert "column 'when' can be read as %m/%d/%y or %d/%m/%y: it is read as %m/%d/%y" in one.source.notes[0]
    remedy = '\'dataset.schema="{\\"when\\": {\\"kind\\": \\"date\\", \\"format\\": \\"%d/%m/%y\\"}}"\''
    assert remedy in one.source.notes[0]
    for schema in ({"when": {"kind": "date", "format": "%d/%m/%y"}}, '{when: {format: "%d/%m/%y"}}'):
        one, filled = dated(tmp_path, cells, schema=schema)
        assert filled == ["02/02/24"]
        assert one.values[1, 0] - one.values[0, 0] == 2  # days
        assert one.source.notes == ()
    odd = {"when": {"kind": "date", "format": "%d%%%m%%%Y"}}
    assert dated(tmp_path, ["01%02%2024", "03%02%2024"], schema=odd)[1] == ["02%02%2024"]
    with pytest.raises(UserError, match=r"column 'when' holds '13\.1\.24', which is not %d/%m/%y"):
        table(tmp_path, "when\n01/02/24\n13.1.24\n", schema={"when": {"kind": "date", "format": "%d/%m/%y"}})
    with pytest.raises(UserError, match=r"a format such as .* goes with kind date, got 'D/M/Y'"):
        table(tmp_path, "when\n01/02/24\n", schema={"when": {"kind": "date", "format": "D/M/Y"}})
    with pytest.raises(UserError, match="'%d/%Q' is no format of a date"):
        table(tmp_path, "when\n01/02/24\n", schema={"when": {"kind": "date", "format": "%d/%Q"}})


def test_dates_and_times_have_types_in_parquet(tmp_path: Path) -> None:
    lines = [f"2024-05-01T10:30:{i}+02:00,08:{i},31.12.2024,202405{i}" for i in range(10, 31)]
    one = table(tmp_path, "\n".join(["at,time,day,number", *lines]))
    first = typed(one.source).iloc[0].tolist()
    assert first[0] == pd.Timestamp("2024-05-01 08:30:10Z")
    assert [str(cell) for cell in first[1:]] == ["08:10:00", "2024-12-31", "2024-05-10"]


def test_few_times_of_day_are_levels(tmp_path: Path) -> None:
    one = table(tmp_path, "shift\n" + "06:00\n14:00\n14:00\n22:00\n" * 9 + '""\n')
    assert one.columns[0].levels == ("06:00", "14:00", "22:00")


FORMATS = [
    *("%Y-%m-%dT%H:%M:%S+05:30", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y/%m/%d %H:%M", "%d %b %Y"),
    *("%y-%m-%d", "%d.%m.%y %H:%M:%S.%f"),
]


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)), min_size=2, max_size=6, unique=True),
    date_format=st.sampled_from(FORMATS),
)
def test_a_format_that_was_found_reads_and_writes_every_cell(moments: list[datetime], date_format: str) -> None:
    texts = pd.Series([moment.strftime(date_format) for moment in moments]).drop_duplicates()
    form, _ = find_format(texts)
    assert form is not None
    assert [form.write(moment) for moment in form.read(texts).dt.to_pydatetime()] == texts.tolist()


def test_digits_of_other_scripts_are_numbers_and_fills_are_written_in_them(tmp_path: Path) -> None:
    text = "a,b,c\n٣,٠٫٥,१२\n٥,٢٫٥,१४\n,,\n"
    one = table(tmp_path, text)
    assert kinds(one) == {"a": "integer", "b": "continuous", "c": "integer"}
    np.testing.assert_array_equal(one.values[:2], [[3, 0.5, 12], [5, 2.5, 14]])
    assert completed(one, tmp_path).decode() == text.replace(",,\n", "٤,١٫٥,१३\n")
    assert typed(one.source)["a"].tolist() == [3, 5, pd.NA]


@pytest.mark.parametrize(
    ("cells", "fill"),
    [
        (["1,234.50", "999.50", "2,000,000.00"], "667,411.33"),
        (["1.234,5", "999,5", "1.000"], "1.078"),
        (["1.234.567", "999", "1.000"], "412.189"),
        (["1'234.50", "999.50"], "1'117.00"),
        (["1\u202f234,5", "999,5"], "1\u202f117,0"),
        (["20,72", "3,45", "14,5"], "12,89"),
        (["$1,234.50", "$999.50"], "$1,117.00"),
        (["64,5 %", "21,2 %"], "42,9 %"),
        (["12.50€", "10.00€"], "11.25€"),
        (["\u22122.5", "\u22124.5", "1.0"], "\u22122.0"),
        (["\u22122", "\u22124", "0"], "\u22122"),
        (["\u0661\u066c\u0662\u0663\u0664\u066b\u0665", "\u0667\u066b\u0665"], "\u0666\u0662\u0661\u066b\u0660"),
        (["1700499009.308", "1700198825.800"], "1700348917.554"),
        (["1700289841.149816", "1700814414.308000"], "1700552127.728908"),
    ],
)
def test_numbers_with_marks_are_read_and_fills_have_the_marks(tmp_path: Path, cells: list[str], fill: str) -> None:
    lines = ["a,b", *(f'"{cell}",x' for cell in cells), '"",x']
    one = table(tmp_path, "\n".join(lines) + "\n")
    assert one.columns[0].kind != "categorical"
    assert one.source.notes == ()
    done = completed(one, tmp_path).decode().splitlines()
    assert done[:-1] == lines[:-1]
    assert done[-1] == f'"{fill}",x'


@pytest.mark.parametrize(
    ("header", "cells", "example", "value", "decimal"),
    [
        ("a,b", ["31,576", "8,204", "950"], "31,576", 31576, "."),
        ("a;b", ["57.019", "17.148"], "57.019", 57019, ","),
    ],
)
def test_a_mark_that_may_be_either_is_said_and_a_schema_decides(
    tmp_path: Path, header: str, cells: list[str], example: str, value: int, decimal: str
) -> None:
    mark = header[1]
    text = "\n".join([header, *(f'"{cell}"{mark}{i % 4}' for i, cell in enumerate(cells)), f"{mark}1"])
    (note,) = [note for note in table(tmp_path, text).source.notes if "column 'a'" in note]
    assert f"if {example!r} is {value}, say 'dataset.schema=" in note
    (typed_override,) = re.findall(r"say ('.*')$", note)
    (override,) = shlex.split(typed_override)
    schema = yaml.safe_load(compose(["dataset=csv", "dataset.path=x", override]).dataset.schema)
    assert schema == {"a": {"kind": "continuous", "decimal": decimal}}
    one = table(tmp_path, text, schema=schema)
    assert one.values[0, 0] == value
    assert not [note for note in one.source.notes if "column 'a'" in note]


@pytest.mark.parametrize("cell", ["030 123 456", "192.168.1.10", "12,34,567", "A-7", "1,2,3", "$", "5 kg", "1.234,5.6"])
def test_what_only_looks_like_a_marked_number_stays_text(tmp_path: Path, cell: str) -> None:
    one = table(tmp_path, f'a,b\n"{cell}",x\n"{cell}",x\n,y\n')
    assert kinds(one)["a"] == "categorical"


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=2, unique=True),
    st.integers(1, 3),
    st.sampled_from([",.", ".,", " .", " ,", "'.", "\u00a0,"]),
)
def test_marked_numbers_are_read_as_they_were_written(numbers: list[int], decimals: int, marks: str) -> None:
    group, decimal = marks
    exact = [n / 10**decimals for n in numbers] + [12_345_678.25, -1_234.5]
    swap = {",": group, ".": decimal}
    texts = ["".join(swap.get(c, c) for c in f"{x:,.{decimals}f}") for x in exact]
    (found,) = read_marked_numbers(pd.Series(texts).drop_duplicates())
    assert found.encode(pd.Series(texts)).tolist() == [float(f"{x:.{decimals}f}") for x in exact]
    assert [
        float(x) for x in found.plain(pd.Series(found.decode(found.encode(pd.Series(texts)), None)))
    ] == found.encode(pd.Series(texts)).tolist()


@pytest.mark.parametrize(
    ("cells", "fill"),
    [
        (["1.50", "2.25", "3.10"], "2.28"),
        (["1.5", "2.25", "4"], "2.58"),
        (["1.0", "2.5", "2.5"], "2.0"),
        (["1", "2.5", "2.5"], "2"),
        (["-0.01", "0.01", "0.01"], "0.00"),
        (["1", "2", "4"], "2"),
        (["0.1234567890123456", "0.3", "0.5"], "0.307818929671"),
        (["1e-3", "2", "4"], "2.00033333333"),
    ],
)
def test_fills_have_the_decimals_of_their_column(tmp_path: Path, cells: list[str], fill: str) -> None:
    one = table(tmp_path, "a,b\n" + "".join(f"{cell},x\n" for cell in cells) + ",x\n")
    assert completed(one, tmp_path).decode().splitlines()[-1] == f"{fill},x"


def test_whole_numbers_are_whole_from_every_source(tmp_path: Path) -> None:
    text = "children,pay\n" + "".join(f"{i % 4 if i % 5 else ''},{i}.25\n" for i in range(30))
    (tmp_path / "my.csv").write_text(text)
    frame = pd.read_csv(tmp_path / "my.csv")
    assert frame["children"].dtype == float
    frame.to_parquet(tmp_path / "my.parquet")
    filled = set()
    for path in (tmp_path / "my.csv", tmp_path / "my.parquet"):
        done = completed(load(path), tmp_path)
        filled.add(
            float(
                pd.read_csv(io.BytesIO(done))["children"][0]
                if path.suffix == ".csv"
                else pd.read_parquet(io.BytesIO(done))["children"][0]
            )
        )
        forced = completed(load(path, schema={"children": "continuous"}), tmp_path)
        whole = pd.read_csv(io.BytesIO(forced)) if path.suffix == ".csv" else pd.read_parquet(io.BytesIO(forced))
        assert whole["children"][0] == pytest.approx(frame["children"].mean())
    filled.add(Imputer("mean_mode").fit_transform(frame)["children"][0])
    assert filled == {2.0}


@pytest.mark.parametrize("last", ["12345678901234567890", "99999999999999999999999999999999999999999"])
def test_numbers_longer_than_any_integer_are_left_alone(tmp_path: Path, last: str) -> None:
    for key in (range(10**19, 10**19 + 40 * 7919, 7919), [10**19] * 20 + [10**19 + 5] * 20):
        text = "key,x\n" + "".join(f"{k},{i % 7 if i % 3 else ''}\n" for i, k in enumerate(key)) + f"{last},1\n"
        one = table(tmp_path, text)
        assert kinds(one) == {"x": "integer"}
        assert "left out of the model as numbers of very many digits: 'key'" in one.source.notes[0]
        assert [line.split(",")[0] for line in completed(one, tmp_path).decode().split()] == [
            line.split(",")[0] for line in text.split()
        ]
        assert typed(one.source)["key"].tolist()[-1] == last


@pytest.mark.parametrize("name", ["patient_id", "n"])
def test_identifiers_are_left_out_with_a_note(tmp_path: Path, name: str) -> None:
    rng = stream(0, "identifiers")
    numbers = 100_000 + rng.permutation(50)  # consecutive in any order
    rows = [f"{key},{1950 + i},{rng.integers(9)}" for i, key in enumerate(numbers)]
    assert kinds(table(tmp_path, "\n".join([f"{name},year,x", *rows]))) == {"year": "integer", "x": "integer"}
    one = table(tmp_path, "\n".join([f"{name},year,x", *rows, "7,2000,"]))
    assert (name in kinds(one)) == (name == "n")  # 7 breaks the row of numbers, not a name
    ordered = table(tmp_path, f"{name},x\n" + "".join(f"{3 * k},{k % 7 or ''}\n" for k in range(40)))
    assert kinds(ordered) == {"x": "integer"}
    assert f"as identifiers: '{name}'; +dataset.schema.{name}=integer would model" in ordered.source.notes[0]
    asked = table(tmp_path, f"{name},x\n" + "".join(f"{3 * k},{k % 7}\n" for k in range(40)), schema={name: "integer"})
    assert name in kinds(asked)
    alone = table(tmp_path, f"{name}\n" + "\n".join(map(str, range(40))))
    assert kinds(alone) == {name: "integer"}


def test_extreme_numbers_are_completed(tmp_path: Path) -> None:
    text = "x,y\n1e308,1\n-1e308,2\n1.7e308,3\n,4\n5,5\n"
    one = table(tmp_path, text)
    assert np.isfinite(np.nanstd(one.values, axis=0)).all()
    assert "column 'x' is computed, and drawn, in units of 1.07e+301" in one.source.notes[0]
    fill = float(completed(one, tmp_path).decode().splitlines()[4].split(",")[0])
    assert fill == pytest.approx(1.7e308 / 4, rel=1e-9)
    small = table(tmp_path, "x\n1e-300\n3e-300\n\n2e-300\n")
    assert np.nanstd(small.values) > 0.1
    assert completed(small, tmp_path).decode().split()[3] == "2e-300"


def test_fills_are_quoted_where_blanks_were(tmp_path: Path) -> None:
    one = table(tmp_path, '"a","b"\n"1","x"\n"","x"\n"3",""\n')
    assert completed(one, tmp_path) == b'"a","b"\n"1","x"\n"2","x"\n"3","x"\n'


def test_unnamed_and_single_columns_and_empty_lines(tmp_path: Path) -> None:
    assert kinds(table(tmp_path, ",x\n0,1\n1,2\n")) == {"Unnamed: 0": "integer", "x": "integer"}
    one = table(tmp_path, "x\n1\n\n3\n\n")
    assert completed(one, tmp_path) == b"x\n1\n2\n3\n\n"
    two = table(tmp_path, "\nx,y\n\n1,\n\n3,4\n\n")
    assert completed(two, tmp_path) == b"\nx,y\n\n1,4\n\n3,4\n\n"


def test_no_blank_at_all_writes_the_same_file(tmp_path: Path) -> None:
    text = "a,b\n1,x\n2,y\n"
    one = table(tmp_path, text)
    assert one.source.n_blank == 0
    assert completed(one, tmp_path).decode() == text


def test_columns_that_are_not_modelled_are_in_the_file(tmp_path: Path) -> None:
    lines = ["id,free,x", *(f"u{i},{'' if i % 2 else i},{i if i else ''}" for i in range(40))]
    one = table(tmp_path, "\n".join(lines), schema={"free": "ignore"})
    assert kinds(one) == {"x": "integer"}
    assert one.source.n_blank == 1
    assert completed(one, tmp_path).decode().splitlines() == [lines[0], "u0,0,20", *lines[2:]]


def test_schema_from_a_yaml_file(tmp_path: Path) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_text("a: categorical\n'odd: name': ignore\n")
    one = table(tmp_path, "a,odd: name\n1,\n2,\n", schema=str(schema))
    assert kinds(one) == {"a": "categorical"}
    schema.write_text("- a\n")
    with pytest.raises(UserError, match="must hold lines of 'column: kind'"):
        table(tmp_path, "a,b\n1,2\n", schema=str(schema))
    with pytest.raises(UserError, match=r"dataset\.schema=.*nope\.yaml cannot be read: No such file"):
        table(tmp_path, "a,b\n1,2\n", schema=str(tmp_path / "nope.yaml"))


def test_a_test_split_on_request(tmp_path: Path) -> None:
    text = "a\n" + "\n".join(map(str, range(40)))
    assert table(tmp_path, text).train_rows is None
    split = table(tmp_path, text, test_fraction=0.25).train_rows
    assert split is not None
    assert (~split).sum() == 10
    with pytest.raises(ValueError, match="test_fraction"):
        CSV("x.csv", test_fraction=1.0)
    with pytest.raises(ValueError, match="max_levels"):
        CSV("x.csv", max_levels=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header and no rows"),
        (b"\n\n", "no header and no rows"),
        (b"a,b\n", "a header but no rows"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells where the header has 2"),
        (b'a,b\n"1\n2",3\n4\n', "line 4 has 1 cells where the header has 2"),
        (b'a,b\n1,2\n"1,2\n', "line 3 has a quote that is never closed"),
        (b'a,b\n1,"2"x\n', "line 2 has a quote that is never closed, or text after a closing quote"),
        (b"a,a\n1,2\n", "two columns are called 'a'"),
        (b"a,b\n1,\n2,NA\n", r"column 'b' has no observed value.*\+dataset\.schema\.b=ignore"),
        (b"a,b\n1,-inf\n2,3.5\n", "column 'b' holds 1 infinite value: make"),
        (b"PK\x03\x04\x00\x00", "not a text table"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        table(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_bad_paths_and_names_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nope\.csv cannot be read: No such file"):
        load(tmp_path / "nope.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        load(tmp_path / "folder.csv")
    with pytest.raises(UserError, match=r"must end in \.csv"):
        load(tmp_path / "book.xlsx")
    with pytest.raises(UserError, match=r"dataset\.path=.* cannot be read: Not a gzipped file"):
        table(tmp_path, b"a,b", "plain.csv.gz")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        table(tmp_path, b"a,b\n1,2\n", "not.parquet")
    with pytest.raises(UserError, match="mm_candidates: there is no column 'incme': did you mean 'income'"):
        table(tmp_path, "income,b\n1,2\n", mm_candidates=["incme"])
    with pytest.raises(UserError, match=r"mm_candidates: 'name' is left out.*\+dataset\.schema\.name=categorical"):
        table(tmp_path, "name,b\n,0\n" + "".join(f"n{i},{i % 7}\n" for i in range(40)), mm_candidates="name")


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(2, 4).flatmap(lambda d: st.lists(st.lists(cells, min_size=d, max_size=d), min_size=2, max_size=5)),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    delimiter=st.sampled_from(",;\t|"),
)
def test_the_parser_agrees_with_the_standard_library(rows: list[list[str]], quoting: int, delimiter: str) -> None:
    out = io.StringIO(newline="")
    rows = [["h" * (j + 1) for j in range(len(rows[0]))], *rows]
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    text = out.getvalue()
    parsed = DelimitedText.parse(text)
    if parsed.delimiter == delimiter:  # a table of two delimiters is anyone's guess
        assert [parsed.header, *parsed.rows] == rows
    assert "".join(parsed.records) == text
    same = {i: dict(enumerate(row)) for i, row in enumerate(parsed.rows)}
    assert DelimitedText.parse(parsed.with_cells(same)).rows == parsed.rows


def parquet_table(folder: Path, arrow: pyarrow.Table, **options: object) -> Table:
    parquet.write_table(arrow, folder / "my.parquet")
    return load(folder / "my.parquet", **options)


def test_parquet_keeps_its_arrow_schema(tmp_path: Path) -> None:
    arrow = pyarrow.table(
        {
            "big": pyarrow.array([2**60 + 1, None, 2**60 + 3], pyarrow.int64()),
            "small": pyarrow.array([1, 2, None], pyarrow.int16()),
            "flag": pyarrow.array([True, None, True]),
            "x": pyarrow.array([1.0, None, 3.0], pyarrow.float32()),
            "word": pyarrow.array(["a", None, "a"]).dictionary_encode(),
            "day": pyarrow.array([1, None, 3], pyarrow.date32()),
            "at": pyarrow.array([10**15, None, 10**15], pyarrow.timestamp("us", "UTC")),
            "tags": pyarrow.array([["a"], [], ["b"]]),
        }
    )
    one = parquet_table(tmp_path, arrow)
    done = parquet.read_table(io.BytesIO(completed(one, tmp_path)))
    arrow = parquet.read_table(tmp_path / "my.parquet")
    assert done.schema.equals(arrow.schema, check_metadata=True)
    for name in arrow.column_names:
        assert done[name].null_count == 0
        for before, after in zip(arrow[name].to_pylist(), done[name].to_pylist(), strict=True):
            assert before is None or after == before


def test_parquet_from_pandas_keeps_index_and_dtypes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"i": pd.array([1, None, 3], dtype="Int32"), "c": pd.Categorical(["a", None, "a"]), "n": [1, 2, 3]},
        index=pd.MultiIndex.from_tuples([("u", 1), ("u", 1), ("v", 2)], names=["who", None]),
    )
    frame.to_parquet(tmp_path / "my.pq")
    one = load(tmp_path / "my.pq")
    done = pd.read_parquet(io.BytesIO(completed(one, tmp_path)))
    assert (tmp_path / "out" / "completed.pq").is_file()
    want = frame.copy()
    want.iloc[1] = [2, "a", 2]
    pd.testing.assert_frame_equal(done, want)


def test_parquet_errors(tmp_path: Path) -> None:
    twice = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    with pytest.raises(UserError, match="two columns are called 'a'"):
        parquet_table(tmp_path, twice)
    with pytest.raises(UserError, match="no rows or no columns"):
        parquet_table(tmp_path, pyarrow.table({"a": pyarrow.array([], pyarrow.int64())}))


def test_decimals_of_any_precision(tmp_path: Path) -> None:
    big, cents = Decimal("12345678901234567890123456789012345678"), Decimal("99999.99")
    arrow = pyarrow.table(
        {
            "big": pyarrow.array([big, None, big, big], pyarrow.decimal128(38, 0)),
            "wide": pyarrow.array([big * 10**20, None, big, big], pyarrow.decimal256(76, 0)),
            "cents": pyarrow.array([cents, None, cents, cents], pyarrow.decimal128(7, 2)),
        }
    )
    one = parquet_table(tmp_path, arrow)
    done = parquet.read_table(io.BytesIO(completed(one, tmp_path)))
    assert done.schema.equals(arrow.schema)
    assert done["big"][0].as_py() == big
    assert float(done["big"][1].as_py()) == pytest.approx(float(big))
    assert done["cents"][1].as_py() == cents
    beyond = one.source.complete(np.where(np.isnan(one.values), 1e300, one.values))
    assert beyond["cents"][1] == cents  # the largest that seven digits can hold
    assert beyond["big"][1] == Decimal("9" * 38)


@pytest.mark.parametrize("at", range(0, 2000, 23))
def test_damaged_files_are_one_line(tmp_path: Path, at: int) -> None:
    arrow = pyarrow.table({"x": [1.5, None, 3.5] * 50, "word": ["a", "b", None] * 50, "n": [1, 2, 3] * 50})
    parquet.write_table(arrow, tmp_path / "my.parquet")
    packed = gzip.compress(("a,b\n" + "".join(f"{i},{i * i % 97}\n" for i in range(500))).encode(), mtime=0)
    for name, whole in (("my.parquet", (tmp_path / "my.parquet").read_bytes()), ("my.csv.gz", packed)):
        damaged = bytearray(whole)
        damaged[at % len(whole)] ^= 0b1010_0101
        for content in (bytes(damaged), whole[: at % len(whole)]):
            try:
                table(tmp_path, content, name)
            except UserError as error:
                assert "\n" not in str(error)  # noqa: PT017  # damage that hurts nothing is no error


def test_the_breast_file_as_it_is_distributed(tmp_path: Path, real_data: Path) -> None:
    text = (real_data / "breast-cancer-wisconsin.data").read_text()
    header = ",".join(f"c{j}" for j in range(text.splitlines()[0].count(",") + 1))
    one = table(tmp_path, f"{header}\n{text}", na_values=["?"])
    assert len(one.columns) == header.count(",") + 1
    assert set(kinds(one).values()) == {"integer"}
    assert one.source.n_blank == text.count("?") == 16
    done = pd.read_csv(io.BytesIO(completed(one, tmp_path)), dtype=str)
    before = pd.read_csv(tmp_path / "my.csv", dtype=str)
    assert ((done == before) | (before == "?")).all(axis=None)


@pytest.mark.slow
def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    rng = stream(0, "test")
    n = 100_000
    lines = [
        f"{i},{x:.3f},{'' if blank else word},2020-01-{day:02d}"
        for i, x, blank, word, day in zip(
            range(n),
            rng.normal(size=n),
            rng.random(n) < 0.1,
            rng.choice(["a", '"b, c"'], n),
            rng.integers(1, 29, n),
            strict=True,
        )
    ]
    text = "\n".join(["id,x,word,day", *lines])
    one = table(tmp_path, text)
    assert kinds(one) == {"x": "continuous", "word": "categorical", "day": "integer"}
    assert any("identifiers: 'id'" in note for note in one.source.notes)
    done = completed(one, tmp_path).decode().split("\n")
    changed = [(a, b) for a, b in zip(text.split("\n"), done, strict=True) if a != b]
    assert len(changed) == one.source.n_blank
    assert all(b.replace("a", "", 1) == a or b.replace('"b, c"', "", 1) == a for a, b in changed)


def words(*choices: str) -> Callable[[np.random.Generator, int], Any]:
    return lambda rng, n: rng.choice(list(choices), n)


RANDOM_COLUMNS: list[Callable[[np.random.Generator, int], Any]] = [
    lambda rng, n: rng.integers(-5, 100, n),
    lambda rng, n: rng.integers(2**60, 2**62, n),
    lambda rng, n: rng.normal(size=n).round(3),
    lambda rng, n: 10.0 ** rng.integers(-20, 20, n),
    lambda rng, n: [f"{i:04d}" for i in rng.integers(0, 8, n)],
    lambda rng, n: [f"id-{i}" for i in range(n)],
    lambda rng, n: pd.date_range("2020-01-01", periods=n).strftime("%d/%m/%Y"),
    words("TRUE", "FALSE"),
    words("same"),
    words("a, b", 'q"uo"te', "line\nbreak", "semi;colon", " pad ", "tab\there", "bar|x", "ünï"),
]


@pytest.mark.parametrize("seed", range(25))
def test_any_other_reader_sees_the_same_cells_but_for_blanks(seed: int, tmp_path: Path) -> None:
    rng = stream(seed, "random file")
    n, d = int(rng.integers(1, 50)), int(rng.integers(1, 7))
    columns = [RANDOM_COLUMNS[i](rng, n) for i in rng.integers(0, len(RANDOM_COLUMNS), d)]
    frame = pd.DataFrame({f"c{j}": np.array(cells, dtype=object) for j, cells in enumerate(columns)}, dtype=object)
    blank = rng.random(frame.shape) < 0.2
    blank[0], blank[:, [str(frame.iloc[0, j]).startswith("id") for j in range(d)]] = False, False
    path, delimiter = tmp_path / "my.csv", str(rng.choice([",", ";", "\t", "|"]))
    quoting = csv.QUOTE_ALL if rng.random() < 0.5 else csv.QUOTE_MINIMAL
    frame.mask(blank).to_csv(path, index=False, sep=delimiter, quoting=quoting, na_rep=str(rng.choice(["", "NA"])))
    one = load(path)
    (tmp_path / "done.csv").write_bytes(completed(one, tmp_path))
    options: dict[str, Any] = {"sep": delimiter, "dtype": str, "skip_blank_lines": d > 1}
    before, after = pd.read_csv(path, **options), pd.read_csv(tmp_path / "done.csv", **options)
    np.testing.assert_array_equal(before.isna(), blank)
    assert after.notna().all(axis=None)
    assert ((after == before) | blank).all(axis=None)
