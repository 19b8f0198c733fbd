-- What each device had of load and power, in W, in each interval; no meter is as exact as FLOAT.
CREATE OR REPLACE TEMP TABLE paired AS
SELECT
    device,
    slot,
    max(value) FILTER (WHERE measure = $load)::FLOAT AS load,
    (max(value) FILTER (WHERE measure = $power) * $watts)::FLOAT AS power
FROM reading
GROUP BY device, slot
HAVING isfinite(load) AND isfinite(power)
