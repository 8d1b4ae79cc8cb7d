-- The last recorded value of each vital sign of a stay.
SELECT
    stay_id,
    celsius(latest(charttime, temperature)) AS ed_temperature_last,
    latest(charttime, heartrate) AS ed_heartrate_last,
    latest(charttime, resprate) AS ed_resprate_last,
    latest(charttime, o2sat) AS ed_o2sat_last,
    latest(charttime, sbp) AS ed_sbp_last,
    latest(charttime, dbp) AS ed_dbp_last
FROM vitalsign
SEMI JOIN cohort USING (stay_id)
GROUP BY stay_id
