-- Periods in which all readings of a device say what they said in an earlier period.
WITH repeated AS (
    SELECT
        device, measure, slot, value,
        value = lag(value) OVER (PARTITION BY device, measure ORDER BY slot) AS is_same
    FROM reading
), chance AS (
    -- How improbable it is that a reading says the same as another, by how often the next one does.
    SELECT
        device, measure,
        -ln((count(*) FILTER (WHERE is_same) + 1) / (count(*) + 1)) AS nats
    FROM repeated
    GROUP BY device, measure
), period AS (
    SELECT
        device,
        slot // $period_slots AS period,
        count(*) AS readings,
        sum(nats) AS nats,
        list(value ORDER BY measure, slot) AS all_values,
        list(slot % $period_slots ORDER BY measure, slot) AS places
    FROM reading JOIN chance USING (device, measure)
    GROUP BY device, period
), paired AS (
    SELECT
        *,
        lag(period) OVER (PARTITION BY device, all_values, places ORDER BY period) AS earlier
    FROM period
)
SELECT
    'value.replayed', device, period * $period_slots, (period + 1) * $period_slots - 1,
    MAP {'readings': readings::DOUBLE, 'periods_before': (period - earlier)::DOUBLE}
FROM paired
WHERE earlier IS NOT NULL AND nats >= $nats_min
ORDER BY device, period
LIMIT $findings_max
