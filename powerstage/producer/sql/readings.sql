-- The readings of one period, from the table device: no state, no clock, no order of work.
WITH slot AS (
    SELECT
        range AS stamp,
        mix64(range::UBIGINT) AS slot_key,
        range // 3600 AS hour,
        (range % 3600) / 3600.0::DOUBLE AS part
    FROM range($first, $end, $seconds)
), local AS (
    SELECT stamp, zone, timezone(zone, to_timestamp(stamp)) AS clock
    FROM slot, (SELECT DISTINCT zone FROM device)
), shape AS (
    SELECT
        stamp,
        zone,
        (
            $shape[hour(clock) + 1] * (60 - minute(clock))
            + $shape[(hour(clock) + 1) % 24 + 1] * minute(clock)
        ) / 60.0::DOUBLE * CASE WHEN isodow(clock) > 5 THEN $weekend ELSE 1 END AS share
    FROM local
), used AS (
    -- Noise that lasts an hour runs in a line from each full hour to the next.
    SELECT
        device.*,
        slot.stamp,
        mix64(xor(device_key, slot_key)) AS noise,
        least(1.0, greatest(0.005, base + amplitude * share
            + 0.05 * (gau(mix64(xor(device_key, mix64(hour::UBIGINT)))) * (1 - part)
                + gau(mix64(xor(device_key, mix64((hour + 1)::UBIGINT)))) * part)
            + 0.03 * gau(mix64(xor(device_key, mix64((hour // 24)::UBIGINT))))
            + 0.02 * gau(mix64(xor(device_key, slot_key))))) AS load
    FROM device, slot
    JOIN shape USING (stamp)
    WHERE shape.zone = device.zone
), reading AS (
    SELECT *, CASE measure_number $values END AS reading_value
    FROM used, (VALUES $measures) AS measure(measure_number, measure_name, unit_name)
)
SELECT $columns
FROM reading
ORDER BY $key
