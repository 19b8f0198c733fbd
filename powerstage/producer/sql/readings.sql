-- The readings of one period in the order of device, time and measure: from the tables device
-- (in that order), period and watt (a row each), by nothing that depends on threads.
SELECT $columns
FROM (
    SELECT *, CASE slot.measure $values END AS reading_value
    FROM (
        SELECT
            *,
            -- Per mille of full load.
            (smooth * ($reading_least + $reading_step * bit_count((noise >> 32)::BIGINT)))::INTEGER
                AS load
        FROM (
            SELECT
                *,
                -- A straight line from each full hour to the next: the mean of an interval is
                -- what it has in its middle.
                load_first + load_change * slot.part AS smooth,
                mix64(xor(device_key, slot.slot_key)) AS noise
            FROM (
                SELECT *, load_next - load_first AS load_change, unnest(slots[hour.ordinal]) AS slot
                FROM ($hours)
            )
        )
    )
)
