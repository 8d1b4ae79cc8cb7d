"""The arena as one page, from the records of runs alone.

python scripts/arena.py --records results_arena -o docs/arena.html
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lacuna import paths
from lacuna.errors import UserError
from lacuna.files import write_text
from lacuna.tables.archive import read_archive
from lacuna.tables.arena.page import as_html


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--records", nargs="+", type=Path, default=[paths.PROJECT / "outputs" / "runs"], metavar="DIR")
    add("-o", "--out", type=Path, default=paths.PROJECT / "docs" / "arena.html", metavar="FILE")
    add("--rounds", type=int, default=200, help="of the bootstrap behind intervals of ratings")
    arguments = parser.parse_args()
    for folder in arguments.records:
        if not folder.is_dir():
            parser.error(f"there is no folder {folder}")
    archive = read_archive(arguments.records)
    if not archive.records:
        parser.error(f"there is no record in {', '.join(map(str, arguments.records))}")
    try:
        page = as_html(archive.records, arguments.rounds)
    except UserError as error:
        parser.error(str(error))
    write_text(arguments.out, page)
    for file in archive.broken:
        print(f"warning: not counted, since it is no whole record: {file}", file=sys.stderr)
    print(f"{len(archive.records)} runs: {arguments.out}")


if __name__ == "__main__":
    main()
