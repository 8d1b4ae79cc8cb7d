"""The MIMIC-IV-ED cohort of Diff-Joint from a PhysioNet download.

    python scripts/build_mimic_ed.py --root DIR [--out data/mimic_ed]

DIR holds the folders ed, hosp and icu of MIMIC-IV-ED and MIMIC-IV (and core, where patients and admissions lie
there), at the top or as downloaded, as .csv or .csv.gz. A build that was stopped goes on where it was. Then run with
dataset=mimic_ed. Needs the `mimic` extra: pip install "lacuna-impute[mimic]".
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

from lacuna import paths
from lacuna.errors import StorageError, UserError
from lacuna.physionet.build import build_cohort


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="the download")
    parser.add_argument("--out", type=Path, default=paths.PROJECT / "data" / "mimic_ed", help="the folder to write")
    parser.add_argument("--memory-gb", type=float, default=4.0, help="of DuckDB; the process takes about one more")
    parser.add_argument("--threads", type=int, help="default: as many as there are cores")
    arguments = parser.parse_args()
    try:
        build_cohort(**vars(arguments), report=lambda line: print(line, flush=True))
    except UserError as error:
        return fail(2, str(error))
    except StorageError as error:
        return fail(1, str(error))
    except KeyboardInterrupt:
        return fail(130, "stopped; the same command goes on from here")
    except Exception as error:  # its text may quote a patient's data: only where it came from is shown
        place = traceback.extract_tb(error.__traceback__)[-1]
        return fail(1, f"{type(error).__name__} at {place.filename}:{place.lineno}")
    return 0


def fail(code: int, line: str) -> int:
    print(f"error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
