"""The command line of a run: ``python run.py key=value ...``, or ``lacuna run key=value ...``.

Exit codes: 0 finished; 1 failed; 2 wrong or unsupported input; 128 + n stopped by signal n.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from lacuna import paths
from lacuna.config.compose import COMPOSITION_ERRORS, explain, plain, settle
from lacuna.config.discovery import with_config_dir
from lacuna.errors import StorageError, UserError
from lacuna.records.record import Record, read_record, run_folder
from lacuna.reports.terminal import print_completion, print_downstream, print_scores
from lacuna.runner.credentials import to_environment
from lacuna.runner.experiment import REPORT, Outcome, check, run
from lacuna.runner.limits import Stopped, stoppable
from lacuna.runner.tracking import forgiven, is_published, open_tracker
from lacuna.sweeps.callback import PastHydra
from lacuna.sweeps.expand import command, typed_overrides
from lacuna.sweeps.running import RunningSweep, tell


def main() -> None:
    """Compose, run, report, and exit with a code."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra's errors come here instead of to the terminal
    code = guarded(_run)
    if RunningSweep.current:
        code = max(code, RunningSweep.current.close(_console(), stopped=code > 128))
        RunningSweep.current = None
    sys.exit(code)


def _run() -> None:
    if not paths.is_lacuna(sys.argv[0]) and {"-sc", "--shell-completion"} & set(sys.argv):
        raise UserError('only lacuna completes in the shell, after: eval "$(lacuna -sc install=bash)"')
    sys.argv[1:] = to_environment(multirun_first(with_config_dir(sys.argv[1:])))
    hydra.main(version_base="1.3", config_path=str(paths.CONF), config_name="config")(job)()


def multirun_first(arguments: list[str]) -> list[str]:
    """Hydra's parser reads no override after an option; ``-m`` may stand anywhere.

    >>> multirun_first(["seed=0,1", "-m", "ratio=0.2"])
    ['-m', 'seed=0,1', 'ratio=0.2']
    """
    return sorted(arguments, key=lambda argument: argument not in ("-m", "--multirun"))


def guarded(action: Callable[[], Any]) -> int:
    """The exit code of a command; what goes wrong in it becomes one line."""
    warnings.showwarning = _one_line_warning
    try:
        with stoppable():
            action()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        cause = error.__cause__ if isinstance(error, PastHydra) and error.__cause__ else error
        code, line = _judge(cause)
        if any(argument == "lacuna.debug=true" for argument in sys.argv):
            traceback.print_exception(cause)
        print(f"error: {line}", file=sys.stderr)
        return code
    return 0


def job(cfg: DictConfig) -> None:
    """What Hydra calls with each composed configuration."""
    warnings.showwarning = _one_line_warning
    about: Any = HydraConfig.get()
    if about.mode == RunMode.MULTIRUN:
        _sweep_job(cfg, about)
        return
    try:
        outcome = single_run(plain(settle(cfg, about)), command(about, typed_overrides(about)))
    except Exception as error:
        raise PastHydra() from error
    sys.exit(exit_code(outcome.record))


def single_run(config: dict[str, Any], typed: str) -> Outcome:
    """Carry out one configuration and say what came out.

    Args:
        config: resolved and checked.
        typed: what to type to run this again.
    """
    console = _console()
    outputs, uri = Path(config["outputs"]), config["tracking"]["uri"]

    def publish(outcome: Outcome) -> None:
        if uri and not is_published(outcome.record, outcome.folder, uri):
            with forgiven("this run", uri):
                open_tracker(uri, outputs).publish(outcome.record, outcome.folder)

    outcome = _carry_out(config, console, typed, publish)
    record, folder = outcome.record, outcome.folder
    if outcome.reused:
        commit = f" with commit {record.commit[:10]}" if record.commit else ""
        _say(console, f"reused: this run ended at {record.finished[:19]} UTC{commit} (resume=false runs it again)")
        if unscored := _unscored(config, record):
            _say(console, unscored)
    if record.status == "finished":
        if record.completed:
            print_completion(record, console)
        if record.scores or not record.completed:
            print_scores(record, outputs, console)
        print_downstream(record, console)
        _say(console, f"seconds: {_durations(record)}; peak memory {record.peak_memory_gb:.2f} GB")
        if record.completed:
            _say(console, f"completed file: {_near(Path(record.completed))}")
        if (report := folder / REPORT).is_file():
            _say(console, f"report: {_near(report)}")
    else:
        where = f" (see {_near(folder / 'log.txt')})" if record.traceback else ""
        print(f"error: {record.status}: {record.error}{where}", file=sys.stderr)
    _say(console, f"record: {_near(folder / 'record.json')}")
    publish(outcome)
    return outcome


def _sweep_job(cfg: DictConfig, about: DictConfig) -> None:
    """A job of a sweep never raises for what goes wrong in it: the launching process reports."""
    console, folder, number = _console(), Path(about.sweep.dir), about.job.num
    try:
        config = plain(settle(cfg, about))
    except Exception as error:
        _tell(folder, number, error=_judge(error)[1])
        _say(console, f"  failed: {_judge(error)[1]}")
        return
    try:
        outcome = _carry_out(config, console, command(about, typed_overrides(about)), _publish_in_sweep)
    except (Exception, Stopped) as error:
        stopped = isinstance(error, Stopped)
        _tell(folder, number, error=_judge(error)[1], **({"folder": str(run_folder(config))} if stopped else {}))
        _say(console, f"  {'interrupted' if stopped else 'failed'}: {_judge(error)[1]}")
        if stopped:
            raise
        return
    _tell(folder, number, folder=str(outcome.folder))
    _publish_in_sweep(outcome)
    record = outcome.record
    took = "reused" if outcome.reused else f"{record.seconds['total']:.1f} s"
    why = f": {record.error}" if record.error else ""
    seconds = record.seconds["total"] if record.status == "finished" else None
    if outcome.reused and (unscored := _unscored(config, record)):
        took += f"; {unscored}"
    left = RunningSweep.current.left(number, seconds) if RunningSweep.current else ""
    _say(console, f"  {record.status}{why} ({took}), {_near(outcome.folder / 'record.json')}{left}")


def _tell(sweep_folder: Path, number: int, **what: str) -> None:
    """Tell the launching process; where the disk is full it finds nothing, and says so of the job."""
    try:
        tell(sweep_folder, number, **what)
    except StorageError as error:
        print(f"error: {error}", file=sys.stderr)


def _publish_in_sweep(outcome: Outcome) -> None:
    if RunningSweep.current:  # in other processes than the launching one, it does this at the end
        RunningSweep.current.publish(outcome)


def _carry_out(config: dict[str, Any], console: Console, typed: str, publish: Callable[[Outcome], None]) -> Outcome:
    check(config)
    _say(console, _headline(config))
    try:
        return run(config, console, typed)
    except Stopped:
        folder = run_folder(config)
        if record := read_record(folder):
            publish(Outcome(record, folder))
        raise


def _headline(config: dict[str, Any]) -> str:
    names, budget = config["names"], config["budget"]["name"]
    chosen = "" if names["budget"] == budget else f" ({names['budget']})"
    mask = "its own blanks" if names["mask"] == "none" else f"{names['mask']} {config['ratio']:g}"
    problem = f"{names['dataset']}, {mask}, seed {config['seed']}"
    return f"{names['method']} on {problem}; budget {budget}{chosen}, {config['device']}"


def _unscored(config: Mapping[str, Any], record: Record) -> str:
    """Metrics that came after a record; it does not hold all that scoring them takes, such as draws."""
    names = sorted(config["metrics"].keys() - record.config.get("metrics", config["metrics"]).keys())
    return f"not scored then: {', '.join(names)}" if names else ""


def _durations(record: Record) -> str:
    """Total and the phases that count."""
    phases = {phase: took for phase, took in record.seconds.items() if took >= 0.05 and phase != "total"}
    parts = ", ".join(f"{phase} {took:.1f}" for phase, took in phases.items())
    return f"{record.seconds['total']:.1f}" + (f" ({parts})" if parts else "")


def exit_code(record: Record) -> int:
    """What the process should return for a record."""
    if record.status == "finished":
        return 0
    users = record.status == "unsupported" or (record.status == "failed" and record.traceback is None)
    return 2 if users else 1


def _judge(error: BaseException) -> tuple[int, str]:
    """The exit code and the one line for what ended the command."""
    if isinstance(error, Stopped):
        return error.exit_code, f"{error}; the same command goes on from here"
    if isinstance(error, UserError):
        return 2, str(error)
    if isinstance(error, COMPOSITION_ERRORS):
        typed, _ = get_args_parser().parse_known_args()
        return 2, explain(error, typed.overrides, typed.config_dir)
    if isinstance(error, OSError) and error.strerror:
        return 1, f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, StorageError | OSError):
        return 1, str(error)
    return 1, f"{type(error).__name__}: {error} (lacuna.debug=true shows where)"


def _console() -> Console:
    """As wide as the terminal; elsewhere wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=140)


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _near(path: Path) -> Path:
    """Relative to where the user stands, if it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _one_line_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
