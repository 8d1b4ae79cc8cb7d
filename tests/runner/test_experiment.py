"""From configuration to record: what is written, reused, resumed, and said when it goes wrong."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lacuna.config.compose import compose, plain
from lacuna.errors import StorageError, UserError
from lacuna.records.record import find_records, read_record
from lacuna.runner import experiment
from lacuna.runner.checkpoint import Checkpoint
from lacuna.runner.experiment import Outcome
from lacuna.runner.limits import Stopped, stoppable

EXTRAS = Path(__file__).parents[1] / "extras"
SMALL = ("dataset.n_train=150", "dataset.n_test=60", "device=cpu", "tracking=none")


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTRAS))


@pytest.fixture
def carry_out(tmp_path: Path):
    def run(*overrides: str, small: bool = True) -> Outcome:
        chosen = ["method=drift", *(SMALL if small else SMALL[2:]), f"outputs={tmp_path}", *overrides]
        return experiment.run(plain(compose(chosen, EXTRAS / "conf")), command="python run.py")

    return run


def test_a_run_leaves_a_whole_record_and_its_tables(carry_out) -> None:
    outcome = carry_out("method=oracle", "seed=3")
    stored = json.loads((outcome.folder / "record.json").read_text())
    assert stored["status"] == "finished"
    assert {"scores", "diagnostics", "seconds", "peak_memory_gb", "config"} <= set(stored)
    assert {"device", "versions", "commit", "hardware"} <= set(stored)
    assert stored["data_digest"]
    assert {"test/acc", "train/acc", "test/mm_f1", "test/rmse/C2"} <= set(stored["scores"])
    assert stored["seconds"]["total"] >= sum(v for k, v in stored["seconds"].items() if k != "total") - 1e-6
    assert 0.05 < stored["mask_rates"]["C2"] < 0.15
    assert stored["config"]["names"]["dataset"] == "bayesnet"
    assert "tracking" not in stored["config"]
    assert 0 < stored["peak_memory_gb"] < 50
    left = {path.name for path in outcome.folder.iterdir()}
    assert {"config.yaml", "log.txt", "imputed.parquet", "mm.parquet", "plots"} <= left
    assert (outcome.folder / "plots" / "precision_recall.png").stat().st_size > 5000
    assert not list(outcome.folder.glob("**/.*.tmp"))


def test_tables_hold_all_rows_in_order_with_their_labels(carry_out) -> None:
    outcome = carry_out("method=always_na")
    config = outcome.record.config
    table, problem = load(config)
    imputed = pd.read_parquet(outcome.folder / "imputed.parquet")
    assert list(imputed.columns) == [c.name for c in table.columns]
    assert len(imputed) == 210
    observed = np.empty(table.values.shape, bool)
    observed[table.train_rows], observed[~table.train_rows] = problem.train.observed, problem.test.observed
    seen = imputed.astype("float64").to_numpy(na_value=np.nan)
    np.testing.assert_array_equal(seen[observed], table.values[observed])
    candidates = [c.mm_candidate for c in table.columns]
    assert np.isnan(seen[:, candidates][~observed[:, candidates]]).all()
    flags = pd.read_parquet(outcome.folder / "mm.parquet")
    assert list(flags.columns) == ["C1", "D2", "D3", "C1:probability", "D2:probability", "D3:probability"]
    np.testing.assert_array_equal(flags[["C1", "D2", "D3"]].to_numpy(), ~observed[:, candidates])


def load(config: dict[str, Any]):
    from lacuna.problem import hide
    from lacuna.rng import stream

    parts, seed = experiment.assemble(config), config["seed"]
    table = parts.dataset.load(stream(seed, "dataset"), stream(seed, "split"))
    return table, hide(table, parts.mask.draw(table, config["ratio"], stream(seed, "mask")))


def test_every_method_gets_the_same_data_and_mask(carry_out) -> None:
    one, other = (carry_out(f"method={m}").record for m in ("mean_mode", "always_na"))
    assert (one.data_digest, one.mask_rates) == (other.data_digest, other.mask_rates)
    assert carry_out("method=mean_mode", "seed=1").record.data_digest != one.data_digest


def test_a_finished_record_is_reused_without_touching_the_data(carry_out, monkeypatch: pytest.MonkeyPatch) -> None:
    first = carry_out()
    monkeypatch.setattr(experiment, "assemble", lambda config: pytest.fail("built something"))
    again = carry_out()
    assert again.reused
    assert again.record.scores == first.record.scores


def test_running_anew_gives_the_same_numbers(carry_out) -> None:
    first = carry_out()
    again = carry_out("resume=false")
    assert not again.reused
    assert again.record.scores == first.record.scores
    assert again.record.iterations == first.record.iterations


def test_a_broken_record_is_run_again(carry_out) -> None:
    first = carry_out()
    (first.folder / "record.json").write_text('{"run":')
    with pytest.warns(UserWarning, match="not a whole record"):
        again = carry_out()
    assert not again.reused
    assert read_record(first.folder).scores == first.record.scores


def test_a_run_goes_on_from_its_checkpoint_to_the_same_numbers(carry_out, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    expected = carry_out("method.iterations=4").record
    broken = carry_out("method.iterations=4", "method.failure=bug", f"method.trace={trace}")
    assert broken.record.status == "failed"
    assert trace.read_text().split() == ["1", "2", "3", "4"]
    kept = Checkpoint(broken.folder / "checkpoint.pt").load()
    assert len(kept["iterations"]) == 3
    trace.unlink()
    carry_out("method.iterations=4", "method.failure=bug", f"method.trace={trace}")
    assert trace.read_text().split() == ["4"]  # only the one that was not done

    good = carry_out("method.iterations=4", f"method.trace={trace}", "resume=false").folder
    (good / "record.json").unlink()
    (broken.folder / "checkpoint.pt").rename(good / "checkpoint.pt")
    resumed = carry_out("method.iterations=4", f"method.trace={trace}").record
    assert trace.read_text().split()[-1] == "4"
    assert resumed.scores == expected.scores
    assert resumed.iterations == expected.iterations
    assert resumed.seconds["total"] > resumed.seconds["before_resume"] > 0
    assert not (good / "checkpoint.pt").exists()


def test_a_checkpoint_of_other_data_is_not_taken_up(carry_out, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder = carry_out("method.failure=bug", f"method.trace={trace}").folder
    checkpoint = Checkpoint(folder / "checkpoint.pt")
    checkpoint.save(checkpoint.load() | {"owner": "another table"})
    trace.unlink()
    carry_out("method.failure=bug", f"method.trace={trace}")
    assert trace.read_text().split() == ["1", "2", "3"]


def test_an_unreadable_checkpoint_means_a_fresh_start(carry_out, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder = carry_out("method.failure=bug", f"method.trace={trace}").folder
    (folder / "checkpoint.pt").write_bytes(b"nonsense")
    trace.unlink()
    carry_out("method.failure=bug", f"method.trace={trace}")
    assert trace.read_text().split() == ["1", "2", "3"]
    assert "cannot be read" in (folder / "log.txt").read_text()


def test_checkpoints_hold_arrays_tensors_and_containers(tmp_path: Path) -> None:
    import torch

    checkpoint = Checkpoint(tmp_path / "checkpoint.pt")
    assert checkpoint.load() is None
    state = {"a": np.arange(3), "flags": np.array([[True]]), "b": [torch.ones(2), (1, "x", None)], "c": np.float64(2)}
    checkpoint.save(state)
    back = checkpoint.load()
    np.testing.assert_array_equal(back["a"], np.arange(3))
    assert back["flags"].dtype == bool
    assert torch.equal(back["b"][0], torch.ones(2))
    assert back["b"][1] == (1, "x", None)
    assert back["c"] == 2.0


def test_iteration_scores_are_asked_for_by_split_and_timed_apart(carry_out) -> None:
    record = carry_out("score_iterations=[train,test]").record
    assert [step["iteration"] for step in record.iterations] == [1, 2, 3]
    assert {"train/rmse", "test/rmse"} <= set(record.iterations[0]["scores"])
    assert record.iterations[-1]["scores"]["test/rmse"] == record.scores["test/rmse"]
    assert record.seconds["score_iterations"] > 0
    assert set(carry_out("score_iterations=[]").record.iterations[0]["scores"]) == set()


@pytest.mark.parametrize(
    ("overrides", "status", "error", "traced"),
    [
        (["method.failure=bug"], "failed", "ZeroDivisionError: a bug in a method", True),
        (["method.failure=user"], "failed", "the table does not suit this method: use another", False),
        (["method.failure=memory"], "out_of_memory", "cannot allocate 9 EiB", True),
        (["method.pause=60", "limits.seconds=0.5"], "timeout", "limits.seconds=0.5 reached", False),
        (["method.pause=60", "limits.memory_gb=0.1"], "out_of_memory", "limits.memory_gb=0.1 reached", False),
        (["method=always_na", "dataset=wine"], "unsupported", "method always_na cannot serve wine: ", False),
        (["mask=self"], "unsupported", "mask self cannot be applied to bayesnet: ", False),
    ],
)
def test_what_goes_wrong_is_a_record(carry_out, overrides: list[str], status: str, error: str, traced: bool) -> None:
    outcome = carry_out(*overrides, small="dataset=wine" not in overrides)
    assert outcome.record.status == status
    assert outcome.record.error.startswith(error)
    assert (outcome.record.traceback is not None) is traced
    assert read_record(outcome.folder).status == status
    assert (error in (outcome.folder / "log.txt").read_text()) or not traced


def test_only_settled_records_are_reused(carry_out) -> None:
    assert carry_out("mask=self").reused is False
    assert carry_out("mask=self").reused is True
    carry_out("method.failure=bug")
    assert carry_out("method.failure=bug").reused is False


def test_a_wrong_argument_leaves_nothing_behind(carry_out, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"method\.iterations must be a valid integer, got 'many'"):
        carry_out("method.iterations=many")
    assert list(tmp_path.iterdir()) == []


def test_debug_raises_the_error_itself(carry_out) -> None:
    with pytest.raises(ZeroDivisionError):
        carry_out("method.failure=bug", "lacuna.debug=true")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_record_and_a_checkpoint(carry_out, signum: signal.Signals, tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    def interrupt() -> None:
        while not trace.exists() or len(trace.read_text().split()) < 2:
            time.sleep(0.02)
        signal.raise_signal(signum)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Stopped) as caught, stoppable():
        carry_out("method.pause=0.5", f"method.trace={trace}")
    assert caught.value.exit_code == 128 + signum
    ((folder, record),) = find_records(tmp_path)
    assert (record.status, record.error) == ("interrupted", f"stopped by {signum.name}")
    assert Checkpoint(folder / "checkpoint.pt").load() is not None


def test_a_full_disk_is_said_once(carry_out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(path: Path, text: str) -> None:
        raise StorageError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("lacuna.records.record.write_text", full)
    with pytest.raises(StorageError, match="No space left"):
        carry_out()
    assert not list(tmp_path.glob("**/record.json"))


def test_a_plot_that_fails_does_not_cost_the_run(carry_out, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(experiment, "write_plots", broken)
    outcome = carry_out()
    assert outcome.record.status == "finished"
    assert "the plots were not drawn: RuntimeError: no fonts" in (outcome.folder / "log.txt").read_text()


def test_draws_become_intervals(carry_out) -> None:
    outcome = carry_out("method=oracle", "draws=20")
    _, problem = load(outcome.record.config)
    intervals = pd.read_parquet(outcome.folder / "intervals.parquet")
    assert set(intervals.column) == {"C1", "C2"}  # levels have no order
    assert len(intervals) == sum(rows.hidden[:, :2].sum() for rows in problem.splits.values())
    assert (intervals.lower <= intervals.upper).all()
    imputed = pd.read_parquet(outcome.folder / "imputed.parquet")
    for name, cells in intervals.groupby("column", observed=True):
        np.testing.assert_array_equal(imputed[name].iloc[cells["row"]], cells["value"])
    c2 = intervals[intervals.column == "C2"]
    np.testing.assert_allclose(c2["value"], c2["mean"])
    half = pd.read_parquet(carry_out("method=oracle", "draws=20", "alpha=0.5").folder / "intervals.parquet")
    assert (half["upper"] - half["lower"] <= intervals["upper"] - intervals["lower"]).all()
    assert (half["upper"] - half["lower"]).mean() < 0.5 * (intervals["upper"] - intervals["lower"]).mean()


def test_records_say_where_a_method_gives_no_draws(carry_out) -> None:
    names = {"train/inference_bias", "train/inference_coverage", "train/inference_width", "train/inference_fmi"}
    assert not names & set(carry_out("method=mean_mode").record.scores)
    outcome = carry_out("method=mean_mode", "draws=5")
    assert outcome.record.status == "finished"
    stored = json.loads((outcome.folder / "record.json").read_text())["scores"]
    assert {stored[name] for name in names} == {None}  # NaN, in JSON's terms
    assert all(np.isfinite(carry_out("method=oracle", "draws=5").record.scores[name]) for name in names)


def test_a_file_with_blanks_is_completed(carry_out, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("age,city\n31,Rome\n,Oslo\n45,\n29,Rome\n")
    outcome = carry_out("dataset=csv", f"dataset.path={path}", "mask=none", "method=mean_mode", small=False)
    assert outcome.record.status == "finished", outcome.record.error
    assert Path(outcome.record.completed).read_text() == "age,city\n31,Rome\n35,Oslo\n45,Rome\n29,Rome\n"
    assert outcome.record.scores == {}
    assert outcome.record.notes
