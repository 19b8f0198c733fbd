-- Every delivered row, with its dense position on the grid: device, measure, slot in the window.
-- A row that has no place there has no position.
SELECT
    *,
    (device_index * $measure_count + measure_index) * getvariable('slots') + slot AS position
FROM (
    SELECT
        delivered.*,
        device_index,
        CASE $measure $measures END AS measure_index,
        CASE WHEN isfinite($start)
            AND epoch_us($start) >= getvariable('window_start')
            AND epoch_us($start) < getvariable('window_end')
            AND epoch_us($start) % $interval_us = 0
        THEN (epoch_us($start) - getvariable('window_start')) // $interval_us END AS slot
    FROM delivered
    LEFT JOIN device ON $device = device
)
