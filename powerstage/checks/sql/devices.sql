-- The devices of the inventory by their names: numbers from 0, what is said of each, where the curve
-- of its model begins. Names with a colon are ours.
SELECT
    *,
    row_number() OVER (ORDER BY "grid:name") - 1 AS "grid:device",
    ($curve)::INTEGER AS "grid:curve"
FROM (
    SELECT $device AS "grid:name" $listed
    FROM inventory
    WHERE $device IS NOT NULL
    GROUP BY $device
)
