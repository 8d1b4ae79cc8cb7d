"""The data card: what the tables hold, in counts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lacuna.datasets.mimic_ed.meaningful import probabilities
from lacuna.datasets.mimic_ed.schema import COLUMNS
from lacuna.tables.papers.mm_rates import published_mm_rates

if TYPE_CHECKING:
    from lacuna.physionet.cleaning import Cohort

PAPER = {"cohort": 441_437, "train": 353_150, "test": 88_287}  # stays
FEWEST = 10  # fewer patients than this are not counted in public
NOTES = """\
- The cohort follows the public benchmark on MIMIC-IV-ED (mimic4ed-benchmark). The paper's 441,437 stays are those of
  MIMIC-IV-ED 1.0; versions 2.0 and later hold fewer.
- Comorbidities come from admissions that ended within five years before the stay, five years being 356 * 5 days as in
  the benchmark; codes as in Quan et al. 2005.
- A patient who was in the ICU before leaving the ED counts as transferred within 12 hours.
- Earlier visits count whether or not they are in the cohort.
- Of vital signs recorded at one time the largest counts as the last.
- Scores are computed after impossible values were removed and blanks filled.
- Rows are in the order of stay_id; stays.parquet names them."""


def data_card(manifest: dict[str, Any], cohort: Cohort) -> str:
    """Markdown; a count below ten shows as <10."""
    parts = [
        "# MIMIC-IV-ED, the cohort of Diff-Joint's appendix C.2",
        "Made from credentialed data: the tables beside this card stay where PhysioNet's licence allows them. This "
        "card holds counts of many patients only.",
        NOTES,
        "## Rows",
        _table(("step", "rows", "in the paper"), [(n, _shown(k), _paper(n)) for n, k in manifest["rows"].items()]),
        "## Sources",
        _table(("table", "file", "version"), [(n, s["file"], s["version"]) for n, s in manifest["sources"].items()]),
        "## Measurements: cells without a value, impossible ones, clipped ones",
        "Blank and impossible cells hold the median of the training stays.",
        _table(
            ("column", "blank", "out of range", "clipped"),
            [(name, *map(_shown, counts.values())) for name, counts in manifest["repairs"].items()],
        ),
        "## Counts and flags: stays above 0",
        _table(("column", "stays"), _positive(cohort)),
        "## Meaningful missingness: expected rates under the rules of C.2",
        _table(("column", "here, %", "paper's Table 8, %"), _rates(cohort)),
    ]
    return "\n\n".join(parts) + "\n"


def _positive(cohort: Cohort) -> list[tuple[str, ...]]:
    names = [column.name for column in COLUMNS if column.kind != "continuous" and column.name != "age"]
    return [(name, _shown(int((cohort.table[name] > 0).sum()))) for name in names]


def _rates(cohort: Cohort) -> list[tuple[str, ...]]:
    expected = probabilities(cohort.table.to_numpy(float))
    return [
        (name, f"{100 * expected[name].mean():.2f}", f"{100 * rate:.2f}") for name, rate in published_mm_rates().items()
    ]


def _shown(count: int) -> str:
    return f"<{FEWEST}" if 0 < count < FEWEST else f"{count:,}"


def _paper(step: str) -> str:
    return f"{PAPER[step]:,}" if step in PAPER else ""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
