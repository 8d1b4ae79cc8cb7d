"""How the axes of settings, and values on them, are called."""

from __future__ import annotations

RULES = {
    "uncertainty": "uncertainty",
    "vote": "majority vote",
    "and": "both",
    "or": "either (the paper's)",
    "propensity": "propensity (ours)",
}
AXES = {
    "mask": "mechanism",
    "dataset": "data",
    "dataset.n": "rows",
    "dataset.p": "columns",
    "method.beta": "β",
    "method.use_bnn": "networks",
    "method.iterations": "outer iterations",
    "iteration": "outer iteration",
}
IN_FIGURES = {"ratio": "missing rate (share of cells)", "dataset.p": "columns of the data"}
VALUES = {
    "dataset.n": {n: f"{int(n):,}" for n in ("500", "1000", "5000", "10000")},
    "method.rule": RULES,
    "method.use_bnn": {"false": "plain", "true": "Bayesian"},
}


def axis_label(axis: str) -> str:
    """
    >>> axis_label("dataset.p"), axis_label("method.rule"), axis_label("ratio")
    ('columns', 'rule', 'ratio')
    """
    return AXES.get(axis, axis.rpartition(".")[2])


def value_label(axis: str, value: str) -> str:
    """
    >>> value_label("dataset.n", "10000"), value_label("ratio", "0.1")
    ('10,000', '0.1')
    """
    return VALUES.get(axis, {}).get(value, value)
