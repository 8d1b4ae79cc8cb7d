"""Early warning (NEWS) and comorbidity (CCI) points, as the public MIMIC-IV-ED benchmark counts them.

Sources: Royal College of Physicians, National Early Warning Score, 2012, without its points for consciousness
and oxygen; Charlson et al. 1987, whose age points start at 50, without a hierarchy between mild and severe.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# (upper ends of the bands, points of each band and of what is above the last)
NEWS_BANDS = {
    "resprate": ((8, 11, 20, 24), (3, 1, 0, 2, 3)),
    "o2sat": ((91, 93, 95), (3, 2, 1, 0)),
    "temperature": ((35, 36, 38, 39), (3, 1, 0, 1, 2)),
    "sbp": ((90, 100, 110, 219), (3, 2, 1, 0, 3)),
    "heartrate": ((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3)),
}
# Charlson groups by the names of comorbidities.csv
CCI_WEIGHTS = {
    **dict.fromkeys(("MI", "CHF", "PVD", "Stroke", "Dementia"), 1),
    **dict.fromkeys(("Pulmonary", "PUD", "Rheumatic", "Liver1", "DM1"), 1),
    **dict.fromkeys(("DM2", "Paralysis", "Renal", "Cancer1"), 2),
    "Liver2": 3,
    **dict.fromkeys(("Cancer2", "HIV"), 6),
}
DECADES = (50, 60, 70, 80)  # a point for each that the age has reached


def news(vitals: Mapping[str, np.ndarray]) -> np.ndarray:
    """Points (n,) of complete vitals (n,) each, by the keys of NEWS_BANDS; temperature in degrees Celsius.

    >>> bad = {"resprate": 25, "o2sat": 91, "temperature": 35, "sbp": 90, "heartrate": 131}
    >>> int(news({name: np.array([value]) for name, value in bad.items()})[0])
    15
    """
    bands = NEWS_BANDS.items()
    # side="left": a value at the upper end of a band belongs to it
    points = [np.take(given, np.searchsorted(ends, vitals[name], side="left")) for name, (ends, given) in bands]
    return np.sum(points, axis=0)


def cci(age: np.ndarray, groups: Mapping[str, np.ndarray]) -> np.ndarray:
    """Points (n,) of age in years (n,) and of the Charlson groups (n,) 0/1, by the keys of CCI_WEIGHTS.

    >>> none = {name: np.array([0]) for name in CCI_WEIGHTS}
    >>> int(cci(np.array([72]), none | {"DM1": np.array([1]), "DM2": np.array([1])})[0])
    6
    """
    comorbid = sum(weight * np.asarray(groups[name]).astype(np.int64) for name, weight in CCI_WEIGHTS.items())
    return np.searchsorted(DECADES, age, side="right") + comorbid
