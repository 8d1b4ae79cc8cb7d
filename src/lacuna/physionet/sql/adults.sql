-- ED stays of people who were at least 18 then.
SELECT s.*, year(s.intime) - p.anchor_year + p.anchor_age AS age, p.dod
FROM edstays s
JOIN patients p USING (subject_id)
WHERE year(s.intime) - p.anchor_year + p.anchor_age >= 18
