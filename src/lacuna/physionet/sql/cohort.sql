-- Of those, the stays with a triage acuity; each with what was said and measured at triage.
SELECT
    a.*,
    celsius(t.temperature) AS triage_temperature,
    t.heartrate AS triage_heartrate,
    t.resprate AS triage_resprate,
    t.o2sat AS triage_o2sat,
    t.sbp AS triage_sbp,
    t.dbp AS triage_dbp,
    pain_points(t.pain) AS triage_pain,
    t.acuity AS triage_acuity,
    says(t.chiefcomplaint, 'chest pain') AS chiefcom_chest_pain,
    says(t.chiefcomplaint, 'breath') AS chiefcom_shortness_of_breath,
    says(t.chiefcomplaint, 'abdominal pain|abd pain') AS chiefcom_abdominal_pain,
    says(t.chiefcomplaint, 'fever|chill') AS chiefcom_fever_chills
FROM adults a
JOIN triage t USING (stay_id)
WHERE t.acuity IS NOT NULL
