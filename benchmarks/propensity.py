"""What `method=diffjoint rule=propensity` gains over the paper's rule, at the quick budget on bayesnet.

    python benchmarks/propensity.py                                 # mcar at 0.1 and 0.3, seed 0
    python benchmarks/propensity.py --rows 3000 --ratios 0.2 --seeds 7

Both rules are fitted on the same table, one after the other, and scored on other rows: 3 for every 7. One JSON line
a run goes to --out; a line that is there is not measured again.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from lacuna.imputer import make_method
from lacuna.metrics.numeric import rmse
from lines import Line, measured_once
from selective import MASKS, load, scored

OUT = Path(__file__).parent / "results" / "propensity.jsonl"


def measure(key: Line) -> Line:
    """Scores on the test rows and CPU seconds of one run."""
    problem = load(key["mask"], key["ratio"], key["seed"], key["rows"])
    method = make_method("diffjoint", "quick", "cpu", {"rule": key["rule"]})
    return scored(method, problem, key["seed"], [rmse])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", default="mcar", help=f"some of {', '.join(MASKS)}")
    parser.add_argument("--ratios", default="0.1,0.3")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--rows", type=int, default=14_000, help="rows to fit")
    parser.add_argument("--rules", default="or,propensity")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    keys = [
        {"mask": mask, "ratio": float(ratio), "seed": int(seed), "rows": arguments.rows, "rule": rule}
        for mask, ratio, seed, rule in itertools.product(
            *(text.split(",") for text in (arguments.masks, arguments.ratios, arguments.seeds, arguments.rules))
        )
    ]
    for line in measured_once(arguments.out, keys, measure):
        scores = ", ".join(f"{name} {value:.3f}" for name, value in line.items() if isinstance(value, float))
        print(f"{line['mask']} {line['rule']}: {scores}")


if __name__ == "__main__":
    main()
