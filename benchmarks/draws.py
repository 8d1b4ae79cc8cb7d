"""How far the figures of Mean/Mode go from one draw of bayesnet and its mask to the next: what a printed mean can hide.

    python benchmarks/draws.py                     # 100 fresh draws; none is a seed of the papers' tables

Means and modes need no model, so nothing but the data, the mask and NumPy decides them. Means and sds over draws go to
src/lacuna/tables/papers/draws.csv, from which the page of results takes its sentences.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.base import Mask
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR
from lacuna.masks.mnar import MNAR
from lacuna.rng import stream
from lacuna.types import Table

OUT = Path(__file__).parents[1] / "src" / "lacuna" / "tables" / "papers" / "draws.csv"
MASKS: dict[str, Mask] = {"mcar": MCAR(), "mar": MAR(), "mnar": MNAR()}
RATIOS = (0.1, 0.2, 0.3, 0.4)
FIRST = 1000


def figures(table: Table, ordinary: np.ndarray) -> Iterator[tuple[str, float]]:
    """Error of the training mean and accuracy of the training modes in the hidden test cells.

    Args:
        ordinary: (n, d) bool, hidden by the mask.
    """
    assert table.train_rows is not None
    hidden, truth = ordinary | table.meaningful, table.values
    right = {}
    for j, column in enumerate(table.columns):
        seen = truth[table.train_rows & ~hidden[:, j], j]
        cells = truth[~table.train_rows & hidden[:, j], j]
        if column.discrete:
            right[column.name] = cells == np.bincount(seen.astype(int)).argmax()
        elif not column.mm_candidate and len(cells):  # under MAR a driving column has no blank
            yield "test/rmse", float(np.sqrt(np.mean((cells - seen.mean()) ** 2)))
    yield "test/acc", float(np.concatenate([right["D2"], right["D3"]]).mean())
    yield "test/acc_discrete", float(np.concatenate(list(right.values())).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    found: dict[tuple[str, float, str], list[float]] = {}
    for seed in range(FIRST, FIRST + arguments.draws):
        table = BayesNet().load(stream(seed, "dataset"), stream(seed, "split"))
        for (name, mask), ratio in itertools.product(MASKS.items(), RATIOS):
            for metric, value in figures(table, mask.draw(table, ratio, stream(seed, "mask")).ordinary):
                found.setdefault((name, ratio, metric), []).append(value)
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("dataset", "method", "mask", "ratio", "metric", "draws", "mean", "sd"))
        for (name, ratio, metric), values in sorted(found.items()):
            spread = (f"{np.mean(values):.6f}", f"{np.std(values, ddof=1):.6f}")
            writer.writerow(("bayesnet", "mean_mode", name, ratio, metric, len(values), *spread))
    print(arguments.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
