"""How ids are called in print, and what is good in a metric."""

from __future__ import annotations

from dataclasses import dataclass

METHODS = {
    "diffjoint": "Diff-Joint",
    "diffputer": "DiffPuter",
    "missbgm": "MissBGM",
    "cacti": "CACTI",
    "cmae": "CMAE",
    "tabcsdi": "TabCSDI",
    "gain": "GAIN",
    "missforest": "missForest",
    "missforest_sklearn": "missForest (scikit-learn)",
    "ice": "ICE",
    "miceforest": "miceforest",
    "ot": "OT",
    "forest_diffusion": "ForestDiffusion",
    "mean_mode": "Mean/Mode",
    "selective": "selective (ours)",
    "selection": "selection (ours)",
    "oracle": "Bayes oracle (ceiling)",
    "always_na": "always NA (floor)",
}
MASKS = {"mcar": "MCAR", "mar": "MAR", "mnar": "MNAR", "self": "self-masked", "self_logistic": "self-logistic"}
SOURCES = {
    "bayesnet": "the synthetic Bayesian network (Diff-Joint, C.1)",
    "mimic_ed": "MIMIC-IV-ED",
    "mimic_ed_standin": "a generated stand-in for MIMIC-IV-ED: none of its rows is MIMIC's",
    "mnar_oracle": "the self-masked Gaussian benchmark (MissBGM, C.1), the published draw",
    "wine": "UCI Wine",
    "breast": "UCI Breast Cancer Wisconsin",
    "concrete": "UCI Concrete",
    "gisette": "UCI Gisette",
}
RULES = {
    "uncertainty": "uncertainty",
    "vote": "majority vote",
    "and": "both",
    "or": "either (the paper's)",
    "propensity": "propensity (ours)",
}
AXES = {
    "method": ("method", METHODS),
    "mask": ("mechanism", MASKS),
    "dataset": ("data", {name: name.capitalize() for name in ("wine", "breast", "concrete", "gisette")}),
    "ratio": ("ratio", {}),
    "dataset.n": ("rows", {n: f"{int(n):,}" for n in ("500", "1000", "5000", "10000")}),
    "dataset.p": ("columns", {}),
    "method.rule": ("rule", RULES),
    "method.beta": ("β", {}),
    "method.use_bnn": ("networks", {"false": "plain", "true": "Bayesian"}),
    "method.iterations": ("outer iterations", {}),
    "iteration": ("outer iteration", {}),
    "target": ("target", {}),
}


@dataclass(frozen=True)
class Metric:
    """How a number of a record is shown."""

    label: str
    better: int = -1  # 1: the higher the better; -1: the lower; 0: neither
    percent: bool = False  # a share, shown in per cent
    unit: str = ""  # on an axis


def _share(label: str) -> Metric:
    return Metric(label, better=1, percent=True)


METRICS = {
    "acc": _share("accuracy, candidates"),
    "acc_discrete": _share("accuracy, discrete"),
    "acc_with_integers": _share("accuracy, discrete and integer"),
    "mm_precision": _share("MM precision"),
    "mm_recall": _share("MM recall"),
    "mm_f1": _share("MM F1"),
    "mm_rate": Metric("MM rate", better=0, percent=True),
    "rmse": Metric("RMSE", unit="raw units"),
    "mae": Metric("MAE", unit="raw units"),
    "rmse_all": Metric("RMSE", unit="units of the data"),
    "uq_sd_rmse": Metric("RMSE of sd"),
    "uq_interval_width": Metric("95% width", better=0),
    "uq_width_pearson": Metric("Pearson", better=1),
    "uq_width_spearman": Metric("Spearman", better=1),
    "uq_coverage": Metric("95% coverage", better=0, percent=True),
    "macro_f1": _share("Macro-F1"),
    "roc_auc": _share("ROC-AUC"),
    "weighted_f1": _share("Weighted-F1"),
    "accuracy": _share("Acc."),
    "total": Metric("running time", better=0, unit="seconds"),  # of other machines: no rank
}


def axis_label(axis: str) -> str:
    return AXES[axis][0]


def value_label(axis: str, value: str) -> str:
    """
    >>> value_label("method", "diffjoint"), value_label("dataset.n", "10000"), value_label("ratio", "0.1")
    ('Diff-Joint', '10,000', '0.1')
    """
    return AXES[axis][1].get(value, value)


def column_label(axis: str, value: str) -> str:
    """A value on its own: numbers are told what they count.

    >>> column_label("mask", "mcar"), column_label("dataset.p", "50")
    ('MCAR', 'columns 50')
    """
    label = value_label(axis, value)
    return f"{axis_label(axis)} {label}" if label.replace(",", "").replace(".", "").isdigit() else label


def metric(key: str) -> Metric:
    """Of a record's key such as ``test/acc``."""
    return METRICS[key.rpartition("/")[2]]
