"""Tables of Diff-Joint with downstream scores, and those on the columns of MIMIC-IV-ED."""

from __future__ import annotations

from lacuna.tables.definition import on_test
from lacuna.tables.papers.definition import PaperTable

ACCURACY = (
    "The printed accuracy is set beside the one over all discrete columns, integer ones counted. If n columns count, "
    "whose rates of meaningful missingness (Table 8) add up to m, the inverse accuracy of Mean/Mode is linear in the "
    "inverse ratio, and intercept over slope is (n - m) / m: the printed row gives n = 16.5, where 16 columns are "
    "discrete with the integer ones, 10 without and 4 are candidates. Printed Mean/Mode fills integers with their mode "
    "(on the stand-in that would give 56.1, 63.4, 66.3, 67.8), ours with the rounded mean."
)
DOWNSTREAM = tuple(
    f"test/downstream/{{target}}/{score}" for score in ("macro_f1", "roc_auc", "weighted_f1", "accuracy")
)
OUTCOMES = ("outcome_hospitalization", "outcome_critical", "outcome_icu_transfer_12h", "cci_CHF")

TABLES = (
    PaperTable(
        "diffjoint/3",
        "Downstream scores on D2 and D3",
        "diffjoint_table3",
        rows=("ratio", "method"),
        columns=("target",),
        metrics=DOWNSTREAM,
        explained="The paper does not print the classifier's settings, which move these scores; not explained beyond.",
        published=("diffjoint_table03",),
        targets=("D2", "D3"),
    ),
    PaperTable(
        "diffjoint/4",
        "Methods on MIMIC-IV-ED's columns under MCAR",
        "diffjoint_table4",
        rows=("ratio", "method"),
        columns=(),
        metrics=on_test("mae", "rmse", "acc", "acc_discrete", "acc_with_integers"),
        published=("diffjoint_table04",),
        notes=(ACCURACY,),
        sources=("mimic_ed",),
        any_size=True,
    ),
    PaperTable(
        "diffjoint/5",
        "Downstream scores on MIMIC-IV-ED's outcomes",
        "diffjoint_table5",
        rows=("ratio", "method"),
        columns=("target",),
        metrics=DOWNSTREAM,
        published=("diffjoint_table05",),
        targets=OUTCOMES,
        sources=("mimic_ed",),
        any_size=True,
    ),
    PaperTable(
        "diffjoint/8",
        "Rates of meaningful missingness in MIMIC-IV-ED's targets",
        "diffjoint_table8",
        rows=("target",),
        columns=(),
        metrics=("meaningful_rates/{target}/mm_rate",),
        published=("diffjoint_table08",),
        published_as=lambda cell: "",
        paper_runs=1,
        targets=("outcome_critical", "outcome_icu_transfer_12h", "outcome_hospitalization", "cci_CHF"),
        sources=("mimic_ed",),
        any_size=True,
        notes=("Of the complete table, before any ordinary mask.",),
    ),
    PaperTable(
        "diffjoint/11",
        "Detection of meaningful missingness on MIMIC-IV-ED's columns under MCAR",
        "diffjoint_table11",
        rows=("ratio", "method"),
        columns=(),
        metrics=on_test("mm_recall", "mm_precision", "mm_f1"),
        published=("diffjoint_table11",),
        sources=("mimic_ed",),
        any_size=True,
    ),
)
