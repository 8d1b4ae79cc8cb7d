"""Copy the records of runs to results/, without folders of this machine, to be committed.

python scripts/collect_results.py [--runs outputs/runs] [--to results]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lacuna import paths
from lacuna.tables.archive import collect


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=paths.PROJECT / "outputs" / "runs", help="default: %(default)s")
    parser.add_argument("--to", type=Path, default=paths.PROJECT / "results", help="default: %(default)s")
    arguments = parser.parse_args()
    written, broken = collect(arguments.runs, arguments.to)
    for file in broken:
        print(f"no whole record: {file}")
    print(f"{written} records written to {arguments.to}")


if __name__ == "__main__":
    main()
