-- Periods in which all readings of a device say what they said in an earlier period.
INSERT INTO replayed
WITH suspect AS (
    FROM reading SEMI JOIN repeated USING (device)
), compared AS (
    SELECT
        device, measure,
        value = lag(value) OVER (PARTITION BY device, measure ORDER BY slot) AS is_same
    FROM suspect
), chance AS (
    -- How improbable it is that a reading says the same as another, by how often the next one does.
    SELECT
        device, measure,
        -ln((count(*) FILTER (WHERE is_same) + 1) / (count(*) + 1)) AS nats
    FROM compared
    GROUP BY device, measure
), period AS (
    SELECT
        device,
        slot // $period_slots AS period,
        count(*) AS readings,
        sum(nats) AS nats,
        list(value ORDER BY measure, slot) AS all_values,
        list(slot % $period_slots ORDER BY measure, slot) AS places
    FROM suspect JOIN chance USING (device, measure)
    WHERE (device, slot // $period_slots) IN (SELECT (device, period) FROM repeated)
    GROUP BY device, period
), paired AS (
    SELECT
        *,
        lag(period) OVER (PARTITION BY device, all_values, places ORDER BY period) AS earlier
    FROM period
)
SELECT
    'value.replayed', name, period * $period_slots, (period + 1) * $period_slots - 1,
    MAP {'readings': readings::DOUBLE, 'periods_before': (period - earlier)::DOUBLE}
FROM paired JOIN device ON number = paired.device
WHERE earlier IS NOT NULL AND nats >= $nats_min
