-- One row for each stay of the cohort, as recorded: still to be cleaned, filled and scored.
SELECT * EXCLUDE (intime, outtime, dod)
FROM cohort
JOIN outcomes USING (stay_id)
JOIN utilisation USING (stay_id)
JOIN comorbidities USING (stay_id)
LEFT JOIN last_vitals USING (stay_id)
