"""What building the MIMIC-IV-ED cohort costs, on a made-up download as large as the real one.

    python benchmarks/mimic_ed.py --folder /tmp/download --stays 450000

Writes the seven raw tables (core layout, .csv.gz, random values; about as many rows for each stay as the real ones
have) unless they are there, builds the cohort with scripts/build_mimic_ed.py, and prints processor seconds and the
peak resident memory that the operating system counted, for the whole build and for one that was killed halfway.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb

BUILD = Path(__file__).parents[1] / "scripts" / "build_mimic_ed.py"
# Four stays a patient, within three years; the chances depend on the number of the row alone.
MACROS = """
CREATE MACRO chance(i, salt) AS hash(i * 1000003 + salt) / 18446744073709551616.0;
CREATE MACRO moment(i) AS TIMESTAMP '2150-01-01' + to_seconds((chance(i // 4, 0) * 3e8 + chance(i, 1) * 1e8)::BIGINT);
CREATE MACRO pick(i, salt, low, high) AS (low + chance(i, salt) * (high - low))::INTEGER;
"""
# Rows for each stay: the real tables' ratios, roughly.
TABLES = {
    "ed/edstays": (1.0, """
        i // 4 AS subject_id, CASE WHEN chance(i, 2) < 0.47 THEN 20000000 + i END AS hadm_id, 30000000 + i AS stay_id,
        moment(i) AS intime, moment(i) + to_minutes(pick(i, 3, 60, 900)) AS outtime"""),
    "ed/triage": (1.0, """
        i // 4 AS subject_id, 30000000 + i AS stay_id, round(96 + chance(i, 4) * 5, 1) AS temperature,
        pick(i, 5, 50, 140) AS heartrate, pick(i, 6, 12, 26) AS resprate, pick(i, 7, 90, 100) AS o2sat,
        pick(i, 8, 85, 190) AS sbp, pick(i, 9, 40, 110) AS dbp,
        CASE pick(i, 10, 0, 12) WHEN 12 THEN 'uta' WHEN 11 THEN '7-9' ELSE pick(i, 10, 0, 12)::VARCHAR END AS pain,
        nullif(pick(i, 11, 1, 60), 60) % 5 + 1 AS acuity,
        CASE pick(i, 12, 0, 4) WHEN 0 THEN 'Chest pain' WHEN 1 THEN 'Abd pain, N/V' WHEN 2 THEN 'Dyspnea'
             WHEN 3 THEN 'Fever' ELSE 'Shortness of breath' END AS chiefcomplaint"""),
    "ed/vitalsign": (3.6, """
        (i % {n}) // 4 AS subject_id, 30000000 + i % {n} AS stay_id, moment(i % {n}) + to_minutes(i // {n} * 60)
        AS charttime, CASE WHEN chance(i, 13) < 0.7 THEN round(96 + chance(i, 14) * 5, 1) END AS temperature,
        pick(i, 15, 50, 140) AS heartrate, pick(i, 16, 12, 26) AS resprate, pick(i, 17, 90, 100) AS o2sat,
        pick(i, 18, 85, 190) AS sbp, pick(i, 19, 40, 110) AS dbp, '' AS rhythm, '' AS pain"""),
    "core/patients": (0.25, """
        i AS subject_id, 'F' AS gender, pick(i, 20, 18, 89) AS anchor_age, 2150 AS anchor_year,
        CASE WHEN chance(i, 21) < 0.1 THEN moment(4 * i)::DATE + 3 END AS dod"""),
    "core/admissions": (1.0, """
        i // 4 AS subject_id, 20000000 + i AS hadm_id, moment(i) + to_hours(2) AS admittime,
        moment(i) + to_hours(pick(i, 22, 20, 300)) AS dischtime"""),
    "icu/icustays": (0.17, """
        6 * i // 4 AS subject_id, 20000000 + 6 * i AS hadm_id, 39000000 + i AS stay_id,
        moment(6 * i) + to_hours(pick(i, 23, 1, 48)) AS intime"""),
    "hosp/diagnoses_icd": (11.0, """
        (i % {n}) // 4 AS subject_id, 20000000 + i % {n} AS hadm_id, i // {n} + 1 AS seq_num,
        CASE WHEN i % 2 = 0 THEN lpad(pick(i, 24, 1, 99999)::VARCHAR, 5, '0')
             ELSE chr(65 + pick(i, 25, 0, 25)) || lpad(pick(i, 26, 0, 9999)::VARCHAR, 4, '0') END AS icd_code,
        CASE WHEN i % 2 = 0 THEN 9 ELSE 10 END AS icd_version"""),
}  # fmt: skip


def make(root: Path, n: int) -> None:
    """The raw tables of n stays."""
    connection = duckdb.connect()
    connection.execute(MACROS)
    for name, (ratio, columns) in TABLES.items():
        path = root / f"{name}.csv.gz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = f"SELECT {columns.format(n=n)} FROM range({round(ratio * n)}) AS rows(i)"
            connection.execute(f"COPY ({rows}) TO '{path}' (HEADER, COMPRESSION gzip)")


def measure(root: Path, out: Path, stop_after: str | None = None) -> dict[str, float]:
    """Cost of one build; it is killed once it has told of the step ``stop_after``."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, str(BUILD), "--root", str(root), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(f"  {line}", end="", file=sys.stderr)
            if stop_after and line.startswith(f"{stop_after}:"):
                process.kill()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # maxrss is the largest of all children so far
    return {"cpu_seconds": round(seconds, 1), "wall_seconds": round(time.perf_counter() - started, 1),
            "peak_gb": round(after.ru_maxrss / 1e6, 2)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--stays", type=int, default=450_000)
    arguments = parser.parse_args()
    root = arguments.folder / f"raw-{arguments.stays}"
    make(root, arguments.stays)
    out = {name: arguments.folder / f"out-{name}" for name in ("straight", "killed")}
    for folder in out.values():
        shutil.rmtree(folder, ignore_errors=True)
    for name, run in {
        "straight": lambda: measure(root, out["straight"]),
        "again": lambda: measure(root, out["straight"]),
        "killed": lambda: measure(root, out["killed"], stop_after="cohort"),
        "resumed": lambda: measure(root, out["killed"]),
    }.items():
        print(json.dumps({"stays": arguments.stays, "build": name, **run()}), flush=True)
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in out.values()]
    print(json.dumps({"same_files": manifests[0]["files"] == manifests[1]["files"], "rows": manifests[0]["rows"]}))


if __name__ == "__main__":
    main()
