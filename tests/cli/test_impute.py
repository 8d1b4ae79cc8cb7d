"""``lacuna impute FILE``: only blanks change, formats convert, nothing is overwritten, mistakes are one line."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import errno
import gzip
import html
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lacuna.cli import main as command_line
from lacuna.methods.mean_mode import MeanMode
from lacuna.records.record import find_records
from lacuna.rng import stream
from lacuna.runner import experiment
from lacuna.runner.experiment import assemble
from lacuna.types import Draws, Imputation, Incomplete

ROOT = Path(__file__).parents[2]
HEADER = ["id", "pay ($)", "born", "town", "kids", "rate", "score"]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def lacuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the console command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, quick: bool = True) -> Result:
        if quick:
            command, *rest = arguments
            arguments = (command, "--method=mean_mode", *rest, "--set", f"outputs={tmp_path}/outputs")
        monkeypatch.setattr(sys, "argv", ["lacuna", *arguments])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        printed = capsys.readouterr()
        return Result(int(end.value.code or 0), printed.out, printed.err)

    return run


def messy_rows() -> list[list[str]]:
    """Rows of a table with blanks of several spellings, quotes, dates, and keys longer than float64 is exact."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        born = datetime.date(1960, 1, 1) + datetime.timedelta(days=int(rng.integers(12_000)))
        town = rng.choice(["Bonn, Rhein", 'the "Ulm"', "São Tomé"])
        key = str(9_000_000_000_000_000_000 + i)
        row = [key, f"{rng.normal(3000, 400):.2f}", str(born), town, str(rng.integers(4)), f"{i / 8:g}", f"{i}"]
        for j in range(1, len(row)):
            if rng.random() < 0.15:
                row[j] = rng.choice(["", "NA"])
        rows.append(row)
    return rows


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / "my table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(messy_rows())
    return path


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def is_blank(cell: str) -> bool:
    return cell in ("", "NA")


def test_only_blanks_change(messy: Path, tmp_path: Path) -> None:
    before = messy.read_bytes()
    start = [sys.executable, "-c", "from lacuna.cli.main import main; main()"]
    options = ["impute", str(messy), "--mm-candidates", "pay ($)", "--method", "always_na"]
    done = subprocess.run(
        [*start, *options, "--set", f"outputs={tmp_path}/o"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    output = tmp_path / "my table.completed.csv"
    assert done.stdout.splitlines()[-1] == f"written: {output}"
    assert messy.read_bytes() == before
    header, rows = read(output)
    assert header == HEADER
    wanted = messy_rows()
    assert len(rows) == len(wanted)
    for old, new in zip(wanted, rows, strict=True):
        for j, (was, now) in enumerate(zip(old, new, strict=True)):
            if not is_blank(was) or j == 1:  # what was there; and what is meaningfully missing, in its own spelling
                assert now == was
            elif HEADER[j] in ("kids", "score"):
                assert now == str(int(now))
            elif HEADER[j] == "born":
                datetime.date.fromisoformat(now)
            elif HEADER[j] == "town":
                assert now in {"Bonn, Rhein", 'the "Ulm"', "São Tomé"}
            else:
                assert np.isfinite(float(now))
    ((folder, record),) = find_records(tmp_path / "o")
    blank = np.array([[is_blank(cell) for cell in row] for row in wanted])
    assert record.blanks["pay ($)"] == {"blank": blank[:, 1].sum(), "kept": blank[:, 1].sum()}
    assert record.blanks["town"] == {"blank": blank[:, 3].sum(), "kept": 0}
    flags = pd.read_parquet(folder / "mm.parquet")
    np.testing.assert_array_equal(flags["pay ($)"], blank[:, 1])
    assert (folder / "report.html").is_file()


def test_it_is_the_run_of_run_py(lacuna, messy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacuna("impute", messy.name, "--mm-candidates", "pay ($),town", "--seed", "3").code == 0
    overrides = ["dataset=csv", f"dataset.path='{messy}'", "mask=none", "dataset.mm_candidates=['pay ($)',town]"]
    same = lacuna(
        "run", *overrides, "method=mean_mode", "seed=3", "tracking=none", f"outputs={tmp_path}/outputs", quick=False
    )
    assert same.code == 0
    assert "reused" in same.out
    ((_, record),) = find_records(tmp_path / "outputs")
    assert record.command.startswith(
        "lacuna impute --method=mean_mode 'my table.csv' --mm-candidates 'pay ($),town' --seed 3"
    )


def test_options_become_overrides() -> None:
    options = command_line._parser().parse_args(
        [
            "a b.csv",
            "--mm-candidates",
            '"x, y",z',
            "--draws=7",
            "--alpha=0.2",
            "--set",
            "method=mean_mode",
            "device=cpu",
        ]
    )
    overrides = command_line._overrides(options)
    assert "dataset.path='a b.csv'" in overrides
    assert "dataset.mm_candidates=['x, y','z']" in overrides
    assert {"draws=7", "alpha=0.2", "mask=none", "device=cpu", "method=mean_mode"} <= set(overrides)
    assert "method=selective" not in overrides


def test_the_default_method_leaves_flags_and_intervals(lacuna, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hours = rng.normal(size=300)
    table = pd.DataFrame({"hours": hours, "rent": hours + rng.normal(size=300), "pay": rng.normal(size=300)})
    table = table.round(3).mask(rng.random(table.shape) < 0.1)
    table.loc[hours < -0.5, "pay"] = None  # not lost: there is none
    table.to_csv(tmp_path / "in.csv", index=False)
    options = ["--alpha=0.5", "--set", f"outputs={tmp_path}/outputs", "method.rounds=10", "device=cpu"]
    result = lacuna("impute", "in.csv", "--mm-candidates=pay", *options, quick=False)
    assert result.code == 0, result.err
    ((folder, record),) = find_records(tmp_path / "outputs", "csv/selective/*/*")
    assert record.verdicts
    assert record.verdicts[0] in result.out
    done, flags = pd.read_csv(tmp_path / "in.completed.csv"), pd.read_parquet(folder / "mm.parquet")
    blank = table["pay"].isna()
    np.testing.assert_array_equal(done["pay"].isna(), flags["pay"])
    assert (flags["pay"] & blank & (hours < -0.5)).sum() > 0.9 * (hours < -0.5).sum()
    assert flags["pay:probability"][blank].between(0, 1).all()
    assert (flags["pay:probability"][~blank] == 0).all()
    intervals = pd.read_parquet(folder / "intervals.parquet")
    assert len(intervals) == table.isna().sum().sum()
    assert (intervals["alpha"] == 0.5).all()
    rent = intervals[intervals["column"] == "rent"]
    np.testing.assert_allclose(rent["value"], done["rent"][rent["row"]])
    assert (rent["lower"] < rent["upper"]).all()
    assert "P(meaningful)" in (folder / "report.html").read_text(encoding="utf-8")


def test_csv_becomes_parquet_with_types(lacuna, messy: Path, tmp_path: Path) -> None:
    assert (
        lacuna("impute", messy.name, "-o", "out/done.parquet", "--mm-candidates=kids", "--method=always_na").code == 0
    )
    done, rows = pd.read_parquet(tmp_path / "out" / "done.parquet"), messy_rows()
    assert list(done.columns) == HEADER
    assert done["id"].tolist() == [int(row[0]) for row in rows]  # 19 digits
    assert {str(done[name].dtype) for name in ("pay ($)", "rate")} == {"float64"}
    assert str(done["score"].dtype) == "Int64"
    assert done["kids"].isna().tolist() == [is_blank(row[4]) for row in rows]
    assert all(isinstance(day, datetime.date) for day in done["born"])
    assert done["town"].notna().all()
    seen = [(row[5], x) for row, x in zip(rows, done["rate"], strict=True) if not is_blank(row[5])]
    assert all(float(text) == x for text, x in seen)


def test_text_formats(lacuna, messy: Path, tmp_path: Path) -> None:
    assert lacuna("impute", messy.name, "-o", "a.csv.gz").code == 0
    assert lacuna("impute", messy.name, "-o", "a.tsv").code == 0
    assert lacuna("impute", messy.name).code == 0
    _, rows = read(tmp_path / "my table.completed.csv")
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == (tmp_path / "my table.completed.csv").read_bytes()
    with (tmp_path / "a.tsv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file, delimiter="\t")) == [HEADER, *rows]


def test_parquet_becomes_csv(lacuna, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"n": pd.array([1, None, 3], dtype="Int64"), "x": [0.5, 1.5, None], "t": ["a", "b", None]},
        index=["u", "v", "w"],
    )
    frame.to_parquet(tmp_path / "in.parquet")
    assert lacuna("impute", "in.parquet", "-o", "done.csv", "--mm-candidates=t", "--method=always_na").code == 0
    assert (tmp_path / "done.csv").read_text() == ",n,x,t\nu,1,0.5,a\nv,2,1.5,b\nw,3,1.0,\n"


def people(n: int = 60) -> str:
    """A table in which three columns say little, and blanks are in all of them."""
    rng = np.random.default_rng(3)
    lines = ["patient_id,name,cabin,pay ($),likert,town"]
    for i in range(n):
        town, cabin = rng.choice(["Bonn", "Ulm", "Jena", ""], p=[0.4, 0.2, 0.2, 0.2]), "" if i % 4 else f"C{i}"
        pay, likert = f"{rng.normal(3000, 400):.2f}" if i % 5 else "", rng.choice(["1", "2", "3", "99"])
        lines.append(f"{100_000 + i},person {i},{cabin},{pay},{likert},{town}")
    return "\n".join(lines) + "\n"


def test_what_is_left_out_or_looks_odd_is_said_with_remedies_that_work_as_typed(lacuna, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(people())
    first = lacuna("impute", "in.csv", "--force", "--report=done.html")
    assert (first.code, first.err) == (0, "")
    assert re.search(r"cabin +45 +0 +45", first.out)
    notes = [line.removeprefix("note: ") for line in first.out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 4
    assert notes[0].startswith("column 'likert' holds 99 in 13 cells, which looks like a code for a blank")
    assert notes[1].startswith("left out of the model as identifiers: 'patient_id'")
    assert "text with nearly no repeats: 'name', 'cabin' (45 blank, which stay blank)" in notes[2]
    assert notes[3].startswith("all 9 blanks of 'town' that were filled became 'Bonn'")
    page = (tmp_path / "done.html").read_text(encoding="utf-8")
    assert all(note[1:] in html.unescape(page) for note in notes)
    _, rows = read(tmp_path / "in.completed.csv")
    assert [row[:3] for row in rows] == [line.split(",")[:3] for line in people().splitlines()[1:]]
    assert all(len(row[3].partition(".")[2]) == 2 for row in rows)  # two decimals, as in the column
    remedies = [re.split(r"; | would model", note)[1] for note in notes[1:3]]
    again = lacuna("impute", "in.csv", "--force", *(part for each in remedies for part in shlex.split(each)))
    assert again.code == 0
    assert "as text with nearly no repeats: 'name'; " in again.out
    assert "patient_id" not in again.out
    _, rows = read(tmp_path / "in.completed.csv")
    assert all(row[2] for row in rows)


def test_names_are_names(lacuna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "resolved")
    name = "${oc.env:SECRET}"
    for file in (f"{name}.csv", "${nothing}.csv", "${.csv", "it's \\${x}.csv"):
        (tmp_path / file).write_text(f"{name},b\n1,x\n,y\n3,\n")
        done = lacuna("impute", file, "--mm-candidates", name, "--method=always_na")
        assert (done.code, done.err) == (0, "")
        assert (tmp_path / f"{file[:-4]}.completed.csv").read_text() == f"{name},b\n1,x\n,y\n3,x\n"
    assert "resolved" not in "".join(path.read_text() for path in tmp_path.rglob("*.yaml"))


class Coin(MeanMode):
    """Draws each level of every blank with the same probability."""

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        done, rng = super()._impute(rows, 0), stream(0, "coin")
        cells = np.argwhere(rows.hidden)
        n_levels = np.array([max(column.n_levels, 1) for column in rows.columns])[cells[:, 1]]
        samples = rng.integers(0, n_levels, (draws, len(cells)))
        return dataclasses.replace(done, draws=Draws.from_samples(cells, samples) if draws else None)


def test_one_random_completion(lacuna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.csv").write_text("town,n\n" + "Bonn,1\n" * 60 + "Ulm,2\n" * 40 + ",3\n" * 50)
    refused = lacuna("impute", "in.csv", "--draw")
    assert refused.code == 2
    assert "random completions (--draw, --m) need a method that gives draws, such as selective" in refused.err
    none = lacuna("impute", "in.csv", "--draw", "--draws=0")
    assert (none.code, none.err) == (2, "error: failed: fill=draw (--draw) needs draws of the method: add draws=200\n")
    monkeypatch.setattr(experiment, "assemble", lambda config: dataclasses.replace(assemble(config), method=Coin()))
    best = lacuna("impute", "in.csv", "--report=best.html", "resume=false")
    assert "note: all 50 blanks of 'town' that were filled became 'Bonn'" in best.out
    drawn = lacuna("impute", "in.csv", "--draw", "--force", "--report=drawn.html")
    assert "became" not in drawn.out
    _, rows = read(tmp_path / "in.completed.csv")
    assert 10 < sum(town == "Ulm" for town, _ in rows[100:]) < 40
    assert rows[:100] == [["Bonn", "1"]] * 60 + [["Ulm", "2"]] * 40
    runs = {record.run for _, record in find_records(tmp_path / "outputs")}
    assert len(runs) == 3  # without draws, of best guesses, of a draw


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_several_random_completions(lacuna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    text = "town,n\r\n" + "Bonn,1\r\n" * 60 + '"Ulm",2\r\n' * 40 + ",3\r\n" * 50
    (tmp_path / "in.csv").write_bytes(text.encode())
    refused = lacuna("impute", "in.csv", "--m=3")
    assert (refused.code, "random completions (--draw, --m) need a method" in refused.err) == (2, True)
    unnumbered = lacuna("impute", "in.csv", "-o", "done{imp}.csv")
    assert (unnumbered.code, "say how many with --m" in unnumbered.err) == (2, True)
    monkeypatch.setattr(experiment, "assemble", lambda config: dataclasses.replace(assemble(config), method=Coin()))
    assert lacuna("impute", "in.csv", "--m=3", "-o", f"long{suffix}").code == 0
    assert lacuna("impute", "in.csv", "--m=3", "-o", f"one {{imp}}{suffix}").code == 0
    read_table = pd.read_parquet if suffix == ".parquet" else pd.read_csv
    long = read_table(tmp_path / f"long{suffix}")
    assert long.columns.tolist() == [".imp", "town", "n"]
    assert long[".imp"].tolist() == [1] * 150 + [2] * 150 + [3] * 150
    for i in (1, 2, 3):
        part = long[long[".imp"] == i].drop(columns=".imp").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, read_table(tmp_path / f"one {i}{suffix}"))
        assert part["town"][:100].tolist() == ["Bonn"] * 60 + ["Ulm"] * 40
        assert 10 < (part["town"][100:] == "Ulm").sum() < 40
    assert len({tuple(long["town"][long[".imp"] == i]) for i in (1, 2, 3)}) == 3
    if suffix == ".csv":
        lines = (tmp_path / "long.csv").read_bytes().decode().splitlines(keepends=True)
        assert (lines[0], lines[1], lines[61]) == (".imp,town,n\r\n", "1,Bonn,1\r\n", '1,"Ulm",2\r\n')
        assert (tmp_path / "one 2.csv").read_bytes().decode().startswith(text[:500])
    again = lacuna("impute", "long.csv" if suffix == ".csv" else "in.csv", "--m=1", "-o", f"more{suffix}")
    if suffix == ".csv":
        assert (again.code, "the table has a column '.imp'" in again.err) == (2, True)
    else:
        assert set(read_table(tmp_path / f"more{suffix}")[".imp"]) == {1}


def test_columns_that_are_filled_and_columns_that_predict(lacuna, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    frame = pd.DataFrame({"x": x, "copy": x + 0.01 * rng.normal(size=200), "n": rng.normal(size=200)}).round(3)
    frame = frame.mask(rng.random(frame.shape) < 0.15)
    frame.to_csv(tmp_path / "in.csv", index=False)
    options = ["--method=boosting", "--set", f"outputs={tmp_path}/o", "device=cpu", "method.rounds=20", "draws=20"]
    done = lacuna("impute", "in.csv", "--where=x,copy", "--m=2", "--report=r.html", *options, quick=False)
    assert done.code == 0
    long = pd.read_csv(tmp_path / "in.completed.csv")
    assert long[["x", "copy"]].notna().all(axis=None)
    pd.testing.assert_series_equal(long["n"], pd.concat([frame["n"]] * 2, ignore_index=True))
    n_left = frame["n"].isna().sum()
    assert f"{n_left} stay blank in columns that were not to be filled" in (tmp_path / "r.html").read_text()
    (folder,) = (folder for folder, _ in find_records(tmp_path / "o"))
    intervals = pd.read_parquet(folder / "intervals.parquet")
    assert set(intervals["column"]) == {"x", "copy"}
    assert (folder / "completed.csv").is_file()
    done = lacuna("impute", "in.csv", "--predict-only=n", "--impute-only=copy", "--force", *options, quick=False)
    assert done.code == 0
    apart = pd.read_csv(tmp_path / "in.completed.csv")
    assert apart["n"].isna().sum() == n_left
    both = frame["x"].isna() & frame["copy"].notna()
    best = pd.read_csv(folder / "completed.csv")
    assert (best["x"] - x)[both].std() < 0.5 * (apart["x"] - x)[both].std()
    wrong = lacuna("impute", "in.csv", "--where=y", "-o", "no.csv", *options, quick=False)
    assert (wrong.code, "where: there is no column 'y'" in wrong.err) == (2, True)


def test_a_mask_on_ones_own_file_scores_what_is_known(lacuna, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(people())
    key = f"outputs={tmp_path}/outputs"
    run = ["dataset=csv", "dataset.path=in.csv", "dataset.mm_candidates=town", "mask=mcar", "ratio=0.3"]
    for method, share in (("always_na", 1.0), ("mean_mode", None)):
        assert lacuna("run", *run, f"method={method}", "tracking=none", key, quick=False).code == 0
        ((_, record),) = find_records(tmp_path / "outputs", f"csv/{method}/mcar-*/*")
        assert record.scores.get("train/mm_wrongly_kept") == share
        assert not {"train/mm_f1", "train/mm_precision", "train/mm_recall"} & set(record.scores)
    ((_, record),) = find_records(tmp_path / "outputs", "csv/always_na/mcar-*/*")
    assert record.notes["train/mm_f1"] == "mm_f1: it is not known which blanks of the table are meaningful"


def test_nothing_is_overwritten(lacuna, messy: Path, tmp_path: Path) -> None:
    before = messy.read_bytes()
    for name in ("my table.csv", "./my table.csv", "link.csv"):
        (tmp_path / "link.csv").unlink(missing_ok=True)
        (tmp_path / "link.csv").symlink_to(messy)
        result = lacuna("impute", messy.name, "-o", name, "--force")
        assert (result.code, result.err) == (
            2,
            f"error: {Path(name)} is the input, which is never overwritten: give another output\n",
        )
    taken = tmp_path / "taken.csv"
    taken.write_text("mine")
    result = lacuna("impute", messy.name, "-o", "taken.csv")
    assert (result.code, result.err) == (
        2,
        "error: taken.csv exists: give another path, or --force to overwrite it\n",
    )
    assert taken.read_text() == "mine"
    assert lacuna("impute", messy.name, "-o", "other.csv", "--report", "taken.csv").code == 2
    assert not (tmp_path / "outputs").exists()  # found before any work
    assert lacuna("impute", messy.name, "-o", "taken.csv", "--force", "--report", "report.html").code == 0
    assert read(taken)[0] == HEADER
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert messy.read_bytes() == before


@pytest.mark.parametrize("options", [["-o", "out/done.csv"], ["-o", "a.csv", "--report", "out/report.html"]])
@pytest.mark.parametrize("error", [errno.EROFS, errno.ENOSPC])
def test_outputs_are_checked_before_the_work(
    lacuna, messy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], error: int
) -> None:
    write = Path.write_bytes

    def refuse(path: Path, content: bytes) -> int:
        if path.parent.name == "out":
            raise OSError(error, os.strerror(error), str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    result = lacuna("impute", messy.name, *options)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"error: cannot write {options[-1]}: {os.strerror(error)}\n"
    assert not (tmp_path / "outputs").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: there is no such file"),
        (["book.xlsx"], "book.xlsx: a table must end in .csv, .tsv, .txt (also .gz), .parquet or .pq"),
        (["my table.csv", "-o", "done.xlsx"], "done.xlsx: a table must end in .csv, .tsv, .txt (also .gz), .parquet"),
        (["my table.csv", "-o", "."], ".: a table must end in"),
        (
            ["my table.csv", "--mm-candidates=twn"],
            "failed: mm_candidates: there is no column 'twn': did you mean 'town'?",
        ),
        (["my table.csv", "--alpha=2"], "alpha must be less than 1, got 2.0"),
        (["my table.csv", "--draws=many"], "argument --draws: invalid int value: 'many'"),
        (["my table.csv", "--schema=no.yaml"], "failed: dataset.schema=no.yaml cannot be read"),
        (["my table.csv", "--methd=x"], "unrecognized arguments: --methd=x"),
        ([], "the following arguments are required: FILE"),
    ],
)
def test_mistakes_are_one_line(lacuna, messy: Path, arguments: list[str], message: str) -> None:
    result = lacuna("impute", *arguments)
    assert result.code == 2
    assert result.err.startswith(f"error: {message}")
    assert len(result.err.splitlines()) == 1
    assert not list(messy.parent.glob("*completed*"))


def test_an_unknown_method_is_one_line(lacuna, messy: Path) -> None:
    result = lacuna("impute", messy.name, "--method=mean_mod", quick=False)
    assert (result.code, result.err) == (2, "error: unknown method 'mean_mod': did you mean 'mean_mode'?\n")


def test_a_completed_file_that_is_gone(lacuna, messy: Path, tmp_path: Path) -> None:
    assert lacuna("impute", messy.name, "-o", "a.csv").code == 0
    ((_, record),) = find_records(tmp_path / "outputs")
    Path(record.completed).unlink()
    result = lacuna("impute", messy.name, "-o", "b.csv")
    assert result.code == 2
    assert result.err.endswith("is not there any more: add --set resume=false to run that again\n")


def test_help(lacuna) -> None:
    assert "lacuna impute survey.csv" in lacuna("impute", "--help", quick=False).out
    assert lacuna("--help", quick=False).out == command_line.COMMANDS
    nothing = lacuna(quick=False)
    assert (nothing.code, nothing.err) == (2, command_line.COMMANDS)


def test_the_console_script_is_this_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, name = project["scripts"]["lacuna"].split(":")
    assert getattr(importlib.import_module(module), name) is command_line.main
