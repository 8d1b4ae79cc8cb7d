"""``lacuna diagnose FILE``: what the blanks of a file say about their causes."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from lacuna.cli.arguments import Parser, names_in
from lacuna.cli.own_table import read_table
from lacuna.diagnosis.api import diagnose_cells
from lacuna.diagnosis.association import PERMUTATIONS
from lacuna.diagnosis.reading import cells_of, positions_of
from lacuna.files import write_text


def diagnose(arguments: Sequence[str]) -> int:
    """Print the diagnosis of a file.

    Args:
        arguments: as typed after ``lacuna diagnose``.

    Returns:
        The exit code, 0.

    Raises:
        UserError: an argument is wrong, or the file cannot be read.
    """
    options = _parser().parse_args(arguments)
    table = read_table(options.file, options.set, options.schema)
    assert table.source is not None  # of a file there is one
    cells = cells_of(table.source, table.values)
    names = names_in(options.mm_candidates) if options.mm_candidates else []
    candidates = positions_of(names, cells.names, "--mm-candidates")
    found = diagnose_cells(cells, candidates, options.seed, options.permutations)
    print(found)
    if options.report is not None:
        from lacuna.reports.completion_page import diagnosis_content, rendered

        content = {"file": Path(options.file).name, "diagnosis": diagnosis_content(found)}
        write_text(Path(options.report), rendered("diagnosis_page.html", content))
        print(f"\nwritten: {options.report}")
    if options.output is not None:
        write_text(Path(options.output), found.columns.join(found.sentences).to_csv())
        print(f"\nwritten: {options.output}")
    return 0


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="lacuna diagnose",
        description="For every column with blanks: are they lost at random, lost together with others, hidden by "
        "their own value, or meaningful? What speaks for each, and what cannot be known. Nothing is imputed.",
    )
    add = parser.add_argument
    add("file", metavar="FILE", help=".csv, .tsv, .txt (also .gz), .parquet or .pq")
    add("--mm-candidates", metavar="A,B", help="columns whose blanks may be meaningful; quote names with commas")
    add("--schema", metavar="YAML", help="kinds of columns where the file misleads, as lines of 'column: kind'")
    add("--seed", type=int, default=0, help="of the permutations; default: 0")
    add("--permutations", type=int, default=PERMUTATIONS, metavar="N", help="for each column; default: %(default)s")
    add("-o", "--output", metavar="CSV", help="write numbers and sentences, one row for each column with blanks")
    add("--report", metavar="HTML", help="write what is printed as a page")
    add("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any key of dataset=csv")
    return parser
