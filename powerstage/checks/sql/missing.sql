-- The longest runs of readings that should be there: no file, no row, and what is missing.
-- They are the gaps between readings, not readings that are made up: a grid may be far larger
-- than what was delivered. Stamps are shown in UTC, whatever the session says.
WITH pair AS (
    SELECT
        "grid:device" * $measure_count + measure_index AS pair,
        "grid:name" AS device,
        measure
    FROM
        device,
        (VALUES $measures) AS measure(measure_index, measure)
), edge AS (
    SELECT
        "grid:position" // getvariable('slots') AS pair,
        "grid:position" % getvariable('slots') AS slot
    FROM reading
    WHERE "grid:position" IS NOT NULL
    UNION ALL
    SELECT pair, getvariable('slots') FROM pair
), gap AS (
    SELECT
        pair,
        lag(slot, 1, -1) OVER (PARTITION BY pair ORDER BY slot) + 1 AS first,
        slot AS past
    FROM edge
    QUALIFY past > first
)
SELECT
    '',
    0,
    MAP {
        'device': device,
        'measure': measure,
        'from': strftime(
            make_timestamp(getvariable('window_start') + first * $interval_us),
            '%Y-%m-%dT%H:%M:%SZ'
        ),
        'to': strftime(
            make_timestamp(getvariable('window_start') + (past - 1) * $interval_us),
            '%Y-%m-%dT%H:%M:%SZ'
        ),
        'missing': (past - first)::VARCHAR
    }
FROM gap
JOIN pair USING (pair)
ORDER BY past - first DESC, device, measure, first
LIMIT $samples_max
