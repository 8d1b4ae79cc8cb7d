-- How often the patient was there in the 365 days before; all stays count, also those outside the cohort.
WITH visits AS (
    SELECT subject_id, intime AS time, 'ed' AS kind FROM edstays
    UNION ALL
    SELECT subject_id, admittime, 'hosp' FROM admissions
    UNION ALL
    SELECT subject_id, intime, 'icu' FROM icustays
)
SELECT
    c.stay_id,
    count(*) FILTER (WHERE v.kind = 'ed') AS n_ed_365d,
    count(*) FILTER (WHERE v.kind = 'hosp') AS n_hosp_365d,
    count(*) FILTER (WHERE v.kind = 'icu') AS n_icu_365d
FROM cohort c
LEFT JOIN visits v
    ON v.subject_id = c.subject_id AND v.time < c.intime AND v.time >= c.intime - INTERVAL 365 DAY
GROUP BY c.stay_id
