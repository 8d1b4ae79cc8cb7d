"""The four pictures of README: a table before and after, P(meaningful), scores, and the arena.

python scripts/pictures.py [--to docs/pictures]    # from docs/survey.py, results/ and results_arena/
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lacuna import Imputer, paths
from lacuna.config import described
from lacuna.files import write_text
from lacuna.tables.pictures import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 40  # rows of the table before and after
ORDER = ("mean_mode", "cmae", "diffputer", "diffjoint", "selective")  # between floor and ceiling


def survey() -> tuple[pd.DataFrame, np.ndarray]:
    """The survey of docs/survey.py as numbers, without identifiers and levels; and who has a job."""
    sys.path.insert(0, str(paths.PROJECT / "docs"))
    from survey import HEADER, survey  # type: ignore[import-not-found]

    rows, has_job = survey(np.random.default_rng(0))
    frame = pd.DataFrame(rows, columns=HEADER)[["age", "rent", "commute", "income"]]
    return frame.replace("", np.nan).astype(float), has_job


def before_after(df: pd.DataFrame, done: pd.DataFrame) -> Figure:
    """Blanks of the first rows: as they came, filled, and kept."""
    figure = _figure(7.0, 3.6)
    left, right = figure.subplots(1, 2, sharey=True)
    blank, kept = (frame.isna().to_numpy()[:SHOWN] for frame in (df, done))
    for axis, state, title in ((left, blank * 1, "as it came"), (right, np.where(kept, 1, blank * 2), "completed")):
        axis.imshow(state, aspect="auto", cmap=_colours(), vmin=0, vmax=2, interpolation="nearest")
        axis.set(title=title, xticks=range(len(df.columns)), xticklabels=list(df.columns), yticks=[])
    handles = [_patch("#1f77b4", "filled"), _patch("#d62728", "blank"), _patch("#e8e8e8", "observed")]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def meaningful(p: np.ndarray, meant: np.ndarray) -> Figure:
    """P(meaningful) of every blank income, by what it is in truth."""
    figure = _figure(5.2, 3.0)
    axis = figure.subplots()
    bins = np.linspace(0, 1, 21).tolist()
    axis.hist([p[~meant], p[meant]], bins=bins, stacked=True, color=["#1f77b4", "#d62728"], label=["lost", "no income"])
    axis.set(xlabel="P(meaningful)", ylabel="blank incomes")
    axis.legend(frameon=False, title="in truth")
    return figure


def scores(records: Path) -> Figure:
    """Accuracy on bayesnet, mcar 0.2: methods between floor and ceiling."""
    found = defaultdict(list)
    labels = {}
    for record in _read(records / "bayesnet"):
        names = record["config"]["names"]
        if (names["mask"], record["config"]["ratio"]) == ("mcar", 0.2) and names["budget"] != "quick":
            found[names["method"]].append(100 * record["scores"]["test/acc"])
            labels[names["method"]] = described.label(record["config"], "method")
    figure = _figure(6.0, 2.6)
    axis = figure.subplots()
    shown = [name for name in ORDER if found[name]]
    axis.plot([np.mean(found[name]) for name in shown], range(len(shown)), "o", color="#1f77b4")
    for name in ("always_na", "oracle"):
        axis.axvline(float(np.mean(found[name])), color="0.5", linestyle="--")
        axis.text(float(np.mean(found[name])), -0.8, name, ha="center", fontsize=8)
    axis.set(yticks=range(len(shown)), yticklabels=[labels[name] for name in shown], xlabel="accuracy, candidates (%)")
    axis.set_ylim(len(shown) - 0.5, -0.5)
    return figure


def arena(records: Path) -> Figure:
    """Mean rank by error of numbers over the arena's tables, three mechanisms; lower is better."""
    problems: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for record in _read(records / "arena"):
        error = record["scores"].get("train/rmse_std_all")
        if error is not None:
            names = record["config"]["names"]
            problems[names["mask"], record["config"]["dataset"]["table"]][names["method"]] = error
    methods = ("chained", "mice_pmm", "mice_cart", "ice", "boosting", "gcimpute", "softimpute", "missforest_sklearn")
    figure = _figure(6.4, 3.0)
    axis = figure.subplots()
    for k, mask in enumerate(("mcar", "mar", "arena_pattern")):
        whole = [by for (own, _), by in problems.items() if own == mask and all(name in by for name in methods)]
        ranks = np.array([np.argsort(np.argsort([by[name] for name in methods])) + 1 for by in whole])
        axis.plot(ranks.mean(0), range(len(methods)), "os^"[k], color=f"C{k}", label=f"{mask}, {len(whole)} tables")
    axis.set(yticks=range(len(methods)), yticklabels=methods, xlabel="mean rank by error of numbers")
    axis.set_ylim(len(methods) - 0.5, -0.5)
    axis.legend(frameon=False, fontsize=8)
    return figure


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)["record"]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _colours() -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap(["#e8e8e8", "#d62728", "#1f77b4"])


def _patch(colour: str, label: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour, label=label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=paths.PROJECT / "docs" / "pictures")
    folder = parser.parse_args().to
    df, has_job = survey()
    imputer = Imputer("selective", mm_candidates=["commute", "income"]).fit(df)
    done, chance = imputer.transform(df), imputer.predict_meaningful_proba(df)
    blank = df["income"].isna().to_numpy()
    figures = {
        "before_after": before_after(df, done),
        "meaningful": meaningful(chance["income"].to_numpy()[blank], ~has_job[blank]),
        "scores": scores(paths.PROJECT / "results"),
        "arena": arena(paths.PROJECT / "results_arena"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        write_text(folder / f"{name}.svg", as_svg(figure))


if __name__ == "__main__":
    main()
