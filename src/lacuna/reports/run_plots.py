"""The pictures of a run: what its uncertainty tells apart, how its flags trade off, how it got there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.figures import blank_figure
from lacuna.files import whole
from lacuna.metrics.uncertainty import empirical_coverage
from lacuna.types import Answer, Imputation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PANELS = 8
# Line styles and markers differ besides colours: the plots must read in greyscale.
STYLES = (("C0", "-", "o"), ("C1", "--", "s"), ("C2", ":", "^"), ("C3", "-.", "D"))
CURVES = {
    "accuracy": ("acc", "acc_discrete"),
    "meaningful missingness": ("mm_precision", "mm_recall", "mm_f1"),
    "RMSE": ("rmse", "rmse_all"),
}


def write_plots(answer: Answer, imputation: Imputation, iterations: list[dict[str, Any]], folder: Path) -> list[Path]:
    """Every plot that this run has something for; returns their paths."""
    makers: dict[str, Callable[[], Figure | None]] = {
        "uncertainty": lambda: uncertainty_by_state(answer, imputation),
        "precision_recall": lambda: precision_recall(answer, imputation),
        "iterations": lambda: metric_by_iteration(iterations),
        "calibration": lambda: calibration(answer, imputation),
        "sampler": lambda: sampler(imputation),
    }
    written = []
    for name, make in makers.items():
        if (figure := make()) is not None:
            with whole(folder / f"{name}.png") as temporary:
                figure.savefig(temporary, format="png", dpi=120)
            written.append(folder / f"{name}.png")
    return written


def uncertainty_by_state(answer: Answer, imputation: Imputation) -> Figure | None:
    """Histogram of the method's per-cell uncertainty in each candidate column, by true state."""
    uncertainty = imputation.diagnostics.get("uncertainty")
    panels = _candidates_with_both_states(answer)[:MAX_PANELS]
    if uncertainty is None or not panels:
        return None
    figure, axes = blank_figure(len(panels))
    for axis, j in zip(axes, panels, strict=True):
        groups = {"regular": answer.ordinary[:, j], "meaningful": answer.meaningful[:, j]}
        shown = uncertainty[answer.hidden[:, j], j]
        bins = np.linspace(shown.min(), max(shown.max(), shown.min() + 1e-9), 25)
        for (name, cells), face, hatch in zip(groups.items(), ("0.75", "none"), ("", "////"), strict=True):
            label = f"{name} ({cells.sum():,})"
            look = {"facecolor": face, "edgecolor": "0.2", "hatch": hatch, "histtype": "stepfilled"}
            axis.hist(uncertainty[cells, j], bins, density=True, label=label, **look)
        axis.set(title=answer.columns[j].name, xlabel="uncertainty of the imputation", ylabel="density")
        axis.margins(y=0.35)  # room for the legend
        axis.legend(title="true state", loc="upper right", ncols=2, fontsize="small")
    return figure


def precision_recall(answer: Answer, imputation: Imputation) -> Figure | None:
    """Precision against recall of P(meaningful) over hidden cells of candidate columns, with the flags."""
    probability, panels = imputation.meaningful_probability, _candidates_with_both_states(answer)
    if probability is None or imputation.meaningful is None or not panels:
        return None
    from sklearn.metrics import precision_recall_curve

    scored = answer.hidden[:, panels]
    truth, chance = answer.meaningful[:, panels][scored], probability[:, panels][scored]
    flags = imputation.meaningful[:, panels][scored]
    precision, recall, _ = precision_recall_curve(truth, chance)
    figure, (axis,) = blank_figure(1)
    axis.step(recall, precision, where="post", color="C0", label="threshold on the probability")
    if flags.any():
        hit = (flags & truth).sum()
        axis.plot(hit / truth.sum(), hit / flags.sum(), "ks", label="flags as given")
    axis.axhline(truth.mean(), color="0.5", linestyle=":", label="every hidden cell flagged")
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axis.set_title("meaningful missingness in " + _listed([answer.columns[j].name for j in panels]))
    axis.legend(loc="lower left")
    return figure


def metric_by_iteration(iterations: list[dict[str, Any]]) -> Figure | None:
    """The pooled metrics after each outer iteration, one panel for each family and split."""
    if len(iterations) < 2:
        return None
    steps = [step["iteration"] for step in iterations]
    scores: list[Mapping[str, float]] = [step["scores"] for step in iterations]
    splits = sorted({key.split("/")[0] for key in scores[-1]}, reverse=True)
    panels = {
        (split, family): present
        for split in splits
        for family, names in CURVES.items()
        if (present := [name for name in names if f"{split}/{name}" in scores[-1]])
    }
    if not panels:
        return None
    figure, axes = blank_figure(len(panels))
    for axis, ((split, family), names) in zip(axes, panels.items(), strict=True):
        for name, (color, line, marker) in zip(names, STYLES, strict=False):
            values = [step.get(f"{split}/{name}", np.nan) for step in scores]
            axis.plot(steps, values, color=color, linestyle=line, marker=marker, label=name)
        axis.set(title=f"{split} rows", xlabel="outer iteration", ylabel=family)
        axis.locator_params(axis="x", integer=True)
        axis.legend()
    return figure


def calibration(answer: Answer, imputation: Imputation) -> Figure | None:
    """Empirical against nominal coverage of central intervals, over the cells that the uq_ metrics score."""
    levels = np.linspace(0.05, 0.95, 19)
    try:
        reached = empirical_coverage(answer, imputation, levels)
    except NothingToScore:
        return None
    if reached is None:
        return None
    figure, (axis,) = blank_figure(1)
    axis.plot([0, 1], [0, 1], color="0.5", linestyle=":", label="calibrated")
    axis.plot(levels, reached, "C0-o", markersize=3, label="intervals from the draws")
    axis.set(xlabel="nominal coverage", ylabel="empirical coverage", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.set_title("calibration")
    axis.legend(loc="upper left")
    return figure


def sampler(imputation: Imputation) -> Figure | None:
    """Step sizes by sweep, and R-hat and effective sample size of the watched cells, of a method that samples."""
    found = imputation.diagnostics
    if "step_sizes" not in found:
        return None
    figure, axes = blank_figure(3 if "rhat" in found else 1)
    for column, (name, (color, line, _)) in enumerate(zip(("z", "x"), STYLES, strict=False)):
        axes[0].plot(found["step_sizes"][:, column], color=color, linestyle=line, label=f"step size of {name}")
    axes[0].set(xlabel="sweep", ylabel="step size", yscale="log", title="adaptation")
    axes[0].legend()
    if "rhat" in found:
        for axis, key, label in ((axes[1], "rhat", "split R-hat"), (axes[2], "ess", "effective sample size")):
            values = found[key][np.isfinite(found[key])]
            axis.hist(values, bins=30, facecolor="0.75", edgecolor="0.2")
            axis.set(xlabel=label, ylabel="watched cells", title=f"median {np.median(values):.4g}")
    return figure


def _candidates_with_both_states(answer: Answer) -> list[int]:
    both = np.logical_and(answer.meaningful.any(axis=0), answer.ordinary.any(axis=0))
    return [j for j, column in enumerate(answer.columns) if column.mm_candidate and both[j]]


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} columns"
