-- The longest runs of readings that should be there: device, measure, first and last start.
WITH expected AS (
    SELECT
        "grid:name" AS device,
        measure,
        slot,
        ("grid:device" * $measure_count + measure_index) * getvariable('slots') + slot AS position
    FROM
        device,
        (VALUES $measures) AS measure(measure_index, measure),
        (SELECT unnest(range(getvariable('slots'))) AS slot)
), missing AS (
    SELECT
        device,
        measure,
        slot,
        slot - row_number() OVER (PARTITION BY device, measure ORDER BY slot) AS run
    FROM expected
    ANTI JOIN reading ON position = reading."grid:position"
)
SELECT
    device,
    measure,
    getvariable('window_start') + min(slot) * $interval_us AS first_us,
    getvariable('window_start') + max(slot) * $interval_us AS last_us,
    count(*) AS missing
FROM missing
GROUP BY device, measure, run
ORDER BY missing DESC, device, measure, first_us
LIMIT 5
