-- Every reading with the one that stands $apart rows before it. In files that are sorted by device and
-- time these two are an interval's load and power, one way or the other, if they are of one at all.
SELECT
    "grid:device",
    "grid:measure",
    "grid:curve",
    "grid:position",
    "pair:here",
    CASE "pair:here" WHEN $power THEN before WHEN $load THEN value END AS "pair:load",
    CASE "pair:here" WHEN $power THEN value WHEN $load THEN before END AS "pair:power"
FROM (
    SELECT
        *,
        CASE
            WHEN "grid:measure" = $power AND before_position = "grid:position" - $distance THEN $power
            WHEN "grid:measure" = $load AND before_position = "grid:position" + $distance THEN $load
        END AS "pair:here"
    FROM (
        SELECT
            "grid:device",
            "grid:measure",
            "grid:curve",
            "grid:position",
            $value AS value,
            lag("grid:position", $apart) OVER () AS before_position,
            lag($value, $apart) OVER () AS before
        FROM reading
    )
)
