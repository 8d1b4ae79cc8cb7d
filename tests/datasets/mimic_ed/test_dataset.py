"""The data set of a finished build; here its tables are made up, with the columns of the real ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lacuna.config.compose import compose, plain
from lacuna.datasets.mimic_ed import MimicED
from lacuna.datasets.mimic_ed.meaningful import probabilities
from lacuna.datasets.mimic_ed.schema import COLUMNS, NAMES, TARGETS
from lacuna.errors import UserError
from lacuna.records.record import read_record
from lacuna.rng import stream
from lacuna.runner import experiment
from lacuna.runner.mlflow_tracking import Tracker
from lacuna.tables.papers.mm_rates import mm_rates, published_mm_rates
from lacuna.tables.results import collect
from lacuna.types import Table

EXTRAS = Path(__file__).parents[2] / "extras"
SIZES = {"train": 400, "test": 100}
TELLTALE = 61.43219876  # a heart rate that no number of a run can be by chance


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, n in SIZES.items():
        cells = {c.name: rng.integers(0, 2, n) if c.discrete else rng.integers(1, 100, n) for c in COLUMNS}
        cells |= {"triage_acuity": rng.integers(1, 6, n), "triage_heartrate": np.full(n, TELLTALE)}
        floats = [c.name for c in COLUMNS if c.kind == "continuous"]
        pd.DataFrame(cells).astype(dict.fromkeys(floats, float)).to_parquet(tmp_path / f"{split}.parquet")
    return tmp_path


def load(folder: Path, seed: int = 0, **sizes: int) -> Table:
    return MimicED(str(folder), **sizes).load(stream(seed, "dataset"), stream(seed, "split"))


def truth(folder: Path, split: str) -> np.ndarray:
    return pd.read_parquet(folder / f"{split}.parquet")[list(NAMES)].to_numpy(float)


def test_it_is_the_built_tables_with_the_rules_applied(folder: Path) -> None:
    table = load(folder)
    assert table.columns == COLUMNS
    assert table.train_rows.tolist() == [True] * 400 + [False] * 100
    whole = np.concatenate([truth(folder, "train"), truth(folder, "test")])
    np.testing.assert_array_equal(table.values, np.where(table.meaningful, np.nan, whole))
    for name, expected in probabilities(whole).items():
        drawn = table.meaningful[:, NAMES.index(name)]
        assert not drawn[expected == 0].any()
        assert drawn[expected == 1].all()
    blank = table.meaningful.any(axis=0)
    assert {name for name, any_ in zip(NAMES, blank, strict=True) if any_} == set(TARGETS)


def test_fewer_rows_are_some_of_the_same_with_the_same_blanks(folder: Path) -> None:
    whole, some = load(folder), load(folder, n_train=50, n_test=20)
    assert some.train_rows.tolist() == [True] * 50 + [False] * 20
    rows = {tuple(row) for row in np.nan_to_num(whole.values, nan=-1.0)}
    assert all(tuple(row) in rows for row in np.nan_to_num(some.values, nan=-1.0))
    assert load(folder, n_test=0).train_rows is None
    with pytest.raises(UserError, match=r"n_train=401, but .* has 400 train stays"):
        load(folder, n_train=401)


def test_the_rates_stand_beside_those_of_table_8(folder: Path) -> None:
    table = load(folder)
    for name, (ours, printed) in mm_rates(table).items():
        assert ours == table.meaningful[:, NAMES.index(name)].mean()
        assert printed == published_mm_rates()[name]


def test_what_is_not_a_build_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train.parquet is not there: run python scripts/build_mimic_ed.py --root"):
        load(tmp_path / "nothing")
    whole = pd.read_parquet(folder / "test.parquet")
    whole.rename(columns={"age": "years"}).to_parquet(folder / "test.parquet")
    with pytest.raises(UserError, match="has no column 'age'"):
        load(folder)
    whole.assign(triage_sbp=np.nan).to_parquet(folder / "test.parquet")
    with pytest.raises(UserError, match="blank cells"):
        load(folder)
    (folder / "test.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="cannot be read"):
        load(folder)


@pytest.fixture
def outcome(folder: Path, tmp_path: Path) -> experiment.Outcome:
    given = [f"dataset.folder={folder}", "method=selective", "method.rounds=5", "device=cpu", f"outputs={tmp_path}/out"]
    return experiment.run(plain(compose(["dataset=mimic_ed", "draws=3", *given])))


def test_no_row_of_credentialed_data_reaches_mlflow(outcome: experiment.Outcome, tmp_path: Path) -> None:
    assert outcome.record.status == "finished", outcome.record.error
    assert outcome.record.credentialed
    assert read_record(outcome.folder).credentialed
    files = {path.name for path in outcome.folder.iterdir()}
    assert {"imputed.parquet", "mm.parquet", "intervals.parquet", "log.txt", "plots"} <= files
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow")
    tracker.publish(outcome.record, outcome.folder)
    kept = [path for path in (tmp_path / "mlflow").rglob("*") if path.is_file()]
    assert sorted(path.name for path in kept) == [".mlflow.lock", "config.yaml", "record.json"]
    for path in (*kept, tmp_path / "mlflow.db"):
        assert str(TELLTALE).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("failure", [ValueError, UserError])
@pytest.mark.parametrize("limits", [(), ("limits.seconds=600",)])
def test_an_error_that_quotes_a_cell_stands_in_the_log_alone(
    folder: Path, tmp_path: Path, failure: type[Exception], limits: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXTRAS))
    given = [f"dataset.folder={folder}", "device=cpu", f"outputs={tmp_path}/out", f"method.failure={failure.__name__}"]
    config = plain(compose(["dataset=mimic_ed", "method=quoting", *given, *limits], EXTRAS / "conf"))
    outcome = experiment.run(config)
    quoted = (outcome.folder / "log.txt").read_text().rpartition("the cell ")[2].split()[0]
    assert len(quoted) > 8
    assert outcome.record.credentialed
    assert outcome.record.error.startswith(f"{failure.__name__}: its text may quote credentialed data")
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow")
    tracker.publish(outcome.record, outcome.folder)
    (run,) = tracker.client.search_runs([tracker.experiment("mimic_ed")])
    assert run.data.tags["credentialed"] == "True"
    written = [Path(directory, name) for directory, _, names in os.walk(tmp_path / "mlflow") for name in names]
    for path in (*written, tmp_path / "mlflow.db", outcome.folder / "record.json"):
        assert quoted.encode() not in path.read_bytes(), path


def test_a_run_whose_process_dies_keeps_its_mark(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTRAS))
    given = [f"dataset.folder={folder}", "device=cpu", f"outputs={tmp_path}/out", "method.failure=death"]
    limits = ["limits.seconds=600"]
    outcome = experiment.run(plain(compose(["dataset=mimic_ed", "method=quoting", *given, *limits], EXTRAS / "conf")))
    assert outcome.record.status == "failed"
    assert outcome.record.credentialed
    assert read_record(outcome.folder).credentialed


def test_what_is_collected_for_the_repository_quotes_no_row(outcome: experiment.Outcome, tmp_path: Path) -> None:
    runs, kept = tmp_path / "out" / "runs", tmp_path / "results"
    assert collect(runs, kept) == (1, [])
    (file,) = (path for path in kept.rglob("*") if path.is_file())
    assert file.name.endswith(".jsonl")
    assert str(TELLTALE) not in file.read_text()
    outcome.record.status, outcome.record.error = "failed", f"ValueError: cannot use {TELLTALE}"
    outcome.record.write(outcome.folder)
    assert collect(runs, tmp_path / "more") == (0, [])
