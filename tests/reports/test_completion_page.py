"""The report of a completed file, and the tables beside it."""

from __future__ import annotations

import base64
import dataclasses
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lacuna.conformal import Margins
from lacuna.datasets.csv import CSV
from lacuna.diagnosis.api import diagnose_cells
from lacuna.diagnosis.association import PERMUTATIONS
from lacuna.diagnosis.reading import cells_of
from lacuna.diagnosis.result import CAUSES, UNKNOWABLE
from lacuna.records.completed_tables import Completion
from lacuna.records.record import Record
from lacuna.reports import completion_plots
from lacuna.reports.completion_page import write_report
from lacuna.rng import stream
from lacuna.types import Column, Draws, Imputation, Table

VOID = {"meta", "img", "br"}
EVIL = "<script>alert('1')</script> $x_1$"


class Page(HTMLParser):
    """Tags must nest; collects text, pictures and every attribute."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    @property
    def pictures(self) -> list[bytes]:
        sources = [value or "" for name, value in self.attributes if name == "src"]
        return [base64.b64decode(source.removeprefix("data:image/svg+xml;base64,")) for source in sources]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """60 rows with blanks in a number, a date, a category of dangerous labels, and a column that is ignored."""
    rng = np.random.default_rng(0)
    lines = [f'n,"{EVIL}",day,c,note']
    for i in range(60):
        cells = [f"{rng.normal():.3f}", rng.choice([EVIL, "<b>", "北京"]), f"2020-01-{1 + i % 28:02d}", f"{i % 3}", "x"]
        blank = rng.random(5) < (0.3, 0.2, 0.3, 0, 0.5)
        lines.append(",".join("" if b else f'"{cell}"' for b, cell in zip(blank, cells, strict=True)))
    path = tmp_path / f"{EVIL.replace('/', '')}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset = CSV(str(path), mm_candidates=["n", EVIL], schema={"note": "ignore"})
    return dataset.load(stream(0, "dataset"), stream(0, "split"))


def completion_of(table: Table, with_draws: bool = True) -> Completion:
    rng = np.random.default_rng(1)
    blank = np.isnan(table.values)
    candidate = blank & np.array([column.mm_candidate for column in table.columns])
    probability = np.where(candidate, rng.random(blank.shape), 0.0)
    cells = np.argwhere(blank)
    draws = Draws.from_samples(cells, rng.normal(1.0, 0.1, (50, len(cells)))) if with_draws else None
    done = Imputation(np.where(blank, 1.0, table.values), probability > 0.5, probability, draws)
    return Completion.of(table, {"train": done}, alpha=0.1)


def record(**diagnostics: object) -> Record:
    names = {"dataset": "csv", "mask": "none", "method": "selective"}
    config = {"names": names, "seed": 5, "budget": {"name": "quick"}, "draws": 50}
    return Record("0", "run", config, f"lacuna impute '{EVIL}'", versions={"lacuna": "1"}, diagnostics=diagnostics)


@pytest.fixture
def page(table: Table, tmp_path: Path) -> Page:
    found = {
        "columns": {EVIL: {"verdict": f"{EVIL} is explained", "p_value": 0.25}},
        "warnings": ["the ordinary rate is not identified"],
        "steps": 7,
    }
    write_report(completion_of(table), record(train=found), tmp_path / "report.html")
    return Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_page_stands_alone(page: Page) -> None:
    assert not {"script", "link", "iframe", "b"} & set(page.tags)
    for name, value in page.attributes:
        assert name in {"charset", "name", "content", "lang", "class", "alt", "src"}
        assert "://" not in (value or "")
        if name == "src":
            assert value is not None
            assert value.startswith("data:image/svg+xml;base64,")
    assert ("name", "viewport") in page.attributes


def test_the_pictures_are_there(page: Page) -> None:
    # patterns, P(meaningful) of two candidates, before and after of three columns
    assert len(page.pictures) == 6
    for picture in page.pictures:
        assert ET.fromstring(picture).tag.endswith("svg")
    alts = [value for name, value in page.attributes if name == "alt"]
    assert all(alts)


def test_names_and_labels_are_text(page: Page) -> None:
    assert page.text.count(EVIL) >= 5
    drawn = "".join(text for picture in page.pictures for text in ET.fromstring(picture).itertext())
    assert completion_plots.short(EVIL) in drawn
    assert "北京" in drawn


def test_numbers_on_the_page(page: Page, table: Table) -> None:
    completion = completion_of(table)
    blank, kept = completion.blank.sum(), np.isnan(completion.final).sum()
    ignored = int(table.source.frame["note"].isna().sum())
    assert f"60 rows and 5 columns. Of 300 cells, {blank + ignored}" in page.text
    assert f"{blank - kept} were filled in" in page.text
    assert f"{kept} are kept blank because they are judged to be meaningful" in page.text
    assert f"{ignored} stay blank in columns that were not modelled" in page.text
    assert f"{completion.probability[:, 0].sum():.1f}" in page.text
    assert "90% width" in page.text


def test_diagnostics_are_sentences(page: Page) -> None:
    assert "The ordinary rate is not identified." in page.text
    assert f"{EVIL} is explained." in page.text
    assert re.search(r"p value\s*0\.25", page.text)
    assert re.search(r"steps\s*7", page.text)


def test_what_a_method_does_not_give_is_left_out(table: Table, tmp_path: Path) -> None:
    done = Imputation(np.where(np.isnan(table.values), 1.0, table.values))
    write_report(Completion.of(table, {"train": done}, 0.05), record(train={}), tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "selective does not tell: all of them were filled in" in page.text
    assert "selective does not say how far its assumptions hold here" in page.text
    assert "How sure" not in page.text
    assert len(page.pictures) == 4


def test_a_table_without_blanks(tmp_path: Path) -> None:
    (tmp_path / "whole.csv").write_text("a,b\n1,x\n2,y\n")
    whole = CSV(str(tmp_path / "whole.csv")).load(stream(0, "dataset"), stream(0, "split"))
    completion = Completion.of(whole, {"train": Imputation(whole.values)}, 0.05)
    assert completion.counts() == {}
    write_report(completion, record(train={}), tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "2 rows and 2 columns, and no blank cell" in page.text
    assert page.pictures == []


def test_the_same_page_every_time(table: Table, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(completion_of(table), record(train={}), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


# --- intervals ---------------------------------------------------------------------------------------------------


def test_intervals_are_of_numbers_at_the_level_asked_for(table: Table) -> None:
    completion = completion_of(table)
    intervals = completion.intervals
    assert intervals is not None
    assert set(intervals["column"]) == {"n", "day"}
    assert len(intervals) == completion.blank[:, [0, 2]].sum()
    samples = completion.imputations["train"].draws.samples
    cells = np.argwhere(completion.blank)
    first = intervals.iloc[0]
    j = [column.name for column in table.columns].index(first["column"])
    (k,) = np.flatnonzero((cells == [first["row"], j]).all(1))
    np.testing.assert_allclose([first["lower"], first["upper"]], np.quantile(samples[:, k], [0.05, 0.95]), rtol=1e-6)
    kept = np.isnan(completion.final)[intervals["row"], [0 if c == "n" else 2 for c in intervals["column"]]]
    np.testing.assert_array_equal(intervals["value"].isna(), kept)
    assert completion_of(table, with_draws=False).intervals is None


def test_rows_of_splits_are_those_of_the_file(table: Table) -> None:
    train = np.arange(60) % 3 > 0
    split = Table("csv", table.columns, table.values, table.meaningful, train, source=table.source)
    imputations = {}
    for name, rows in (("train", train), ("test", ~train)):
        values = table.values[rows]
        cells = np.argwhere(np.isnan(values))
        number = np.flatnonzero(rows)[cells[:, 0]].astype(float)  # each blank gets the number of its row
        filled = values.copy()
        filled[tuple(cells.T)] = number
        imputations[name] = Imputation(filled, draws=Draws.from_samples(cells, np.tile(number, (4, 1))))
    completion = Completion.of(split, imputations, 0.05)
    rows, columns = np.nonzero(completion.blank)
    np.testing.assert_array_equal(completion.final[rows, columns], rows)
    assert completion.intervals is not None
    np.testing.assert_array_equal(completion.intervals["lower"], completion.intervals["row"])
    np.testing.assert_array_equal(completion.intervals["value"], completion.intervals["row"])
    assert completion.meaningful is None


# --- pictures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("continuous", np.array([0.0])),
        ("continuous", np.array([1e300, 1e300])),
        ("continuous", np.r_[np.linspace(0, 1, 1000), 1e9]),
        ("integer", np.array([3.0, 3.0])),
        ("integer", np.array([-1e15, 1e15])),
        ("integer", np.arange(130.0)),
    ],
)
def test_every_cell_has_a_bar(kind: str, cells: np.ndarray) -> None:
    edges = completion_plots.histogram_edges(Column("x", kind), cells)
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= completion_plots.MAX_BINS + 2
    inside = (cells >= edges[0]) & (cells <= edges[-1])
    assert inside.mean() >= 0.99
    counts, _ = np.histogram(np.clip(cells, edges[0], edges[-1]), edges)
    assert counts.sum() == len(cells)


def test_far_values_do_not_squeeze_the_others() -> None:
    edges = completion_plots.histogram_edges(Column("x"), np.r_[np.linspace(0, 1, 1000), 1e9])
    assert edges[-1] < 2


@pytest.mark.parametrize(("at", "expected"), [(40.0, "100% of the filled in"), (None, None)])
def test_guesses_that_are_all_alike_do_not_hide_what_was_observed(at: float | None, expected: str | None) -> None:
    observed = np.linspace(0, 100, 1001)
    filled = observed[::10] if at is None else np.full(30, at)
    with completion_plots.styled():
        axis = completion_plots.before_and_after(Column("x"), observed, filled).axes[0]
    assert [text.get_text() for text in axis.texts] == ([expected] if expected else [])
    assert axis.get_ylim()[1] <= 4.1 / completion_plots.MAX_BINS  # each bar of the observed is 1 / MAX_BINS high


def test_traces_of_chains_and_what_is_promised_of_intervals(table: Table, tmp_path: Path) -> None:
    mean = np.arange(6.0)[:, None] + np.random.default_rng(0).normal(scale=0.1, size=(6, 10))
    found = {"convergence": {EVIL: {"mean": mean.tolist(), "sd": np.ones((6, 10)).tolist(), "rhat": 4.5}}}
    plain = completion_of(table)
    write_report(plain, record(train=found), tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.pictures) == 7
    assert f"Split R-hat is above 1.1 for {EVIL}: more sweeps are needed." in page.text
    assert re.search(r"split R-hat\s*.*4\.5", page.text, re.DOTALL)
    assert "quantiles of the method's draws" in page.text
    n = np.array([5, 0, 500, 500])
    margins = Margins(table.columns, np.zeros(4), np.ones(4), n, np.full(4, -np.inf), np.full(4, np.inf), 0.1, 0)
    write_report(dataclasses.replace(plain, margins=margins), record(), tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "90% lie within their intervals" in page.text
    assert "not promised for values that hide themselves" in page.text
    assert "Too few cells for a promise: n." in page.text
    assert "converged" not in page.text


def test_the_diagnosis_stands_in_the_page(page: Page, table: Table) -> None:
    found = diagnose_cells(cells_of(table.source, table.values), [0, 1], 0, PERMUTATIONS)
    assert list(found.columns.index) == ["n", EVIL, "day", "note"]
    for name in found.columns.index:
        for cause in CAUSES:
            assert found.sentences.loc[name, cause] in page.text
    assert all(line in page.text for line in (*found.summary, *UNKNOWABLE))


def test_shares_to_expect_of_levels(table: Table) -> None:
    j = next(j for j, c in enumerate(table.columns) if c.discrete)
    blank = np.isnan(table.values)
    cells = np.argwhere(blank)
    at = cells[:, 1] == j
    samples = np.zeros((4, len(cells)))
    samples[3, at] = 1.0
    done = Imputation(np.where(blank, 0.0, table.values), draws=Draws.from_samples(cells, samples))
    completion = Completion.of(table, {"train": done}, alpha=0.1)
    assert completion.predicted_shares(j).tolist() == [0.75, 0.25, 0.0]
    (remark,) = [text for text in completion.remarks() if EVIL in text]
    first, second, third = (str(level) for level in table.columns[j].levels)
    assert f"(predicted: {first} 75%, {second} 25%, {third} 0%)" in remark
    without = Completion.of(table, {"train": dataclasses.replace(done, draws=None)}, alpha=0.1)
    assert without.predicted_shares(j) is None
    assert "predicted" not in "".join(without.remarks())
