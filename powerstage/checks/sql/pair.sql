-- The load and the power of each interval of a device, wherever their rows stand; where one of them
-- is there twice, nothing is said. The position is that of the power.
SELECT
    "grid:position",
    any_value("grid:curve") AS "grid:curve",
    max(value) FILTER (WHERE "grid:measure" = $load) AS "pair:load",
    max(value) FILTER (WHERE "grid:measure" = $power) AS "pair:power"
FROM (
    SELECT
        CASE "grid:measure" WHEN $load THEN $distance ELSE 0 END + "grid:position"
            AS "grid:position",
        "grid:measure",
        "grid:curve",
        $value AS value
    FROM reading
    WHERE "grid:measure" IN ($load, $power) AND "grid:position" IS NOT NULL
)
GROUP BY "grid:position"
HAVING count(*) = 2 AND min("grid:measure") < max("grid:measure")
