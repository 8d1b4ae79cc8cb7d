"""Tables and figures of Diff-Joint on the synthetic Bayesian network."""

from __future__ import annotations

from lacuna.tables.definition import on_test
from lacuna.tables.experiments import Settings
from lacuna.tables.papers.definition import PaperTable

ACCURACY = (
    "Accuracy over candidate columns is the definition in the paper's text; the published mcar column follows the one "
    "over all discrete columns (its Mean/Mode row is reproduced only so), and is set beside that one here."
)
SINGLE = "The paper's figures come from a single run."
# Scores of the training rows after each outer iteration: ``iterations`` in the records of the rule, seeds 0 to 2
UNSETTLED = (
    "The rule `uncertainty` does not settle in the closed loop. On training rows its recall falls from 73 to 75 in the "
    "first iteration to between 52 and 61 from the fourth on, and moves by up to 9 points from one iteration to the "
    "next; precision is 42 to 48 then and accuracy over discrete columns 54 to 59. Printed precision and accuracy lie "
    "within that, the printed recall of 66.8 lies 5 points above it and is not explained."
)

PROPENSITY = "The rule `propensity`, our own, ran with version 1 of `selective`; version 2 was not run with it."


def _rule(cell: Settings) -> str:
    return f"diffjoint_rule_{cell['method.rule']}" if "method.rule" in cell else ""


def _refinement(cell: Settings) -> str:
    joint, once = cell["method"] == "diffjoint", cell.get("method.iterations") == "1"
    return cell["method"] if not once else "diffjoint_refine1" if joint else ""


TABLES = (
    PaperTable(
        "diffjoint/1",
        "Methods on bayesnet under three mechanisms",
        "diffjoint_table1",
        rows=("ratio", "method"),
        columns=("mask",),
        metrics=on_test("acc", "acc_discrete", "rmse"),
        published=("diffjoint_table01",),
        notes=(ACCURACY,),
    ),
    PaperTable(
        "diffjoint/2",
        "Detection of meaningful missingness under MCAR",
        "diffjoint_table2",
        rows=("ratio", "method"),
        columns=(),
        metrics=on_test("mm_recall", "mm_precision", "mm_f1"),
        published=("diffjoint_table02",),
    ),
    PaperTable(
        "diffjoint/10",
        "Detection of meaningful missingness under three mechanisms",
        "diffjoint_table10",
        rows=("ratio", "method"),
        columns=("mask",),
        metrics=on_test("mm_recall", "mm_precision", "acc", "acc_discrete"),
        published=("diffjoint_table10",),
        notes=(ACCURACY,),
    ),
    PaperTable(
        "diffjoint/12",
        "Ablation of the joint state and of refinement, MCAR",
        "diffjoint_table12",
        rows=("ratio", "method", "method.iterations"),
        columns=(),
        metrics=on_test("mm_f1", "acc", "acc_discrete", "rmse"),
        explained="The paper prints 72.7 here and 63.6 in its Table 1 for one setting; ours is 65.8.",
        published=("diffjoint_table12",),
        published_as=_refinement,
        paper_runs=1,
        notes=(SINGLE, ACCURACY),
    ),
    PaperTable(
        "diffjoint/13",
        "Ablation of the rule that turns uncertainty and sampled masks into flags, MCAR 0.3",
        "diffjoint_table13",
        rows=("method.rule",),
        columns=(),
        metrics=on_test("mm_recall", "mm_precision", "mm_f1", "acc", "acc_discrete", "rmse"),
        published=("diffjoint_table13",),
        published_as=_rule,
        paper_runs=1,
        notes=(SINGLE, ACCURACY, UNSETTLED, PROPENSITY),
    ),
    PaperTable(
        "diffjoint/figure4",
        "Scores after each outer iteration, MCAR 0.1",
        "diffjoint_figure4",
        rows=("iteration",),
        columns=(),
        metrics=on_test("mm_precision", "mm_recall", "mm_f1", "acc", "acc_discrete", "rmse"),
        iterations=10,
        picture="lines",
        notes=("The zeroth iteration samples from an untrained network. The paper prints no numbers of this figure.",),
    ),
)
