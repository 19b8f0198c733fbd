-- Runs of readings that say the same although load has moved, by how improbable that is, in nats.
INSERT INTO candidate
WITH compared AS (
    SELECT
        *,
        coalesce(
            lag(device) OVER () = device
            AND lag(slot) OVER () = slot - 1
            AND lag(power) OVER () = power,
            false
        ) AS is_same,
        load <> lag(load) OVER () AS is_moved
    FROM residual
), numbered AS (
    SELECT
        *,
        sum((NOT is_same)::INTEGER) OVER (ROWS UNBOUNDED PRECEDING) AS run,
        lead(is_same) OVER () AS goes_on
    FROM compared
), moved AS (
    SELECT
        *,
        -- By as much as load moved since the run began: a shifted sensor may repeat itself too.
        least(
            abs(power - expected),
            abs(expected - first_value(expected) OVER (PARTITION BY run ORDER BY slot))
        ) / deviation AS moved
    FROM numbered
    WHERE is_same OR goes_on
)
SELECT
    'value.stuck',
    2,
    device,
    min(slot),
    max(slot),
    sum(least($stuck_nats_max, greatest(
        0, moved * moved / 2 + ln(deviation * sqrt(2 * pi()))
    ))) FILTER (WHERE is_same AND is_moved) AS nats,
    MAP {
        'readings': count(*)::DOUBLE, 'watts': min(power),
        'load_min': min(load), 'load_max': max(load)
    }
FROM moved
GROUP BY device, run
HAVING nats >= $nats_min
