-- Power over utilisation of one device, as a line through its readings: the watts at no load,
-- watts per percent, and the middle of both.
SELECT
    regr_intercept(watts, load),
    regr_slope(watts, load),
    avg(load),
    avg(watts)
FROM (
    SELECT
        avg($value) FILTER (WHERE $measure = $utilisation) AS load,
        avg($value) FILTER (WHERE $measure = $power) AS watts
    FROM read_parquet($files)
    WHERE $device = $chosen
    GROUP BY $start
)
WHERE load IS NOT NULL AND watts IS NOT NULL
