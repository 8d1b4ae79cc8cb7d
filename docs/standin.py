"""What the columns of the stand-in look like at full size, for docs/mimic_ed_standin.md: ``python docs/standin.py``."""

from __future__ import annotations

import numpy as np

from lacuna.datasets.mimic_ed.schema import COLUMNS
from lacuna.datasets.mimic_ed_standin import MimicEDStandin, draw_values
from lacuna.rng import stream
from lacuna.tables.papers.mm_rates import mm_rates


def main() -> None:
    dataset = MimicEDStandin()
    values = draw_values(dataset.n_train + dataset.n_test, stream(0, "dataset"))
    for column, cells in zip(COLUMNS, values.T, strict=True):
        low, middle, high = np.quantile(cells, [0.01, 0.5, 0.99])
        spread = f"{low:.4g}, {middle:.4g}, {high:.4g}"
        print(f"| `{column.name}` | {cells.mean():.4g} | {cells.std():.3g} | {spread} |")
    for name, (ours, printed) in mm_rates(dataset.load(stream(0, "dataset"), stream(0, "split"))).items():
        print(f"| `{name}` | {ours:.2%} | {printed:.2%} |")


if __name__ == "__main__":
    main()
