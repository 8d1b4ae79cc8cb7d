-- How each stay ended. The ICU counts up to 12 hours after the ED, and also if it came before the ED was left.
WITH first_icu AS (
    SELECT subject_id, hadm_id, min(intime) AS icu_intime
    FROM icustays
    GROUP BY subject_id, hadm_id
)
SELECT
    c.stay_id,
    c.hadm_id IS NOT NULL AS outcome_hospitalization,
    coalesce(i.icu_intime <= c.outtime + INTERVAL 12 HOUR, false) AS outcome_icu_transfer_12h,
    outcome_icu_transfer_12h OR coalesce(a.dischtime >= c.dod, false) AS outcome_critical
FROM cohort c
LEFT JOIN first_icu i ON i.subject_id = c.subject_id AND i.hadm_id = c.hadm_id
LEFT JOIN admissions a ON a.subject_id = c.subject_id AND a.hadm_id = c.hadm_id
