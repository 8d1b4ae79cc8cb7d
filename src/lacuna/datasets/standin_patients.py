"""Invented emergency patients: their age, what they had before, and how often they came.

A frailty common to everything that is wrong with a patient makes illnesses, visits and stays go together; none
is on file for a patient who was not admitted in the last five years. ``mimic_ed_standin`` says what the numbers
rest on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtri

# Ages at these shares of the patients; evenly spread between them.
AGE_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)
AGES = (18, 24, 34, 53, 68, 81, 90, 100)
COMMON_SHARE = 0.45  # of an illness's liability that is frailty
# Share of the patients on file who have an illness at 60, and by how many sds its liability rises in 20 years.
# Names of scores.CCI_WEIGHTS; the last is Elixhauser's wider group of lung diseases beyond Charlson's.
ILLNESSES = {
    "MI": (0.13, 0.5),
    "CHF": (0.14, 0.55),
    "PVD": (0.10, 0.5),
    "Stroke": (0.12, 0.4),
    "Dementia": (0.03, 0.9),
    "Pulmonary": (0.24, 0.15),
    "PUD": (0.04, 0.1),
    "Rheumatic": (0.05, 0.1),
    "Liver1": (0.15, -0.1),
    "DM1": (0.23, 0.3),
    "DM2": (0.10, 0.2),
    "Paralysis": (0.04, 0.0),
    "Renal": (0.19, 0.5),
    "Cancer1": (0.14, 0.4),
    "Liver2": (0.05, 0.0),
    "Cancer2": (0.07, 0.2),
    "HIV": (0.02, -0.3),
    "circulation of the lungs": (0.03, 0.2),
}


@dataclass(frozen=True)
class Patients:
    """n patients at the door."""

    age: np.ndarray  # (n,) whole years
    frailty: np.ndarray  # (n,) standard normal; no column of the table
    illnesses: dict[str, np.ndarray]  # (n,) bool, by the keys of ILLNESSES
    n_ed: np.ndarray  # (n,) int: earlier visits within a year
    n_hosp: np.ndarray  # (n,) int: admissions within a year
    n_icu: np.ndarray  # (n,) int: of these, to intensive care

    @property
    def decades(self) -> np.ndarray:
        """(n,) age in steps of 20 years from 50"""
        return (self.age - 50) / 20


def draw_patients(n: int, rng: np.random.Generator) -> Patients:
    """n independent patients."""
    age = np.floor(np.interp(rng.random(n), AGE_SHARES, AGES))
    frailty = rng.standard_normal(n)
    on_file = rng.random(n) < expit(0.0 + 0.45 * (age - 50) / 20 + 0.8 * frailty)
    illnesses = {name: on_file & _ill(at_60, slope, age, frailty, rng) for name, (at_60, slope) in ILLNESSES.items()}
    # gamma rates: most patients come once, a few again and again
    n_hosp = on_file * rng.poisson(rng.gamma(0.9, np.exp(0.42 + 0.4 * frailty)))
    n_icu = rng.binomial(n_hosp, expit(-2.4 + 0.3 * frailty))
    n_ed = rng.binomial(n_hosp, 0.7) + rng.poisson(rng.gamma(0.4, np.exp(0.5 + 0.4 * frailty - 0.2 * (age - 50) / 20)))
    return Patients(age, frailty, illnesses, n_ed, n_hosp, n_icu)


def _ill(at_60: float, slope: float, age: np.ndarray, frailty: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) bool: liability, of variance 1 at any age, above a threshold."""
    own = rng.standard_normal(len(age))
    liability = np.sqrt(COMMON_SHARE) * frailty + np.sqrt(1 - COMMON_SHARE) * own + slope * (age - 60) / 20
    return liability > -ndtri(at_60)
