"""MLflow: one run for each record, curves, parents, and no run lost when it fails."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient
from rich.console import Console

from lacuna.config.compose import compose, plain
from lacuna.records.record import read_record
from lacuna.runner import experiment
from lacuna.runner.experiment import Outcome
from lacuna.runner.mlflow_tracking import Tracker
from lacuna.runner.tracking import forgiven, is_published
from lacuna.sweeps import running as sweep
from lacuna.sweeps.running import RunningSweep, Sweep

EXTRAS = Path(__file__).parents[1] / "extras"
ROOT = Path(__file__).parents[2]
SYNC = ROOT / "scripts" / "sync_mlflow.py"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def uri(outputs: Path) -> str:
    return f"sqlite:///{outputs}/mlflow.db"


@pytest.fixture(scope="module")
def tracker(outputs: Path, uri: str) -> Tracker:
    return Tracker(uri, outputs)


@pytest.fixture(scope="module")
def client(tracker: Tracker) -> MlflowClient:
    return tracker.client


@pytest.fixture
def carry_out(outputs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXTRAS))

    def run(*overrides: str) -> Outcome:
        small = ["method=drift", "dataset.n_train=120", "dataset.n_test=40", "device=cpu", f"outputs={outputs}"]
        return experiment.run(plain(compose([*small, *overrides], EXTRAS / "conf")), command="python run.py x")

    return run


def runs_of(client: MlflowClient, outcome: Outcome) -> list:
    experiment_id = client.get_experiment_by_name("bayesnet").experiment_id
    return list(client.search_runs([experiment_id], f"tags.`lacuna.run` = '{outcome.record.run}'"))


def test_a_record_becomes_one_run_with_all_that_compares(carry_out, tracker: Tracker, client: MlflowClient) -> None:
    outcome = carry_out("seed=1")
    assert tracker.publish(outcome.record, outcome.folder) is True
    assert tracker.publish(outcome.record, outcome.folder) is False
    (run,) = runs_of(client, outcome)
    assert (run.info.run_name, run.info.status) == ("drift-mcar-0.1-1-n120+40", "FINISHED")
    assert run.data.params["method.iterations"] == "3"
    assert run.data.params["names.dataset"] == "bayesnet"
    assert not any(name.startswith("metrics") for name in run.data.params)
    assert run.data.metrics["test/rmse"] == pytest.approx(outcome.record.scores["test/rmse"])
    assert run.data.metrics["usage/seconds_total"] == outcome.record.seconds["total"]
    sections = {name.partition("/")[0] for name in run.data.metrics}
    assert min(sections) == "test"  # MLflow shows charts in this order
    curve = client.get_metric_history(run.info.run_id, "train/by_iteration/rmse")
    assert [point.step for point in curve] == [1, 2, 3]
    assert {"device", "version.numpy", "lacuna.command", "hardware.cores"} <= set(run.data.tags)
    (data,) = run.inputs.dataset_inputs
    assert outcome.record.data_digest.startswith(data.dataset.digest)
    held = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "record.json", "log.txt"} <= held
    assert not any("parquet" in name for name in held)


def test_running_anew_replaces_the_run(carry_out, tracker: Tracker, client: MlflowClient) -> None:
    first = carry_out("seed=2", "method.failure=bug")
    tracker.publish(first.record, first.folder)
    assert [run.info.status for run in runs_of(client, first)] == ["FAILED"]
    again = carry_out("seed=2", "method.failure=bug")
    tracker.publish(again.record, again.folder)
    (run,) = runs_of(client, again)
    assert run.data.tags["lacuna.finished"] == again.record.finished
    assert run.data.tags["error"] == "ZeroDivisionError: a bug in a method"


def test_a_stopped_run_is_killed(carry_out, tracker: Tracker, client: MlflowClient) -> None:
    outcome = carry_out("seed=3")
    outcome.record.status, outcome.record.error = "interrupted", "stopped by SIGTERM"
    tracker.publish(outcome.record, outcome.folder)
    assert [run.info.status for run in runs_of(client, outcome)] == ["KILLED"]


def test_names_and_values_that_mlflow_refuses_are_made_fit(carry_out, tracker: Tracker, client: MlflowClient) -> None:
    outcome = carry_out("seed=4")
    outcome.record.scores |= {"test/mm_f1/price (€) ../x": 0.5, "test/acc//odd/": 0.25, "test/nan": float("nan")}
    outcome.record.config["method"]["long"] = "v" * 10_000
    outcome.record.config["method"] |= {f"key {i} (x)": i for i in range(150)}
    tracker.publish(outcome.record, outcome.folder)
    (run,) = runs_of(client, outcome)
    assert run.data.metrics["test/acc/odd"] == 0.25
    assert 0.5 in run.data.metrics.values()
    assert "test/nan" not in run.data.metrics
    assert len(run.data.params["method.long"]) == 6000
    assert run.data.params["method.key 149 _x_"] == "149"


def test_a_marker_saves_asking_mlflow(carry_out, tracker: Tracker, uri: str, tmp_path: Path) -> None:
    outcome = carry_out("seed=5")
    assert not is_published(outcome.record, outcome.folder, uri)
    tracker.publish(outcome.record, outcome.folder)
    assert is_published(outcome.record, outcome.folder, uri)
    assert not is_published(outcome.record, outcome.folder, "sqlite:///elsewhere.db")


def test_a_sweep_is_a_parent_with_children(carry_out, tracker: Tracker, client: MlflowClient, tmp_path: Path) -> None:
    jobs = [f"python run.py seed={k}" for k in (6, 7, 8)]
    plan = Sweep("python run.py -m seed=6,7,8", jobs, ["bayesnet"], "seed=6..8", "3 runs: seed=6..8")
    running = RunningSweep(plan, tmp_path, tracker)
    (parent,) = running.parents.values()
    started = client.get_run(parent)
    assert (started.info.status, started.info.run_name) == ("RUNNING", "seed=6..8")
    assert started.data.tags["mlflow.note.content"] == "3 runs: seed=6..8"
    for number, seed in enumerate((6, 7)):
        outcome = carry_out(f"seed={seed}")
        sweep.tell(tmp_path, number, folder=str(outcome.folder))
    assert running.close(Console(quiet=True)) == 1  # the third said nothing
    assert client.get_run(parent).info.status == "FAILED"
    experiment_id = client.get_experiment_by_name("bayesnet").experiment_id
    children = client.search_runs([experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert sorted(run.info.run_name for run in children) == ["drift-mcar-0.1-6-n120+40", "drift-mcar-0.1-7-n120+40"]
    assert Sweep(**vars(plan)).parents(tracker) == {"bayesnet": parent}


def test_an_interrupted_sweep_is_killed_and_goes_on(carry_out, tracker: Tracker, client, tmp_path: Path) -> None:
    jobs = [f"python run.py seed={k}" for k in (12, 13, 14)]
    running = RunningSweep(Sweep("python run.py -m seed=12,13,14", jobs, ["bayesnet"]), tmp_path, tracker)
    stopped = carry_out("seed=13")
    stopped.record.status, stopped.record.error = "interrupted", "stopped by SIGTERM"
    stopped.record.write(stopped.folder)
    for number, outcome in enumerate((carry_out("seed=12"), stopped)):
        sweep.tell(tmp_path, number, folder=str(outcome.folder))
    console = Console(record=True, quiet=False, file=io.StringIO(), width=140)
    assert running.close(console, stopped=True) == 1
    said = console.export_text()
    assert "interrupted: 2 of 3 runs are left; the same command goes on: python run.py -m seed=12,13,14" in said
    assert "failed" not in said
    (parent,) = running.parents.values()
    assert client.get_run(parent).info.status == "KILLED"


def test_syncing_writes_what_is_missing_once_and_closes_the_dead(
    carry_out, tracker: Tracker, client: MlflowClient, outputs: Path, tmp_path: Path
) -> None:
    outcome = carry_out("seed=9")
    plan = Sweep("python run.py -m seed=9", ["python run.py seed=9"], ["bayesnet"])
    folder = outputs / "sweeps" / "then"
    plan.write(folder)
    sweep.tell(folder, 0, folder=str(outcome.folder))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    abandoned = tracker.parent("bayesnet", "key", "name", "command")
    tracker.reopen(abandoned)
    host = client.get_run(abandoned).data.tags["lacuna.process"].split(":")[0]
    client.set_tag(abandoned, "lacuna.process", f"{host}:{dead.pid}")

    counts = sweep.sync(tracker, outputs)
    assert counts["written"] >= 1
    assert counts["closed"] == 1
    assert client.get_run(abandoned).info.status == "KILLED"
    (run,) = runs_of(client, outcome)
    assert run.data.tags["mlflow.parentRunId"] == plan.parents(tracker)["bayesnet"]
    assert sweep.sync(tracker, outputs) == {"records": counts["records"], "written": 0, "closed": 0}


@pytest.mark.slow
def test_the_script_syncs(carry_out, outputs: Path, uri: str) -> None:
    carry_out("seed=10")
    done = subprocess.run([sys.executable, SYNC, "--outputs", outputs], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(uri)
    assert len(done.stdout.splitlines()) == 1


def test_mlflow_failing_is_one_warning(carry_out, monkeypatch: pytest.MonkeyPatch, tracker: Tracker) -> None:
    outcome = carry_out("seed=11")

    def down(*arguments: object, **more: object) -> None:
        raise ConnectionError("server is down\nwith a long story")

    monkeypatch.setattr(tracker.client, "create_run", down)
    said = r"MLflow does not have this run \(server is down\); scripts/sync_mlflow.py"
    with pytest.warns(UserWarning, match=said), forgiven("this run"):
        tracker.publish(outcome.record, outcome.folder)
    assert read_record(outcome.folder).status == "finished"


PROGRAM = """
import sys
from pathlib import Path
from lacuna.runner.mlflow_tracking import Tracker
print("begun", flush=True)
Tracker(f"sqlite:///{sys.argv[1]}/mlflow.db", Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5])
def test_a_process_killed_while_it_creates_the_database_costs_nothing(tmp_path: Path, seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.wait()
    assert Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path).experiment("bayesnet")


def test_a_database_that_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("CREATE TABLE experiments (experiment_id INTEGER)")
    assert Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path).experiment("bayesnet")


def test_two_launchers_of_one_record_and_sweep_write_them_once(carry_out, tmp_path: Path) -> None:
    outcome = carry_out("seed=7")
    uri, count = f"sqlite:///{tmp_path}/mlflow.db", 4
    trackers = [Tracker(uri, tmp_path) for _ in range(count)]

    def launch(tracker: Tracker) -> str:
        parent = tracker.parent("bayesnet", "key", "name", "command")
        tracker.publish(outcome.record, outcome.folder, parent)
        return parent

    with ThreadPoolExecutor(count) as pool:
        parents = list(pool.map(launch, trackers))
    assert len(set(parents)) == 1
    assert len(runs_of(trackers[0].client, outcome)) == 1


SECRET = "h8nter-2-marker"


@pytest.mark.slow
@pytest.mark.parametrize("typed", [SECRET, "${oc.env:PW}"])
def test_no_password_is_written_anywhere(tmp_path: Path, typed: str) -> None:
    small = ["method=mean_mode", "dataset.n_train=100", "dataset.n_test=50", "device=cpu", f"outputs={tmp_path}/out"]
    uri = f"tracking.uri=postgresql://me:{typed}@127.0.0.1:1/runs"
    environment = os.environ | {"PW": SECRET}
    said = ""
    for more in ([], ["method=no_such"], ["method.nothing=1"], ["-m", "seed=1,2"]):
        command = [sys.executable, ROOT / "run.py", *small, uri, *more]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        said += done.stdout + done.stderr
    assert "MLflow does not have this run" in said
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"record.json", "sweep.json", "log.txt", "multirun.yaml"} <= {path.name for path in written}
    assert SECRET not in said
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
