-- The longest runs of readings that should be there: no file, no row, and what is missing.
-- Stamps are shown in UTC, whatever the session says.
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
    '',
    0,
    MAP {
        'device': device,
        'measure': measure,
        'from': strftime(
            make_timestamp(getvariable('window_start') + min(slot) * $interval_us),
            '%Y-%m-%dT%H:%M:%SZ'
        ),
        'to': strftime(
            make_timestamp(getvariable('window_start') + max(slot) * $interval_us),
            '%Y-%m-%dT%H:%M:%SZ'
        ),
        'missing': count(*)::VARCHAR
    }
FROM missing
GROUP BY device, measure, run
ORDER BY count(*) DESC, device, measure, min(slot)
LIMIT $samples_max
