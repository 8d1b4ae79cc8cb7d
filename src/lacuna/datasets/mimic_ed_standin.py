"""A stand-in for MIMIC-IV-ED: the 30 columns of Diff-Joint's Table 7, generated; no patient was ever seen.

Names, kinds, ranges, scores and the rules of meaningful missingness are those of ``lacuna.datasets.mimic_ed``;
the rows are invented. docs/mimic_ed_standin.md says, column by column, how and from what.
"""

from __future__ import annotations

import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.datasets.mimic_ed.meaningful import draw_meaningful
from lacuna.datasets.mimic_ed.schema import COLUMNS, TARGETS
from lacuna.datasets.mimic_ed.scores import CCI_WEIGHTS, cci, news
from lacuna.datasets.standin_patients import draw_patients
from lacuna.datasets.standin_visits import (
    draw_acuity,
    draw_complaints,
    draw_outcomes,
    draw_pain,
    draw_severity,
    draw_vitals,
)
from lacuna.types import Table


class MimicEDStandin(Dataset):
    """``n_train + n_test`` independent invented visits, as many as MIMIC-IV-ED's cohort by default.

    Meaningful missingness by the rules of Diff-Joint C.2, at about the rates of its Table 8: 9.1% of
    outcome_critical, 8.7% of outcome_icu_transfer_12h, 13.8% of outcome_hospitalization, 15.2% of cci_CHF.
    """

    label = "MIMIC-IV-ED, stand-in"
    description = "a generated stand-in for MIMIC-IV-ED: none of its rows is MIMIC's"
    stand_in_for = "mimic_ed"

    def __init__(self, n_train: int = 353_150, n_test: int = 88_287) -> None:
        if n_train < 1 or n_test < 0:
            raise ValueError(f"n_train must be at least 1 and n_test at least 0, got {n_train} and {n_test}")
        self.n_train, self.n_test = n_train, n_test

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        n = self.n_train + self.n_test
        values = draw_values(n, rng)
        meaningful = draw_meaningful(values, rng)
        values[meaningful] = np.nan
        train_rows = np.zeros(n, bool)
        train_rows[split_rng.permutation(n)[: self.n_train]] = True
        split = train_rows if self.n_test else None
        return Table("mimic_ed_standin", COLUMNS, values, meaningful, split, targets=TARGETS)


def draw_values(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 30) complete visits."""
    patients = draw_patients(n, rng)
    complaints = draw_complaints(patients, rng)
    severity = draw_severity(patients, complaints, rng)
    triage, last = draw_vitals(patients, complaints, severity, rng)
    acuity = draw_acuity(patients, complaints, severity, triage, rng)
    early_warning = news(triage)
    comorbidity = cci(patients.age, {name: patients.illnesses[name] for name in CCI_WEIGHTS})
    outcomes = draw_outcomes(patients, severity, acuity, early_warning, comorbidity, rng)
    ill = patients.illnesses
    found = {
        **{f"triage_{name}": vital for name, vital in triage.items()},
        "triage_pain": draw_pain(patients, complaints, rng),
        "triage_acuity": acuity,
        **{f"ed_{name}_last": vital for name, vital in last.items()},
        **{"age": patients.age, "n_ed_365d": patients.n_ed},
        **{"n_hosp_365d": patients.n_hosp, "n_icu_365d": patients.n_icu},
        **{"score_CCI": comorbidity, "score_NEWS": early_warning},
        **{f"outcome_{name}": outcome for name, outcome in outcomes.items()},
        **{f"chiefcom_{name}": complaint for name, complaint in complaints.items()},
        **{"cci_CHF": ill["CHF"], "cci_Renal": ill["Renal"]},
        "eci_Pulmonary": ill["Pulmonary"] | ill["circulation of the lungs"],
    }
    return np.stack([found[column.name].astype(np.float64) for column in COLUMNS], axis=1)
