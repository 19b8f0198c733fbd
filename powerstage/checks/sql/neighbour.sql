-- Every row of a half of the files with what stands $apart rows before it: in files that are sorted by their key, where that is
-- of the same device and interval, these two are its load and its power. Below any join, where DuckDB
-- streams.
SELECT
    *,
    lag($device, $apart) OVER () AS "before:device",
    lag($stamp, $apart) OVER () AS "before:stamp",
    lag($measure = $first, $apart) OVER () AS "before:is_first",
    lag($value, $apart) OVER () AS "before:value"
FROM delivered
WHERE $half
