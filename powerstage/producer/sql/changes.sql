-- The days at which a server goes, or the next one comes, from the table place.
SELECT DISTINCT day
FROM (
    SELECT unnest([turn, turn + vacant_days]) AS day
    FROM (
        SELECT
            vacant_days,
            unnest(range(
                $first_day - vacant_days + (-($first_day - vacant_days + phase)) % $service_days,
                $last_day + 1,
                $service_days
            )) AS turn
        FROM place
    )
)
WHERE day BETWEEN $first_day AND $last_day
ORDER BY day
