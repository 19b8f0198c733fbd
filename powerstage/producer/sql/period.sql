-- One row: for each group of devices the hours of a period, and for each hour its slots.
SELECT moments, slots
FROM (
    SELECT list(hours ORDER BY moment_group) AS moments
    FROM (
        SELECT
            moment_group,
            list({
                'ordinal': ordinal,
                'share_first': share_first,
                'share_next': share_next,
                'day_first': day_first,
                'day_next': day_next,
                'keys': list_transform(
                    range(hour - $hour_terms + 1, hour + 2),
                    lambda number: mix64((number + $hour_salt)::UBIGINT)
                )
            } ORDER BY ordinal) AS hours
        FROM (VALUES $moments) AS moment(
            moment_group, ordinal, hour, share_first, share_next, day_first, day_next
        )
        GROUP BY moment_group
    )
), (
    SELECT list(hour_slots ORDER BY hour) AS slots
    FROM (
        SELECT
            -- By the middle of the interval, in half seconds.
            (2 * stamp + $seconds) // 7200 AS hour,
            list({
                'stamp': stamp,
                'start': to_timestamp(stamp),
                'end': to_timestamp(stamp + $seconds),
                'part': (2 * stamp + $seconds) % 7200 / 7200.0e0,
                'slot_key': mix64(stamp::UBIGINT),
                'measure': measure_number::UTINYINT,
                'measure_name': measure_name::$measure_enum,
                'unit_name': unit_name::$unit_enum
            } ORDER BY stamp, measure_name) AS hour_slots
        FROM
            (SELECT range AS stamp FROM range($first, $end, $seconds)),
            (VALUES $measures) AS measure(measure_number, measure_name, unit_name)
        GROUP BY hour
    )
)
