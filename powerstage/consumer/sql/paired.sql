-- What each device had of load and power, in W, in each interval; no meter is as exact as FLOAT.
CREATE OR REPLACE TEMP TABLE paired AS
SELECT
    device,
    slot,
    max(value) FILTER (WHERE measure = $load)::FLOAT AS load,
    (max(value) FILTER (WHERE measure = $power) * $watts)::FLOAT AS power
FROM reading
GROUP BY device, slot
HAVING isfinite(load) AND isfinite(power);
CREATE OR REPLACE TEMP TABLE candidate (
    id VARCHAR,
    rank INTEGER,
    device INTEGER,
    slot_first BIGINT,
    slot_last BIGINT,
    score DOUBLE,
    numbers MAP(VARCHAR, DOUBLE)
)
