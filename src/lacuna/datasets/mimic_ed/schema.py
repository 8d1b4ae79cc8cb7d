"""The 30 columns of Diff-Joint's Table 7, in its order, and the ranges of what is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.types import Column

# The discrete columns with meaningful missingness (C.2), which Table 5 predicts.
TARGETS = ("outcome_hospitalization", "outcome_critical", "outcome_icu_transfer_12h", "cci_CHF")
VITALS = ("temperature", "heartrate", "resprate", "o2sat", "sbp", "dbp")
TRIAGE = tuple(f"triage_{name}" for name in (*VITALS, "pain", "acuity"))
LAST = tuple(f"ed_{name}_last" for name in VITALS)
COUNTS = ("age", "n_ed_365d", "n_hosp_365d", "n_icu_365d", "score_CCI", "score_NEWS")
FLAGS = (
    *("outcome_hospitalization", "outcome_critical", "outcome_icu_transfer_12h"),
    *("chiefcom_chest_pain", "chiefcom_shortness_of_breath", "chiefcom_abdominal_pain", "chiefcom_fever_chills"),
    *("cci_CHF", "cci_Renal", "eci_Pulmonary"),
)
COLUMNS = (
    *(Column(name) for name in (*TRIAGE, *LAST)),
    *(Column(name, "integer") for name in COUNTS),
    *(Column(name, "categorical", (0, 1), mm_candidate=name in TARGETS) for name in FLAGS),
)
NAMES = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True)
class ValidRange:
    """What a measurement can be: outside ``outer`` it is a slip of the pen, between the two it is clipped."""

    outer: tuple[float, float]
    inner: tuple[float, float]

    def clean(self, values: np.ndarray) -> np.ndarray:
        """The same shape, NaN where outside ``outer``, else within ``inner``.

        >>> RANGES["temperature"].clean(np.array([2.7, 20.0, 37.0, 46.0, 98.6]))
        array([nan, 26., 37., 45., nan])
        """
        inside = (values >= self.outer[0]) & (values <= self.outer[1])
        return np.where(inside, np.clip(values, *self.inner), np.nan)


# By what is measured, in degrees Celsius, per minute, per cent, mmHg, and points.
RANGES = {
    "temperature": ValidRange((14.2, 47), (26, 45)),
    "heartrate": ValidRange((0, 390), (0, 350)),
    "resprate": ValidRange((0, 330), (0, 300)),
    "o2sat": ValidRange((0, 150), (0, 100)),
    "sbp": ValidRange((0, 375), (0, 375)),
    "dbp": ValidRange((0, 375), (0, 375)),
    "pain": ValidRange((0, 10), (0, 10)),
    "acuity": ValidRange((1, 5), (1, 5)),
}


def measured(name: str) -> str:
    """What a continuous column measures: a key of RANGES.

    >>> measured("triage_sbp"), measured("ed_temperature_last")
    ('sbp', 'temperature')
    """
    return name.removeprefix("triage_").removeprefix("ed_").removesuffix("_last")


def by_name(values: np.ndarray) -> dict[str, np.ndarray]:
    """The columns (n,) of values (n, 30) by name."""
    return dict(zip(NAMES, values.T, strict=True))
