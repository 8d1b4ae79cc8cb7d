"""Write every record that MLflow lacks, and close MLflow runs whose process has died. Safe to repeat.

python scripts/sync_mlflow.py [--outputs DIR] [--uri URI]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lacuna import paths
from lacuna.errors import MissingPackage
from lacuna.runner.mlflow_tracking import Tracker
from lacuna.sweeps.running import sync


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outputs", type=Path, default=paths.PROJECT / "outputs", help="where runs/ lies")
    parser.add_argument("--uri", help="default: $MLFLOW_TRACKING_URI, else mlflow.db in the outputs folder")
    arguments = parser.parse_args()
    outputs = arguments.outputs.resolve()
    uri = arguments.uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{outputs / 'mlflow.db'}"
    try:
        counts = sync(Tracker(uri, outputs), outputs)
    except MissingPackage as error:
        sys.exit(f"error: {error}")
    print(f"{uri}: {counts['records']} records, {counts['written']} written, {counts['closed']} runs closed")


if __name__ == "__main__":
    main()
