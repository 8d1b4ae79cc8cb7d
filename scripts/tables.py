"""Every table and figure of both papers, ours beside the printed numbers, from the records of runs alone.

python scripts/tables.py [--table diffjoint/1 ...] [--records outputs/runs results ...] [--out outputs/tables]
python scripts/tables.py --records results --markdown docs/results.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lacuna import paths
from lacuna.errors import UserError
from lacuna.tables.page import filled
from lacuna.tables.papers.catalogue import CATALOGUE
from lacuna.tables.produce import write_all, write_markdown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--table", nargs="+", default=[], metavar="ID", help="such as diffjoint/1 or missbgm/figure3; default: all")
    add("--records", nargs="+", type=Path, default=[paths.PROJECT / "outputs" / "runs"], metavar="DIR")
    add("--out", type=Path, default=paths.PROJECT / "outputs" / "tables", metavar="DIR")
    add("--markdown", type=Path, metavar="FILE", help="write this page only")
    arguments = parser.parse_args()
    try:
        page = filled(CATALOGUE, arguments.records, arguments.table)
    except UserError as error:
        parser.error(str(error))
    if arguments.markdown:
        write_markdown(page, arguments.markdown)
    else:
        write_all(page, arguments.out)
    for file in page.broken:
        print(f"warning: not counted, since it is no whole record: {file}", file=sys.stderr)
    n_runs = len({run.run for grid in page.grids for run in grid.records})
    print(f"{n_runs} runs in {len(page.grids)} tables: {arguments.markdown or arguments.out / 'tables.html'}")


if __name__ == "__main__":
    main()
