"""The whole build: find, check, read, derive, clean, write."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lacuna.files import locked, sha256, sweep_temporaries, whole, write_text
from lacuna.physionet.card import data_card
from lacuna.physionet.cleaning import Cohort, finish
from lacuna.physionet.engine import Engine
from lacuna.physionet.sources import TABLES, RawFile, find, inspect

# Each step of sql/ and what it is made of.
STEPS = {
    "adults": ("edstays", "patients"),
    "cohort": ("adults", "triage"),
    "last_vitals": ("vitalsign", "cohort"),
    "outcomes": ("cohort", "icustays", "admissions"),
    "utilisation": ("cohort", "edstays", "admissions", "icustays"),
    "comorbidities": ("cohort", "diagnoses_icd", "admissions"),
    "features": ("cohort", "outcomes", "utilisation", "comorbidities", "last_vitals"),
}
IDENTIFIERS = ("stay_id", "subject_id", "hadm_id")
MANIFEST, CARD, STAYS = "manifest.json", "card.md", "stays.parquet"
WORK = ".build"  # intermediate results; gone when the build is done
RECIPE = (Path(__file__).parent, Path(__file__).parents[1] / "datasets" / "mimic_ed")


def build_cohort(
    root: Path,
    out: Path,
    memory_gb: float = 4.0,
    threads: int | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Write the cohort of a PhysioNet download: train and test, their data card and a manifest.

    A build that was stopped goes on where it was; one that is done and up to date is left alone. Everything that
    is written lies in ``out``.

    Args:
        root: holds the folders ed, hosp, icu, and core where that is a folder of its own.
        out: the folder to write.
        memory_gb: of DuckDB.
        threads: None: as many as there are cores.
        report: told one line about each step; counts only.

    Returns:
        The manifest.

    Raises:
        UserError: the download is not as it should be; one line, without a value of any patient.
    """
    paths = find(root)
    out.mkdir(parents=True, exist_ok=True)
    work = out / WORK
    with locked(work, lambda: report(f"waiting: another process builds in {out}")):
        sweep_temporaries(work)
        sweep_temporaries(out)
        write_text(out / ".gitignore", "*\n")  # credentialed data have no place in a repository
        sources = {}
        for table, path in paths.items():
            sources[table] = inspect(table, path)
            report(f"checked {sources[table].name}")
        made_of = {"recipe": recipe(), "sources": {name: s.as_json() for name, s in sources.items()}}
        if manifest := up_to_date(out, made_of):
            report(f"{out} is up to date")
        else:
            engine = Engine(work, memory_gb, threads)
            try:
                manifest = _carry_out(engine, sources, out, made_of, report)
            finally:
                engine.close()
    shutil.rmtree(work, ignore_errors=True)
    return manifest


def _carry_out(
    engine: Engine, sources: dict[str, RawFile], out: Path, made_of: dict[str, Any], report: Callable[[str], None]
) -> dict[str, Any]:
    import pyarrow.parquet as pq

    rows: dict[str, int] = {}
    steps = [*TABLES, *STEPS]
    for number, name in enumerate(steps, 1):
        known = engine.load(sources[name]) if name in sources else engine.run(name, STEPS[name])
        rows[name] = engine.count(name)
        how = ", from before" if known else ""
        report(f"{name}: {rows[name]:,} rows (step {number} of {len(steps)}{how})")
    features = pq.read_table(engine.path("features")).to_pandas().sort_values("stay_id", ignore_index=True)
    cohort = finish(features)
    rows |= {"train": int(cohort.train_rows.sum()), "test": int((~cohort.train_rows).sum())}
    files = _write(cohort, features, out)
    manifest = made_of | {"rows": rows, "medians": cohort.medians, "repairs": cohort.repairs, "files": files}
    write_text(out / CARD, data_card(manifest, cohort))
    write_text(out / MANIFEST, json.dumps(manifest, indent=2) + "\n")  # last: it says that all is there
    report(f"{out}: {rows['train']:,} training and {rows['test']:,} test stays")
    return manifest


def _write(cohort: Cohort, features: Any, out: Path) -> dict[str, str]:
    """The two tables, and a third that says whose rows they are, in their order; the checksums of all."""
    train = cohort.train_rows
    stays = features[list(IDENTIFIERS)].astype("Int64")
    stays = stays.assign(split=["train" if is_train else "test" for is_train in train])
    frames = {"train.parquet": cohort.table[train], "test.parquet": cohort.table[~train], STAYS: stays}
    for name in (MANIFEST, *frames):  # tables of two builds must not stand side by side, whatever happens next
        (out / name).unlink(missing_ok=True)
    for name, frame in frames.items():
        with whole(out / name) as temporary:
            frame.reset_index(drop=True).to_parquet(temporary, index=False)
    return {name: sha256(out / name) for name in frames}


def up_to_date(out: Path, made_of: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest in ``out``, if it tells of the same sources and its files are as it says."""
    try:
        manifest: dict[str, Any] = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        same = all(manifest[key] == value for key, value in made_of.items())
        intact = all(sha256(out / name) == digest for name, digest in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if same and intact and (out / CARD).is_file() else None


def recipe() -> str:
    """A checksum of the code and the code lists that decide what comes out."""
    sha = hashlib.sha256()
    for folder in RECIPE:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".sql", ".csv")):
            sha.update(path.read_bytes())
    return sha.hexdigest()
