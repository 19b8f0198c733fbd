-- What each device had of each measure in each hour, of one file.
SELECT
    device,
    measure,
    to_timestamp(start_us // 3600000000 * 3600) AS hour,
    count(*) AS readings,
    avg(value) AS value_mean,
    min(value) AS value_min,
    max(value) AS value_max,
    CASE WHEN measure = $power THEN
        TRY_CAST(sum(TRY_CAST(value * $kwh AS DECIMAL(18, 6))) AS DECIMAL(18, 6))
    END AS energy_kwh
FROM (
    SELECT $device AS device, $measure AS measure, $start_us AS start_us, $value::DOUBLE AS value
    FROM ($readings)
)
-- A file of an earlier contract may name them otherwise.
WHERE isfinite(value) AND device IS NOT NULL AND start_us IS NOT NULL
GROUP BY device, measure, hour
ORDER BY measure, device, hour
