"""The command line: exit codes, one-line errors, reuse, sweeps, and processes that are stopped or killed."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lacuna.cli.run import main
from lacuna.errors import StorageError
from lacuna.records.record import find_records, read_record, run_folder
from lacuna.runner.checkpoint import Checkpoint

ROOT = Path(__file__).parents[2]
EXTRAS = Path(__file__).parents[1] / "extras"
SIZE = ("dataset.n_train=150", "dataset.n_test=60")


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def lacuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command line in this process."""
    monkeypatch.syspath_prepend(str(EXTRAS))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def run(*arguments: str, small: bool = True) -> Result:
        options = [a for a in arguments if a.startswith("-")]
        always = ["method=drift", "device=cpu", "tracking=none", *(SIZE if small else ()), f"outputs={tmp_path}"]
        overrides = [a for a in arguments if not a.startswith("-")]
        monkeypatch.setattr(sys, "argv", ["run.py", f"--config-dir={EXTRAS / 'conf'}", *options, *always, *overrides])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return Result(end.value.code, printed.out, printed.err)

    return run


def start(outputs: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Run the command line in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(EXTRAS)]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "run.py"), "--config-dir", str(EXTRAS / "conf"), "method=drift", *SIZE]
    command += [f"outputs={outputs}", "device=cpu", "tracking=none"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, *arguments], env=environment, cwd=outputs, **pipes, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ratio=1.7"], "error: ratio must be less than 1, got 1.7"),
        (["ratio=abc"], "error: ratio must be a valid number, got 'abc'"),
        (["methd=x"], "error: unknown key 'methd': did you mean 'method'?"),
        (["method=nope"], "error: unknown method 'nope'"),
        (["-m", "metod=nope"], "error: unknown key 'metod': did you mean 'method'?"),
        (["-m", "ratio=0.1,1.7"], "error: ratio must be less than 1, got 1.7"),
        (["-m", "method=drift,nope"], "error: unknown method 'nope'"),
        (["dataset.n_train=0"], "error: dataset: n_train must be at least 1"),
        (["--config-dir=/nowhere"], "error: Additional config directory '/nowhere' not found"),
    ],
)
def test_bad_input_is_one_line_before_any_work(lacuna, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = lacuna(*arguments)
    assert result.code == 2
    assert result.err.startswith(message)
    assert len(result.err.splitlines()) == 1
    assert result.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mask=self", "dataset=wine"], "error: unsupported: mask self cannot be applied to wine: "),
        (["method=oracle", "dataset=wine"], "error: unsupported: method oracle cannot serve wine: "),
        (["dataset=csv", "dataset.path=/nowhere.csv"], "error: failed: "),
        (["dataset=csv", "dataset.path={tmp}/broken.csv"], "error: failed: "),
        (["method.failure=user"], "error: failed: the table does not suit this method: use another"),
    ],
)
def test_unsuitable_data_is_one_line_and_a_record(lacuna, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "broken.csv").write_bytes(b"\x00\xff\xfe,\n1")
    result = lacuna(*(a.format(tmp=tmp_path) for a in arguments), small=False)
    assert result.code == 2
    assert result.err.startswith(message)
    assert len(result.err.splitlines()) == 1
    assert len(list(find_records(tmp_path))) == 1


def test_a_missing_path_is_asked_for(lacuna) -> None:
    result = lacuna("dataset=csv", small=False)
    assert (result.code, result.err) == (2, "error: dataset.path is not given: add dataset.path=...\n")


def test_cuda_where_there_is_none(lacuna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = lacuna("device=cuda")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "device=cuda was asked for" in result.err


def test_a_bug_is_one_line_a_log_and_exit_code_one(lacuna) -> None:
    result = lacuna("method.failure=bug")
    assert result.code == 1
    assert "error: failed: ZeroDivisionError: a bug in a method (see " in result.err
    assert "Traceback" not in result.err + result.out
    assert "Traceback" in lacuna("method.failure=bug", "lacuna.debug=true").err


def test_a_run_prints_scores_beside_what_is_known(lacuna, tmp_path: Path) -> None:
    for bound in ("oracle", "always_na"):
        assert lacuna(f"method={bound}").code == 0
    result = lacuna("method=mean_mode")
    assert result.code == 0
    columns = ["metric", "test", "train", "oracle (test)", "always_na (test)"]
    header = next(line for line in result.out.splitlines() if "metric" in line)
    assert re.split(r"\s{2,}", header.strip()) == columns
    assert "the published figures are for other settings than dataset.n_test=60, dataset.n_train=150" in result.out
    row = next(line.split() for line in result.out.splitlines() if line.strip().startswith("acc_discrete"))
    ((_, record),) = find_records(tmp_path, "bayesnet/mean_mode/*/*")
    assert row[1:3] == [f"{record.scores[k]:.3f}" for k in ("test/acc_discrete", "train/acc_discrete")]
    assert str(run_folder(record.config | {"outputs": str(tmp_path)}) / "record.json") in result.out
    again = lacuna("method=mean_mode")
    assert "reused" in again.out
    assert again.out.splitlines()[-1] == result.out.splitlines()[-1]


def test_a_run_of_the_paper_s_size_has_the_published_figures_beside_it(lacuna) -> None:
    result = lacuna("method=mean_mode", small=False)
    assert "published (test)" in result.out
    row = next(line.split() for line in result.out.splitlines() if line.strip().startswith("acc_discrete"))
    assert row[3] == "0.304"


def test_help_and_config_are_printed(lacuna) -> None:
    assert "mean_mode" in lacuna("--help").out
    assert "n_train: 150" in lacuna("--cfg=job").out


def test_a_sweep_compares_its_jobs(lacuna, tmp_path: Path) -> None:
    result = lacuna("-m", "method=mean_mode,oracle", "seed=0,1")
    assert result.code == 0
    assert "bayesnet, mcar 0.1, test rows, 2 seeds" in result.out
    row = next(line for line in result.out.splitlines() if line.startswith("  oracle "))
    assert row.count("±") >= 5
    assert len(list(find_records(tmp_path))) == 4


def test_a_sweep_goes_past_failures_and_says_how_to_repeat_them(lacuna, tmp_path: Path) -> None:
    result = lacuna("-m", "method.failure=bug,user,''", "seed=1")
    assert result.code == 1
    assert result.out.count("  finished (") == 1
    lines = result.out.splitlines()
    again = lines[lines.index("failed: ZeroDivisionError: a bug in a method") + 1]
    assert again.startswith("  run again: python run.py --config-dir ")
    assert again.endswith("method.failure=bug seed=1")
    assert len(list(find_records(tmp_path))) == 3


def test_what_no_method_supports_is_no_failure_of_a_sweep(lacuna) -> None:
    result = lacuna("-m", "mask=mcar,self", "method=mean_mode")
    assert result.code == 0
    assert "unsupported: mask self cannot be applied" in result.out


def test_settings_that_vary_label_the_rows(lacuna) -> None:
    result = lacuna("-m", "method.iterations=1,2")
    assert "drift iterations=1" in result.out
    assert "drift iterations=2" in result.out


@pytest.mark.slow
def test_sweeps_of_quickstart_form_come_from_the_experiment_file(lacuna, tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "pair.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {method: 'mean_mode,always_na'}}}\n"
    )
    options = ["--config-dir", str(tmp_path / "conf"), "experiment=pair", "dataset.n_train=90", "tracking=none"]
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", *options, f"outputs={tmp_path}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {record.config["names"]["method"] for _, record in find_records(tmp_path)} == {"mean_mode", "always_na"}


@pytest.mark.slow
def test_a_metric_that_came_after_a_record_is_named(lacuna, tmp_path: Path) -> None:
    sweep = ["-m", "seed=0,1", "method=mean_mode", "tracking=none"]
    assert lacuna(*sweep).code == 0
    for path in tmp_path.glob("runs/**/record.json"):
        record = json.loads(path.read_text())
        del record["config"]["metrics"]["rmse"]
        path.write_text(json.dumps(record))
    assert lacuna(*sweep).out.count("not scored then: rmse") == 2
    alone = lacuna("method=mean_mode", "tracking=none")
    assert "resume=false runs it again" in alone.out
    assert "not scored then: rmse" in alone.out


@pytest.mark.slow
def test_seeds_become_children_of_one_mlflow_parent(lacuna, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    assert lacuna("-m", "seed=0,1,2", "tracking=mlflow").code == 0
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("bayesnet").experiment_id])
    parents = [run for run in runs if "lacuna.sweep" in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 1
    assert len(children) == 3
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert lacuna("-m", "seed=0,1,2", "tracking=mlflow").code == 0  # the same sweep, nothing twice
    assert len(client.search_runs([client.get_experiment_by_name("bayesnet").experiment_id])) == 4


def test_mlflow_that_cannot_be_reached_costs_nothing(lacuna, tmp_path: Path) -> None:
    result = lacuna("tracking=mlflow", "tracking.uri=sqlite:////proc/nowhere/mlflow.db")
    assert result.code == 0
    assert result.err.count("warning: MLflow does not have this run") == 1
    assert len(list(find_records(tmp_path))) == 1


def test_multirun_may_be_asked_for_after_the_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    asked = ["method=mean_mode,always_na", "-m", "seed=0,1", "tracking=none", f"outputs={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["run.py", *asked, "sweep.dry_run=true"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("4 runs: 0 exist, 4 missing")


# --- processes ---------------------------------------------------------------------------------------------------


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def one_folder(outputs: Path) -> Path:
    (folder,) = outputs.glob("runs/*/*/*/*")
    return folder


def test_a_killed_process_leaves_no_record_and_the_next_one_goes_on(lacuna, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    arguments = ["method.iterations=4", "method.pause=0.7", f"method.trace={trace}"]
    process = start(tmp_path, *arguments)
    wait_for(lambda: trace.exists() and len(trace.read_text().split()) >= 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    folder = one_folder(tmp_path)
    assert not (folder / "record.json").exists()
    (folder / ".record.json.999.tmp").write_text("half")
    result = lacuna(*arguments)
    assert result.code == 0
    assert trace.read_text().split() == ["1", "2", "3", "3", "4"]
    left = {path.name for path in folder.iterdir()}
    assert left == {".lock", "config.yaml", "imputed.parquet", "log.txt", "plots", "record.json"}
    expected = lacuna(*arguments[:1], "method.pause=0", "method.trace=''")
    first, second = (record for _, record in find_records(tmp_path))
    assert first.scores == second.scores
    assert expected.code == 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_process_leaves_a_record_to_go_on_from(tmp_path: Path, signum: signal.Signals, code: int) -> None:
    trace = tmp_path / "trace"
    process = start(tmp_path, "method.iterations=9", "method.pause=0.5", f"method.trace={trace}")
    wait_for(lambda: trace.exists() and len(trace.read_text().split()) >= 2)
    process.send_signal(signum)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert err.splitlines() == [f"error: stopped by {signum.name}; the same command goes on from here"]
    record = read_record(one_folder(tmp_path))
    assert (record.status, record.error) == ("interrupted", f"stopped by {signum.name}")
    assert Checkpoint(one_folder(tmp_path) / "checkpoint.pt").load() is not None


def test_a_full_disk_is_one_line_and_no_half_written_record(tmp_path: Path) -> None:
    def no_more_than_a_page() -> None:  # what a full disk does to a process, without one
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    process = start(tmp_path, preexec_fn=no_more_than_a_page)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1
    assert err.startswith(f"error: cannot write {one_folder(tmp_path) / 'record.json'}")
    assert not (one_folder(tmp_path) / "record.json").exists()
    assert not list(tmp_path.glob("**/.*.tmp"))


def no_room(monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    """No file can be written from now on, but those of Hydra and the log."""

    def refuse(path: Path, *content: Any, **more: Any) -> None:
        raise OSError(getattr(errno, error), os.strerror(getattr(errno, error)), str(path))

    for name in ("write_bytes", "write_text"):
        monkeypatch.setattr(Path, name, refuse)


@pytest.mark.parametrize("error", ["ENOSPC", "EROFS"])
def test_a_disk_that_takes_nothing_is_said_before_the_work(
    lacuna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    trace = tmp_path / "trace"
    no_room(monkeypatch, error)
    result = lacuna(f"method.trace={trace}")
    where = one_folder(tmp_path) / "record.json"
    assert (result.code, result.err) == (1, f"error: cannot write {where}: {os.strerror(getattr(errno, error))}\n")
    assert not trace.exists()


def test_a_job_of_a_sweep_that_cannot_even_tell_is_one_line(
    lacuna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(sweep_folder: Path, number: int, **what: str) -> None:
        raise StorageError(f"cannot write {sweep_folder / str(number)}.json: No space left on device")

    monkeypatch.setattr("lacuna.cli.run.tell", full)
    result = lacuna("-m", "method.failure='',bug", "method.iterations=1")
    assert result.code == 1
    assert len(result.err.splitlines()) == 2  # one for each job
    assert all(line.endswith(f"{n}.json: No space left on device") for n, line in enumerate(result.err.splitlines()))
    assert result.out.count("failed: it did not run to its end") == 2
    assert "Traceback" not in result.out


def test_two_processes_do_the_same_run_once(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    arguments = ("method.pause=0.7", f"method.trace={trace}")
    first = start(tmp_path, *arguments)
    wait_for(trace.exists)
    second = start(tmp_path, *arguments)
    first.communicate(timeout=60)
    out_second, _ = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert trace.read_text().split() == ["1", "2", "3"]
    assert "waiting: another process is at this very run" in out_second
    assert "reused" in out_second


def test_run_py_is_short() -> None:
    assert len((ROOT / "run.py").read_text().splitlines()) < 20


def test_the_record_holds_the_command_that_made_it(lacuna, tmp_path: Path) -> None:
    lacuna("seed=4")
    ((folder, record),) = find_records(tmp_path)
    assert record.command.startswith(f"python run.py --config-dir {EXTRAS / 'conf'} method=drift")
    assert record.command.endswith("seed=4")
    assert json.loads((folder / "record.json").read_text())["command"] == record.command
