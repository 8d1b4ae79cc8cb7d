"""Invented visits of invented patients: complaints, vital signs, urgency and outcomes.

A severity, unseen like the frailty, rises with what brought the patient and moves every vital sign. A vital sign
is a level plus what one reading adds; the last reading of a stay has the same level, calmed. Urgency follows from
what triage sees, and outcomes from urgency, signs and history.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from lacuna.datasets.standin_patients import Patients

# Log odds of a complaint against none of them, before age, frailty and illness; then its weight in the severity.
COMPLAINTS = {
    "chest_pain": (-2.25, 0.15),
    "shortness_of_breath": (-2.65, 0.8),
    "abdominal_pain": (-1.75, 0.0),
    "fever_chills": (-2.75, 0.5),
}
SECOND_COMPLAINT = 0.03  # share of visits with one more of them
ACUITY_CUTS = (2.0, 0.45, -1.35, -2.85)  # urgency above these: acuity 1, 2, 3, 4, else 5


def draw_complaints(patients: Patients, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """(n,) bool by the keys of COMPLAINTS."""
    n, ill = len(patients.age), patients.illnesses
    log_odds = np.zeros((n, len(COMPLAINTS) + 1))
    log_odds[:, :-1] = [start for start, _ in COMPLAINTS.values()]
    log_odds[:, 0] += 0.1 * patients.decades + 0.5 * ill["MI"]
    log_odds[:, 1] += 0.2 * patients.decades + 0.9 * ill["Pulmonary"] + 0.9 * ill["CHF"]
    log_odds[:, 2] += -0.25 * patients.decades + 0.5 * ill["Liver1"]
    log_odds[:, 3] += 0.6 * (ill["Cancer1"] | ill["Cancer2"])
    # the largest of log odds plus Gumbel noise is drawn with those odds
    first = (log_odds + rng.gumbel(size=log_odds.shape)).argmax(1)
    second = np.where(rng.random(n) < SECOND_COMPLAINT, rng.integers(len(COMPLAINTS), size=n), -1)
    return {name: (first == k) | (second == k) for k, name in enumerate(COMPLAINTS)}


def draw_severity(patients: Patients, complaints: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(n,) around 0, skewed: few patients are very ill."""
    brought = sum(weight * complaints[name] for name, (_, weight) in COMPLAINTS.items())
    return brought + 0.25 * patients.frailty + 0.2 * patients.decades + rng.gamma(2.0, 0.55, len(patients.age)) - 1.2


def draw_vitals(
    patients: Patients, complaints: dict[str, np.ndarray], severity: np.ndarray, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Vital signs (n,) each at triage and at the end of the stay, by name; degrees Celsius, per minute, %, mmHg."""
    n = len(severity)
    decades, breathless, fever = patients.decades, complaints["shortness_of_breath"], complaints["fever_chills"]

    def noise(sd: float) -> np.ndarray:
        return sd * rng.standard_normal(n)

    def heavy(sd: float) -> np.ndarray:
        return sd * np.sqrt(3 / 5) * rng.standard_t(5, n)

    heat = noise(0.28) + 0.05 * severity + fever * rng.gamma(2.0, 0.3, n) - 0.05 * decades
    heart = heavy(11.5) + 4.5 * severity + 9.0 * heat - 3.0 * decades
    breaths = noise(0.8) + 0.85 * severity + 1.4 * breathless + 0.5 * heat
    lungs = patients.illnesses["Pulmonary"]
    shunt = np.exp(noise(0.5) + 0.3 * severity + 0.35 * breathless + 0.25 * lungs + 0.15 * decades)
    pressure = heavy(15.5) - 5.0 * severity + 4.0 * decades
    stiffness = noise(7.0) + 2.5 * decades  # of the arteries: sets the pressures apart
    triage = {
        "temperature": 36.65 + heat + noise(0.3),
        "heartrate": 84.5 + heart + heavy(12.0),
        "resprate": 16.9 + breaths + rng.gamma(0.8, 1.9, n) - 1.2,
        "o2sat": 100.3 - 1.42 * shunt * rng.gamma(2.2, 0.45, n),
        "sbp": 135.5 + pressure + stiffness + heavy(13.0),
        "dbp": 77.5 + 0.62 * pressure - 0.3 * stiffness + heavy(10.5),
    }
    last = {
        "temperature": 36.72 + 0.55 * heat + noise(0.24),
        "heartrate": 78.5 + 0.85 * heart + heavy(9.0),
        "resprate": 17.1 + 0.8 * breaths + noise(1.2),
        "o2sat": 100.1 - 1.25 * shunt**0.8 * rng.gamma(2.6, 0.4, n),
        "sbp": 128.0 + 0.85 * pressure + 0.9 * stiffness + heavy(11.0),
        "dbp": 73.5 + 0.55 * pressure - 0.3 * stiffness + heavy(9.0),
    }
    return _as_written(triage), _as_written(last)


def _as_written(vitals: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Whole numbers, temperatures in tenths of a degree Fahrenheit; within what a living patient shows."""
    fahrenheit = np.round(vitals["temperature"] * 1.8 + 32, 1)
    limits = {"heartrate": (25, 220), "resprate": (6, 60), "o2sat": (50, 100), "sbp": (50, 280), "dbp": (20, 180)}
    whole = {name: np.round(vitals[name]).clip(*ends) for name, ends in limits.items()}
    return {"temperature": (fahrenheit - 32) / 1.8} | whole


def draw_pain(patients: Patients, complaints: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(n,) 0 to 10: none, or rather much."""
    hurts = complaints["chest_pain"] | complaints["abdominal_pain"]
    some = rng.random(len(hurts)) < expit(0.55 + 1.2 * hurts - 0.45 * patients.decades)
    return some * np.round(10 * rng.beta(2.6 + 0.4 * hurts, 1.5, len(hurts))).clip(1, 10)


def draw_acuity(
    patients: Patients,
    complaints: dict[str, np.ndarray],
    severity: np.ndarray,
    triage: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """(n,) 1, at once, to 5, can wait: what the triage nurse makes of it."""
    urgency = (
        0.55 * severity
        + 0.45 * complaints["chest_pain"]
        + 0.25 * patients.decades
        + 0.15 * patients.frailty
        + 0.05 * np.clip(95 - triage["o2sat"], 0, 12)
        + 0.09 * np.clip(triage["resprate"] - 20, 0, 15)
        + 0.018 * np.clip(np.abs(triage["heartrate"] - 80) - 20, 0, 60)
        + 0.02 * np.clip(105 - triage["sbp"], 0, 40)
        + 0.8 * rng.standard_normal(len(severity))
    )
    return 1.0 + sum((urgency <= cut).astype(np.float64) for cut in ACUITY_CUTS)


def draw_outcomes(
    patients: Patients,
    severity: np.ndarray,
    acuity: np.ndarray,
    news: np.ndarray,
    cci: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """(n,) bool: hospitalization, critical, icu_transfer_12h. Critical is such a transfer, or death in hospital."""
    n = len(severity)
    urgent = 3.0 - acuity
    again = np.log1p(patients.n_hosp)
    odds = -1.0 + 1.15 * urgent + 0.3 * severity + 0.35 * patients.decades + 0.18 * news + 0.06 * cci + 0.35 * again
    hospital = rng.random(n) < expit(odds)
    to_icu = rng.random(n) < expit(-3.7 + 0.85 * urgent + 0.45 * severity + 0.2 * news + 0.25 * patients.n_icu)
    dies = rng.random(n) < expit(-5.7 + 0.5 * urgent + 0.5 * severity + 0.6 * patients.decades + 0.12 * cci)
    icu = hospital & to_icu
    return {"hospitalization": hospital, "critical": icu | (hospital & dies), "icu_transfer_12h": icu}
