"""One configuration -> one record: load, mask, hide, fit, impute, score, write."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import OmegaConf
from rich.console import Console

from lacuna.config.compose import literal
from lacuna.config.instantiate import instantiate
from lacuna.conformal import Margins, interval_margins
from lacuna.datasets.base import Dataset
from lacuna.errors import StorageError, UserError
from lacuna.files import check_writable, locked, sweep_temporaries, write_text
from lacuna.masks.base import Mask
from lacuna.methods.apart import Apart
from lacuna.methods.base import Method
from lacuna.metrics.held_out import error as held_out_error
from lacuna.metrics.score import Metric, score
from lacuna.problem import held_out, hide, with_posteriors
from lacuna.records import convergence, environment
from lacuna.records.completed_tables import Completion, write_completions, write_tables
from lacuna.records.record import (
    SETTLED,
    Record,
    Status,
    as_json,
    clear_record,
    read_record,
    run_folder,
    run_id,
    run_name,
)
from lacuna.reports.run_plots import write_plots
from lacuna.rng import stream
from lacuna.runner.checkpoint import Checkpoint
from lacuna.runner.limits import LimitReached, Limits, Stopped, watch
from lacuna.runner.monitor import RunMonitor, Stage
from lacuna.runner.progress import Clock, Display, log, logged
from lacuna.types import Imputation, Incomplete, OrdinaryMask, Problem, Table, where

if TYPE_CHECKING:
    from lacuna.downstream import XGBoost  # it brings scikit-learn: not for a reused record

NOT_RECORDED = ("outputs", "tracking", "resume", "sweep", "lacuna")
REPORT = "report.html"  # of a file that was completed


class Unsupported(Exception):
    """The mask, the method or the downstream tasks cannot serve this data; the message says why."""


@dataclass(frozen=True)
class Parts:
    """The objects that a configuration describes."""

    dataset: Dataset
    mask: Mask
    method: Method
    metrics: Mapping[str, Metric]
    downstream: XGBoost | None


@dataclass(frozen=True)
class Outcome:
    """A record, the folder it lies in, and whether it was there before."""

    record: Record
    folder: Path
    reused: bool = False


def assemble(config: Mapping[str, Any]) -> Parts:
    """Build the nouns of a configuration.

    Raises:
        UserError: an argument is unknown, of the wrong type, or refused by a constructor.
    """
    nouns = {"dataset": Dataset, "mask": Mask, "method": Method, "metrics": object, "downstream": object}
    metrics = {key: {**node, "_partial_": True} for key, node in config["metrics"].items()}  # called at the end
    given = {**config, "metrics": metrics}
    built = {key: instantiate(given[key], key, kind) for key, kind in nouns.items()}
    if apart := config["impute_only"]:
        built["method"] = Apart(built["method"], apart)
    if config["held_out"] and built["downstream"]:
        raise UserError("held_out scores no downstream task: leave out one of held_out and downstream")
    return Parts(**built | {"downstream": built["downstream"] or None})


def run(config: Mapping[str, Any], console: Console | None = None, command: str = "") -> Outcome:
    """Carry out one configuration, or find that it was carried out before.

    Args:
        config: resolved and checked, as ``lacuna.config.compose.plain`` gives it.
        console: where to show progress; default: nowhere.
        command: what to type to run this again, for the record.

    Raises:
        UserError: the configuration cannot be built; nothing was written.
        StorageError: the record could not be written.
        Stopped: by a signal; the record says so.
    """
    console = console or Console(quiet=True)
    folder = run_folder(config)
    if kept := settled(config, folder):
        return Outcome(kept, folder, reused=True)
    Limits(**config["limits"]).check()
    parts = assemble(config)
    with locked(folder, lambda: console.print(f"waiting: another process is at this very run in {folder}")):
        if kept := settled(config, folder):
            return Outcome(kept, folder, reused=True)
        check_writable(folder / "record.json")  # before the work, not after it
        if limits := Limits(**config["limits"]):
            return Outcome(_watched(config, parts, limits, folder, console, command), folder)
        return Outcome(execute(config, parts, folder, console, command), folder)


def check(config: Mapping[str, Any]) -> None:
    """Raise the UserError that ``run`` would raise before it starts, if any."""
    if not settled(config, run_folder(config)):
        Limits(**config["limits"]).check()
        assemble(config)


def settled(config: Mapping[str, Any], folder: Path) -> Record | None:
    """The record for which running ``config`` again would be idle, if there is one and it may be reused."""
    kept = read_record(folder) if config["resume"] else None
    return kept if kept and kept.status in SETTLED else None


def _watched(
    config: Mapping[str, Any], parts: Parts, limits: Limits, folder: Path, console: Console, command: str
) -> Record:
    """Run in a process of its own, which writes the record; if it cannot, this one writes what it knows."""
    clear_record(folder)
    width = None if console.is_terminal else console.width
    sent = {"config": dict(config), "folder": str(folder), "command": command, "quiet": console.quiet, "width": width}
    record = _blank_record(config, parts, command)
    try:
        ended = watch("lacuna.runner.limited_child", sent, limits)
    except Stopped as error:
        if not read_record(folder):
            record.status, record.error, record.traceback = describe(error)
            record.finished = _now()
            record.write(folder)
        raise
    if kept := read_record(folder):
        record, peak = kept, max(kept.peak_memory_gb, ended.peak_gb)
        if ended.limit and record.status == "failed":  # compiled code may swallow the exception and fail of that
            record.status, record.error, record.traceback = describe(ended.limit)
    else:
        peak = ended.peak_gb
        died = RuntimeError(f"the process of the run ended with exit code {ended.exit_code}")
        record.status, record.error, record.traceback = describe(ended.limit or died)
        record.seconds, record.finished = {"total": ended.seconds}, _now()
    record.peak_memory_gb = peak
    record.write(folder)
    return record


def execute(config: Mapping[str, Any], parts: Parts, folder: Path, console: Console, command: str) -> Record:
    """Run, and write a record, whatever happens in between; the folder is the caller's alone."""
    clear_record(folder)
    sweep_temporaries(folder)
    record = _blank_record(config, parts, command)
    clock, meter = Clock(), environment.MemoryMeter()
    checkpoint = Checkpoint(folder / "checkpoint.pt", fresh=not config["resume"])
    failure: BaseException | None = None
    try:
        with logged(folder / "log.txt", console), Display(console) as display:
            log.debug("%s (run %s)", command or record.name, record.run)
            try:
                _perform(config, parts, record, folder, Stage(clock, display, checkpoint))
                record.status = "finished"
            except BaseException:
                log.debug("%s", traceback.format_exc())
                raise
    except BaseException as error:
        failure = error
        record.status, record.error, record.traceback = describe(error)
        if record.credentialed and record.data_digest and isinstance(error, Exception):
            record.error, record.traceback = _without_cells(error, record)
    record.seconds = clock.seconds | {"total": clock.total()}
    record.peak_memory_gb, record.device_peak_memory_gb = meter.peak_gb(), meter.device_peak_gb()
    record.finished = _now()
    record.write(folder)
    if record.status == "finished":
        checkpoint.delete()
    if failure and (config["lacuna"]["debug"] or not isinstance(failure, Exception | LimitReached)):
        raise failure
    return record


def _blank_record(config: Mapping[str, Any], parts: Parts, command: str) -> Record:
    commit, dirty = environment.commit()
    return Record(
        run=run_id(config),
        name=run_name(config),
        config={key: value for key, value in config.items() if key not in NOT_RECORDED},
        command=command,
        device=config["device"],
        hardware=environment.hardware(config["device"]),
        versions=environment.versions(),
        commit=commit,
        dirty=dirty,
        inductive=parts.method.inductive,
        credentialed=parts.dataset.credentialed,
        started=_now(),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def describe(error: BaseException) -> tuple[Status, str, str | None]:
    """Status, one line, and the traceback where it helps, of what ended a run."""
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    if isinstance(error, LimitReached):
        return error.status, line, None
    if isinstance(error, Unsupported):
        return "unsupported", line, None
    if isinstance(error, Stopped):
        return "interrupted", line, None
    if isinstance(error, UserError | StorageError):
        return "failed", line, None
    trace = "".join(traceback.format_exception(error))
    out_of_memory = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in line
    if isinstance(error, MemoryError) or out_of_memory:
        return "out_of_memory", line, trace
    return "failed", f"{type(error).__name__}: {line}", trace


def _without_cells(error: Exception, record: Record) -> tuple[str, str | None]:
    """Of an error on credentialed data, whose words may quote a cell, the type and where it was raised."""
    line = f"{type(error).__name__}: its text may quote credentialed data and stands in log.txt alone"
    return line, record.traceback and "".join(traceback.format_tb(error.__traceback__))


def _perform(config: Mapping[str, Any], parts: Parts, record: Record, folder: Path, stage: Stage) -> None:
    """The experiment itself; fills ``record`` as it goes on."""
    seed, method = config["seed"], parts.method
    if config["fill"] == "draw" and not config["draws"]:
        raise UserError("fill=draw (--draw) needs draws of the method: add draws=200")
    table, mask, problem = _posed(config, parts, record, stage)
    if reason := method.unsupported(problem):
        raise Unsupported(f"method {config['names']['method']} cannot serve {table.name}: {reason}")
    if method.needs_law:
        method.law = problem.law  # type: ignore[attr-defined]
    scored = {split: rows for split, rows in problem.splits.items() if split in config["score_iterations"]}

    metrics = dict(parts.metrics) | ({"error": held_out_error} if config["held_out"] else {})

    def score_now(impute: Callable[[Incomplete], Imputation]) -> dict[str, float]:
        return _scores(problem, {split: impute(rows) for split, rows in scored.items()}, metrics)[0]

    method.monitor = RunMonitor(stage, owner=table.digest, score=score_now)
    with stage.phase("fit"):
        method.fit(problem.train, seed)
        record.iterations = method.monitor.iterations
    imputations = {}
    for split, rows in problem.splits.items():
        with stage.phase(f"impute_{split}"):
            imputations[split] = method.impute(rows, config["draws"])
    margins = _beyond_points(config, table, method, imputations, problem, folder, stage)
    with stage.phase("score"):
        record.scores, record.notes = _scores(problem, imputations, metrics)
        record.diagnostics = {split: as_json(done.diagnostics) for split, done in imputations.items()}
    if parts.downstream:
        with stage.phase("downstream"):
            found = parts.downstream.scores(table, imputations["train"].final, Path(config["outputs"], "downstream"))
            record.scores |= {f"test/downstream/{key}": value for key, value in found.items()}
    with stage.phase("write"):
        write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(literal(record.config))))
        if not config["held_out"]:
            completion = _completion(config, table, imputations, margins)
            _write_completion(completion, record, folder, masked=bool(mask.ordinary.any()))
        split = list(problem.answers)[-1]
        with _spared("the plots were not drawn"):
            write_plots(problem.answers[split], imputations[split], record.iterations, folder / "plots")


def _posed(
    config: Mapping[str, Any], parts: Parts, record: Record, stage: Stage
) -> tuple[Table, OrdinaryMask, Problem]:
    """The table, its mask, and what they ask of the method; tells ``record`` of them."""
    seed = config["seed"]
    with stage.phase("load"):
        table = parts.dataset.load(stream(seed, "dataset"), stream(seed, "split"))
        if config["m"] and table.source is None:
            raise UserError("m random completions are written of a file: they need dataset=csv")
        record.data_digest = table.digest
        n_levels = int(where(table.columns, discrete=True).sum())
        record.size = {"rows": len(table.values), "numbers": len(table.columns) - n_levels, "levels": n_levels}
        record.remarks = [] if table.source is None else list(table.source.notes)
        if parts.downstream and (reason := parts.downstream.unsupported(table)):
            raise Unsupported(f"downstream={config['names']['downstream']} cannot be had on {table.name}: {reason}")
    with stage.phase("mask"):
        if reason := parts.mask.unsupported(table):
            raise Unsupported(f"mask {config['names']['mask']} cannot be applied to {table.name}: {reason}")
        table = parts.mask.prepared(table, stream(seed, "meaningful"))
        mask = parts.mask.draw(table, config["ratio"], stream(seed, "mask"))
        record.mask_rates, record.meaningful_rates = mask.rates(table.columns), table.meaningful_rates
        problem = hide(table, mask)
        if config["held_out"]:
            problem = held_out(problem, config["held_out"], stream(seed, "held_out"))
        if config["draws"]:
            problem = with_posteriors(problem, config["alpha"])
    return table, mask, problem


def _beyond_points(
    config: Mapping[str, Any],
    table: Table,
    method: Method,
    imputations: Mapping[str, Imputation],
    problem: Problem,
    folder: Path,
    stage: Stage,
) -> Margins | None:
    """Write random completions, and find the margins of intervals, where they are wanted."""
    if m := config["m"]:
        with stage.phase("draw"):  # exactly m: of more draws a method may make some by a shorter way
            draws = {split: method.impute(rows, m) for split, rows in problem.splits.items()}
            write_completions(table, draws, stream(config["seed"], "completions"), folder, _to_fill(config, table))
    if not _calibrates(config, table, method, imputations):
        return None
    with stage.phase("calibrate"):
        fresh, known = assemble(config).method, imputations["train"].draws
        assert known is not None  # as of the fitted method
        return interval_margins(fresh, problem.train, known, config["alpha"], config["draws"], config["seed"])


def _calibrates(config: Mapping[str, Any], table: Table, method: Method, imputations: Mapping[str, Imputation]) -> bool:
    """Whether widths of intervals are set on cells hidden again: where there are intervals of blanks of numbers."""
    wanted = config["calibrate"]
    if wanted == "auto":
        wanted = table.source is not None and config["names"]["mask"] == "none"
    numeric = ~where(table.columns, discrete=True)
    drawn = [done.draws for done in imputations.values() if done.draws is not None]
    return bool(wanted and method.at_random and any(numeric[draws.cells[:, 1]].any() for draws in drawn))


def _completion(
    config: Mapping[str, Any], table: Table, imputations: Mapping[str, Imputation], margins: Margins | None
) -> Completion:
    draw = stream(config["seed"], "fill") if config["fill"] == "draw" else None
    return Completion.of(table, imputations, config["alpha"], draw, margins, _to_fill(config, table))


def _to_fill(config: Mapping[str, Any], table: Table) -> np.ndarray | None:
    """(d,) bool: the columns whose blanks are filled; None: all."""
    if table.source is None or (config["where"] is None and config["predict_only"] is None):
        return None
    from lacuna.frames.where import to_fill  # it brings pandas: not for a reused record

    return to_fill(table.source.codec, len(table.values), config["where"], config["predict_only"])


def _write_completion(completion: Completion, record: Record, folder: Path, masked: bool) -> None:
    """The tables of a run, and of a file that no mask was applied to the report."""
    completed = write_tables(completion, folder)
    if completed is not None:
        record.completed, record.blanks = str(completed), completion.counts()
        record.remarks += [*completion.remarks(), *convergence.remarks(record.diagnostics)]
        if not masked:
            from lacuna.reports.completion_page import write_report  # it brings pandas: not for a reused record

            with _spared("the report was not written"):
                write_report(completion, record, folder / REPORT)


def _scores(
    problem: Problem, imputations: Mapping[str, Imputation], metrics: Mapping[str, Metric]
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores and notes of every split, under ``<split>/<metric>``."""
    scores: dict[str, float] = {}
    notes: dict[str, str] = {}
    for split, imputation in imputations.items():
        found, missing = score(problem.answers[split], imputation, metrics)
        scores |= {f"{split}/{key}": value for key, value in found.items()}
        notes |= {f"{split}/{key}": note for key, note in missing.items()}
    return scores, notes


@contextmanager
def _spared(what: str) -> Iterator[None]:
    """A picture is not worth a run: what goes wrong here becomes a warning."""
    try:
        yield
    except Exception as error:
        warnings.warn(f"{what}: {type(error).__name__}: {error}", stacklevel=3)
