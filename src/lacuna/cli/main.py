"""The console command: ``lacuna impute``, ``lacuna diagnose``, ``lacuna compare`` and ``lacuna run``.

``impute`` only translates: its options become the overrides of a run with dataset=csv and mask=none, and what that
run leaves is copied to where the user wants it.
"""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lacuna import __version__
from lacuna.cli import completion, run
from lacuna.cli.arguments import Parser, names_in, quoted
from lacuna.config.compose import compose, plain
from lacuna.config.discovery import with_config_dir
from lacuna.config.instantiate import instantiate
from lacuna.datasets.csv import CSV
from lacuna.errors import UserError
from lacuna.files import check_writable
from lacuna.frames.conversion import convert, copy_file, same_format
from lacuna.frames.sources import check_suffix, file_suffix
from lacuna.frames.stacking import stack
from lacuna.records.completed_tables import COMPLETIONS
from lacuna.rng import stream
from lacuna.runner.experiment import REPORT, Outcome

EACH = "{imp}"  # in the name of the output: the number of the completion
COMMANDS = """\
lacuna impute FILE ...       complete a file of yours (lacuna impute --help)
lacuna diagnose FILE ...     what its blanks say about their causes (lacuna diagnose --help)
lacuna compare FILE ...      which method fills them best (lacuna compare --help)
lacuna run key=value ...     one run of any data set, mask and method (lacuna run --help)
"""
EXAMPLES = """\
examples:
  lacuna impute survey.csv
      fills every blank; writes survey.completed.csv
  lacuna impute survey.csv --mm-candidates income,employer -o done.parquet --report done.html
      blanks of these two columns may be meaningful: those that are stay blank
  lacuna impute survey.csv --method chained --m 20 -o done.parquet
      20 random completions, numbered in the column .imp, for analyses that are pooled
  lacuna impute survey.csv --method diffjoint --mm-candidates income --set method.iterations=4 device=cpu
      another method, and any key of the configuration (lacuna run --cfg job shows them)

The run's folder, which is printed, also holds mm.parquet (for every blank of a candidate column whether it is kept,
and its probability of being meaningful), intervals.parquet (for every blank of a numeric column how sure its value
is) and report.html. Exit codes: 0 done; 1 failed; 2 wrong input.
"""


def main() -> None:
    """What ``lacuna`` runs."""
    command, arguments = sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]
    if command == "run":
        sys.argv = ["lacuna", *arguments]
        run.main()
    elif command == "impute":
        sys.exit(run.guarded(lambda: sys.exit(impute(arguments))))
    elif command == "diagnose":
        from lacuna.cli.diagnose import diagnose

        sys.exit(run.guarded(lambda: sys.exit(diagnose(arguments))))
    elif command == "compare":
        from lacuna.cli.compare import compare

        sys.exit(run.guarded(lambda: sys.exit(compare(arguments))))
    elif command in completion.OPTIONS:
        completion.answer(arguments)
    elif command == "--version":
        print(f"lacuna {__version__}")
    else:
        print(COMMANDS, end="", file=sys.stdout if command in ("-h", "--help") else sys.stderr)
        sys.exit(0 if command in ("-h", "--help") else 2)


def impute(arguments: Sequence[str]) -> int:
    """Complete a file.

    Args:
        arguments: as typed after ``lacuna impute``.

    Returns:
        The exit code of the run.

    Raises:
        UserError: an argument is wrong, or something would be overwritten.
        StorageError: the completed file or the report cannot be written.
    """
    arguments = with_config_dir(list(arguments))
    options = _parsed(arguments)
    source = Path(options.file)
    config = plain(compose(_overrides(options), options.config_dir))
    asked = _beside(source) if options.output is None else Path(options.output)
    tables = _outputs(asked, config["m"])
    for path in (source, tables[0]):
        check_suffix(path)
    report = [] if options.report is None else [Path(options.report)]
    _check_paths(source, [*tables, *report], options.force)
    outcome = run.single_run(config, shlex.join(["lacuna", "impute", *arguments]))
    if outcome.record.status == "finished":
        for completed, target in zip(_completed(outcome, config["m"], EACH in asked.name), tables, strict=True):
            _deliver(config, completed, target)
        for path in report:
            copy_file(_present(outcome.folder / REPORT), path)
        for path in (*tables, *report):
            print(f"written: {path}")
    return run.exit_code(outcome.record)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="lacuna impute",
        description="Fill the blanks of a CSV or Parquet file, but for those that are meaningful.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", metavar="FILE", help=".csv, .tsv, .txt (also .gz), .parquet or .pq")
    add("-o", "--output", metavar="OUT", help="completed file, in the format of its suffix; default: FILE.completed")
    add("--mm-candidates", metavar="A,B", help="columns whose blanks may be meaningful; quote names with commas")
    add("--where", metavar="A,B", help="fill the blanks of these columns only; the others are used and stay blank")
    add("--predict-only", metavar="A,B", help="use these columns and leave their blanks")
    add("--impute-only", metavar="A,B", help="fill these columns and predict no other by them; one more fit each")
    add("--method", default="selective", help="default: %(default)s")
    add("--config-dir", metavar="DIR", help="folder of your own configs; default: $LACUNA_CONFIG_DIR, if set")
    add("--schema", metavar="YAML", help="kinds of columns where the file misleads, as lines of 'column: kind'")
    add("--draws", type=int, metavar="N", help="posterior draws that intervals rest on; default: 200")
    add("--alpha", type=float, help="intervals are at level 1 - alpha; default: 0.05")
    add("--draw", action="store_true", help="fill the blanks by one random draw instead of best guesses")
    add(
        "--m",
        type=int,
        metavar="M",
        help="M random completions, numbered in a column .imp; one file each if OUT has {imp}",
    )
    add("--seed", type=int, help="the same seed gives the same numbers; default: 0")
    add("--report", metavar="HTML", help="a copy of the report")
    add("--force", action="store_true", help="overwrite OUT and the report if they exist")
    add("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any key of the configuration")
    add("keys", nargs="*", metavar="KEY=VALUE", help="the same without --set")
    return parser


def _parsed(arguments: Sequence[str]) -> Namespace:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    if strange := [key for key in options.keys if "=" not in key]:
        parser.error(f"unrecognized arguments: {' '.join(strange)}")
    options.set += options.keys
    return options


def _overrides(options: Namespace) -> list[str]:
    """What ``python run.py`` would be given."""
    overrides = ["dataset=csv", "mask=none", "tracking=none", f"method={options.method}"]
    overrides.append(f"dataset.path={quoted(options.file)}")
    if options.mm_candidates is not None:
        names = names_in(options.mm_candidates)
        overrides.append(f"dataset.mm_candidates=[{','.join(map(quoted, names))}]")
    for key in ("where", "predict_only", "impute_only"):
        if (asked := getattr(options, key)) is not None:
            overrides.append(f"{key}=[{','.join(map(quoted, names_in(asked)))}]")
    if options.schema is not None:
        overrides.append(f"dataset.schema={quoted(options.schema)}")
    plain_keys = {key: getattr(options, key) for key in ("draws", "alpha", "seed", "m")}
    overrides += [f"{key}={value}" for key, value in plain_keys.items() if value is not None]
    overrides += ["fill=draw"] * options.draw
    groups = [key for key in ("tracking", "method") if any(each.startswith(f"{key}=") for each in options.set)]
    return [each for each in overrides if each.split("=")[0] not in groups] + options.set


def _beside(source: Path) -> Path:
    """
    >>> str(_beside(Path("data/my.table.csv.gz")))
    'data/my.table.completed.csv.gz'
    """
    suffix = file_suffix(source)
    return source.with_name(f"{source.name[: len(source.name) - len(suffix)]}.completed{suffix}")


def _check_paths(source: Path, wanted: Sequence[Path], force: bool) -> None:
    if not source.is_file():
        raise UserError(f"{source}: there is no such file")
    for path in wanted:
        if path.exists() and path.samefile(source):
            raise UserError(f"{path} is the input, which is never overwritten: give another output")
        if path.is_dir():
            raise UserError(f"{path} is a folder: give the path of a file")
        if path.exists() and not force:
            raise UserError(f"{path} exists: give another path, or --force to overwrite it")
        check_writable(path)


def _outputs(asked: Path, m: int) -> list[Path]:
    """The completed files: one, or one for each of m completions.

    >>> [str(path) for path in _outputs(Path("done_{imp}.csv"), 2)]
    ['done_1.csv', 'done_2.csv']
    """
    if EACH not in asked.name:
        return [asked]
    if not m:
        raise UserError(f"{asked}: {EACH} numbers random completions: say how many with --m")
    return [asked.with_name(asked.name.replace(EACH, str(i))) for i in range(1, m + 1)]


def _completed(outcome: Outcome, m: int, each: bool) -> list[Path]:
    """The files of the run's folder that become the outputs: best guesses, m completions in one file, or ``each``."""
    completed = _present(Path(outcome.record.completed or ""))
    if not m:
        return [completed]
    folder, suffix = outcome.folder / COMPLETIONS, file_suffix(completed)
    files = [_present(folder / f"{i}{suffix}") for i in range(1, m + 1)]
    if each:
        return files
    stacked = folder / f"all{suffix}"
    stack(files, stacked)
    return [stacked]


def _deliver(config: dict[str, Any], completed: Path, target: Path) -> None:
    if same_format(completed, target):
        copy_file(completed, target)
        return
    dataset: CSV = instantiate({**config["dataset"], "path": str(completed)}, "dataset")
    source = dataset.load(stream(0, "dataset"), stream(0, "split")).source
    assert source is not None  # of a file there is one
    convert(source, target)


def _present(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path} is not there any more: add --set resume=false to run that again")
    return path
