"""Every table and figure of both papers, ours beside the printed numbers, from the records of runs alone.

python scripts/tables.py [--table diffjoint/1 ...] [--records outputs/runs results ...] [--out outputs/tables]
python scripts/tables.py --records results --pages docs/results
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lacuna import paths
from lacuna.errors import UserError
from lacuna.tables.as_pages import write_pages
from lacuna.tables.page import filled
from lacuna.tables.papers.catalogue import CATALOGUE
from lacuna.tables.produce import write_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--table", nargs="+", default=[], metavar="ID", help="such as diffjoint/1 or missbgm/figure3; default: all")
    add("--records", nargs="+", type=Path, default=[paths.PROJECT / "outputs" / "runs"], metavar="DIR")
    add("--out", type=Path, default=paths.PROJECT / "outputs" / "tables", metavar="DIR")
    add("--pages", type=Path, metavar="DIR", help="write a page of claims and one page a table, for the documentation")
    arguments = parser.parse_args()
    try:
        page = filled(CATALOGUE, arguments.records, arguments.table)
    except UserError as error:
        parser.error(str(error))
    if arguments.pages:
        write_pages(page, arguments.pages)
    else:
        write_all(page, arguments.out)
    for file in page.broken:
        print(f"warning: not counted, since it is no whole record: {file}", file=sys.stderr)
    n_runs = len({run.run for grid in page.grids for run in grid.records})
    print(f"{n_runs} runs in {len(page.grids)} tables: {arguments.pages or arguments.out / 'tables.html'}")


if __name__ == "__main__":
    main()
