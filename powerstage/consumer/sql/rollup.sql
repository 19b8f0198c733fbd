-- What each device had of each measure in each hour, of one file. Energy is by each reading's own
-- unit and interval: under another contract they may have been others.
SELECT
    device,
    measure,
    to_timestamp(start_us // 3600000000 * 3600) AS hour,
    count(*) AS readings,
    avg(value) AS value_mean,
    min(value) AS value_min,
    max(value) AS value_max,
    CASE WHEN measure = $power THEN
        TRY_CAST(
            sum(TRY_CAST(value * watts * (end_us - start_us) / 3600000000000e0 AS DECIMAL(18, 6)))
            AS DECIMAL(18, 6)
        )
    END AS energy_kwh
FROM (
    SELECT
        $device AS device,
        $measure AS measure,
        $start_us AS start_us,
        $end_us AS end_us,
        $value::DOUBLE AS value,
        CASE $unit $watts END AS watts
    FROM ($readings)
)
-- A file of an earlier contract may name them otherwise.
WHERE isfinite(value) AND device IS NOT NULL AND start_us IS NOT NULL
GROUP BY device, measure, hour
ORDER BY measure, device, hour
