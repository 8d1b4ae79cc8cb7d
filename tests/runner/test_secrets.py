"""A password in the tracking URI stands nowhere: not in files, not in MLflow, whatever becomes of the runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS = ROOT / "tests" / "extras"
SECRET = "h8nter-3-marker"

pytestmark = pytest.mark.slow


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """The port of an MLflow server whose database lies in ``tmp_path``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", f"{tmp_path}/server"]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--port", str(port), "--workers", "1"]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=tmp_path)

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    try:
        wait_for(answers)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_no_password_is_written_by_runs_that_pass_fail_or_are_killed(tmp_path: Path, server: int) -> None:
    out = tmp_path / "out"
    uri = f"http://me:{SECRET}@127.0.0.1:{server}"
    environment = os.environ | {"MY_URI": uri, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(EXTRAS)])}
    small = ["method=drift", "dataset.n_train=100", "dataset.n_test=50", "device=cpu", f"outputs={out}"]
    command = [sys.executable, str(ROOT / "run.py"), "--config-dir", str(EXTRAS / "conf"), *small]
    said = ""

    def start(*more: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        typed = [*command, "tracking.uri=${oc.env:MY_URI}", *more]
        return subprocess.Popen(typed, env=environment, cwd=tmp_path, start_new_session=True, **pipes)

    for more in ([], ["method.failure=bug"], ["method.failure=user"], ["-m", "seed=1,2"]):
        said += start(*more).communicate(timeout=240)[0]
    slow = "method.pause=30"
    for more in (
        [slow],
        [slow, "limits.seconds=100", "seed=6"],
        ["-m", slow, "seed=3,4"],
        ["-m", slow, "seed=4,5", "resume=false"],
    ):
        n_logs = len(list(out.glob("runs/**/log.txt")))
        again = "resume=false" in more
        killed = start(*more)
        wait_for(lambda n=n_logs, again=again: again or len(list(out.glob("runs/**/log.txt"))) > n)
        time.sleep(5 if again else 0.5)
        os.killpg(killed.pid, signal.SIGKILL)
        said += killed.communicate()[0]

    assert "does not have" not in said, said  # MLflow took every run
    assert SECRET not in said
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"record.json", "sweep.json", "log.txt", "multirun.yaml", "mlflow.json"} <= {path.name for path in written}
    assert b"drift-mcar-0.1-0" in (tmp_path / "server.db").read_bytes()
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
