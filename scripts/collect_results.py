"""Copy the records of runs to results/, without folders of this machine, to be committed; or bring them back.

python scripts/collect_results.py [--runs outputs/runs] [--to results]
python scripts/collect_results.py --runs results --to outputs/runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lacuna import paths
from lacuna.errors import UserError
from lacuna.tables.results import collect, restore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=paths.PROJECT / "outputs" / "runs", help="default: %(default)s")
    parser.add_argument("--to", type=Path, default=paths.PROJECT / "results", help="default: %(default)s")
    arguments = parser.parse_args()
    copy = restore if any(arguments.runs.glob("*/*.jsonl")) else collect
    try:
        written, broken = copy(arguments.runs, arguments.to)
    except UserError as error:
        parser.error(str(error))
    for what in broken:
        print(f"no whole record: {what}")
    print(f"{written} records written to {arguments.to}")


if __name__ == "__main__":
    main()
