-- Every reading with the one that stands $apart rows before it: in files that are sorted by their key,
-- where that is of the same device and interval, these two are its load and its power.
SELECT
    "grid:measure",
    "grid:curve",
    "grid:position",
    $value AS value,
    lag("grid:position", $apart) OVER () AS before_position,
    lag($value, $apart) OVER () AS before
FROM reading
