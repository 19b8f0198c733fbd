-- Some readings of power that do not go with the load: with their places.
SELECT
    $file,
    $row,
    $shown
FROM reading
JOIN (
    SELECT "grid:position", "pair:load"
    FROM ($pairs)
    WHERE $is_off
    ORDER BY "grid:position"
    LIMIT $samples_max
) USING ("grid:position")
ORDER BY "grid:position"
