-- Comorbidities from the diagnoses of admissions that ended before the stay and within five years of it.
-- Five years are 356 * 5 days in the public benchmark, whose cohort this is.
WITH codes AS (
    SELECT DISTINCT icd_version, icd_code FROM diagnoses_icd
),
named AS (
    SELECT DISTINCT c.icd_version, c.icd_code, p.name
    FROM codes c
    JOIN prefixes p ON p.icd = c.icd_version AND starts_with(c.icd_code, p.prefix)
),
history AS (
    SELECT DISTINCT d.subject_id, a.dischtime, n.name
    FROM diagnoses_icd d
    JOIN named n USING (icd_version, icd_code)
    JOIN admissions a USING (subject_id, hadm_id)
)
SELECT
    c.stay_id,
    {flags}
FROM cohort c
LEFT JOIN history h
    ON h.subject_id = c.subject_id
    AND h.dischtime < c.intime
    AND h.dischtime >= c.intime - INTERVAL (356 * 5) DAY
GROUP BY c.stay_id
