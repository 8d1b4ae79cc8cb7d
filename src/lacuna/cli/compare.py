"""``lacuna compare FILE``: which method fills the blanks of a file best, by how much, and how sure."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence

import numpy as np

from lacuna.cli.arguments import Parser, names_in, quoted
from lacuna.cli.own_table import read_table
from lacuna.comparison.entrants import METHODS, entrants
from lacuna.comparison.race import compare_methods
from lacuna.config.discovery import with_config_dir
from lacuna.errors import UserError
from lacuna.imputer import make_method
from lacuna.types import Incomplete


def compare(arguments: Sequence[str]) -> int:
    """Print a comparison of methods on a file.

    Args:
        arguments: as typed after ``lacuna compare``.

    Returns:
        The exit code, 0.

    Raises:
        UserError: an argument is wrong, the file cannot be read, or nothing can be compared.
    """
    options = _parser().parse_args(with_config_dir(list(arguments)))
    if not options.minutes > 0:
        raise UserError(f"--minutes must be positive, got {options.minutes:g}")
    overrides = list(options.set)
    if options.mm_candidates is not None:
        names = names_in(options.mm_candidates)
        overrides.append(f"dataset.mm_candidates=[{','.join(map(quoted, names))}]")
    table = read_table(options.file, overrides, options.schema, options.config_dir, options.seed)
    rows = Incomplete(table.columns, table.values, ~np.isnan(table.values))
    field = entrants(
        lambda name, given: make_method(name, options.budget, options.device, given, options.config_dir),
        names_in(options.methods) if options.methods else None,
        flags=bool(rows.candidates.any()),
    )
    found = compare_methods(rows, field, 60 * options.minutes, options.seed)
    print(json.dumps(found.as_dict(), indent=2) if options.json else found)
    return 0


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="lacuna compare",
        description="Hide cells of a file again, in the manner of its own blanks, let methods fill them, and say which "
        "method to take, by how much it is better, and how sure that is. Nothing is written.",
        epilog="Errors are root mean squared errors of numbers, in standard deviations, and shares of wrong levels, "
        "weighed by the blanks of each column. Cells that are hidden again do not depend on the values that they hide; "
        "where blanks do, see lacuna diagnose. With candidates, methods are tried as the base of selective.",
    )
    add = parser.add_argument
    add("file", metavar="FILE", help=".csv, .tsv, .txt (also .gz), .parquet or .pq")
    add("--minutes", type=float, default=5.0, help="time to spend; default: %(default)g")
    add("--methods", metavar="A,B", help=f"methods to try; default: {', '.join(METHODS)}, as far as they are installed")
    add("--mm-candidates", metavar="A,B", help="columns whose blanks may be meaningful; quote names with commas")
    add("--schema", metavar="YAML", help="kinds of columns where the file misleads, as lines of 'column: kind'")
    add("--budget", default="auto", help="hyper-parameters of the methods: auto, quick or paper; default: auto")
    add("--device", default="auto", help="auto, cpu or cuda; default: auto")
    add("--seed", type=int, default=0, help="of the cells that are hidden, and of the methods; default: 0")
    add("--json", action="store_true", help="print JSON")
    add("--config-dir", metavar="DIR", help="folder of your own configs; default: $LACUNA_CONFIG_DIR, if set")
    add("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any key of dataset=csv")
    return parser
