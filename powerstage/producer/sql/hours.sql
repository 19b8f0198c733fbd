-- For each device and hour of a period: the load at its start and at its end.
SELECT
    *,
    least($load_max, greatest($load_min,
        base + amplitude * hour.share_first * (1 + $day_deviation * day[hour.day_first])
        + amplitude * $hour_deviation * ($drift_first))) AS load_first,
    least($load_max, greatest($load_min,
        base + amplitude * hour.share_next * (1 + $day_deviation * day[hour.day_next])
        + amplitude * $hour_deviation * ($drift_next))) AS load_next
FROM (
    SELECT *, $draws
    FROM (SELECT *, unnest(moments[moment_group]) AS hour FROM device, period, watt $positions)
)
