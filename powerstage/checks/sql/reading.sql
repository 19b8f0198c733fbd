-- Every delivered row, with what the inventory says of its device, and with its dense position on the
-- grid: device, measure, slot in the window. A reading may start up to the jitter after its slot
-- does. A row that has no place there has no position. Names with a colon are ours: no contract's
-- column has one.
SELECT
    *,
    ("grid:device" * $measure_count + "grid:measure") * getvariable('slots') + "grid:slot"
        AS "grid:position"
FROM (
    SELECT
        *,
        CASE WHEN "grid:start_us" >= getvariable('window_start')
            AND "grid:start_us" < getvariable('window_end')
            AND $is_in_time
        THEN ("grid:start_us" - getvariable('window_start')) // $interval_us
        END AS "grid:slot"
    FROM (
        SELECT
            delivered.*,
            device.* EXCLUDE ("grid:name"),
            CASE delivered.$measure $measures END AS "grid:measure",
            $start_us AS "grid:start_us"
        FROM $delivered AS delivered
        LEFT JOIN device ON delivered.$device = device."grid:name"
    )
)
