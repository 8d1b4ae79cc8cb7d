"""How much the setting of the downstream classifier decides: Mean/Mode on bayesnet, every setting of the grid.

    python benchmarks/downstream.py                     # seed 0, the grid of conf/downstream/xgboost.yaml

The classifier is trained on the completed training rows and scored on the true test rows, as in Diff-Joint's Table 3,
and once on the true training rows, by which the setting is chosen. The range of each score goes to
src/lacuna/tables/papers/settings.csv, from which the page of results takes its sentences.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from lacuna import paths
from lacuna.datasets.bayesnet import BayesNet
from lacuna.downstream import Classifier, Task, evaluate
from lacuna.imputer import make_method
from lacuna.masks.mcar import MCAR
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Table

OUT = Path(__file__).parents[1] / "src" / "lacuna" / "tables" / "papers" / "settings.csv"
RATIOS = (0.1, 0.2, 0.3, 0.4)


def scores(table: Table, training: np.ndarray, target: str, grid: dict[str, list]) -> Iterator[dict[str, float]]:
    """The four scores on the true test rows, one for each setting.

    Args:
        training: (n_train, d) the rows to train on.
    """
    task = Task.of(table.columns, target)
    test = table.values[~table.train_rows]
    for depth, rate in itertools.product(grid["depth"], grid["learning_rate"]):
        setting = {"depth": depth, "learning_rate": rate, "rounds": max(grid["rounds"])}
        model = Classifier.fit(task, training, setting)
        for rounds in grid["rounds"]:
            yield evaluate(task.labels(test), model.probabilities(test, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    seed = arguments.seed
    grid = OmegaConf.to_container(OmegaConf.load(paths.CONF / "downstream" / "xgboost.yaml"))
    table = BayesNet().load(stream(seed, "dataset"), stream(seed, "split"))
    tables = {0.0: table.values[table.train_rows]}
    for ratio in RATIOS:
        train = hide(table, MCAR().draw(table, ratio, stream(seed, "mask"))).train
        tables[ratio] = make_method("mean_mode", "paper", "cpu").fit(train, seed).impute(train).final
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("dataset", "method", "mask", "ratio", "metric", "settings", "lowest", "highest"))
        for target, (ratio, training) in itertools.product(table.targets, tables.items()):
            found = list(scores(table, training, target, grid))
            for name in found[0]:
                values = [score[name] for score in found]
                about = ("bayesnet", "mean_mode" if ratio else "truth", "mcar" if ratio else "", ratio or "")
                ends = (f"{min(values):.4f}", f"{max(values):.4f}")
                writer.writerow((*about, f"test/downstream/{target}/{name}", len(values), *ends))
    print(arguments.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
