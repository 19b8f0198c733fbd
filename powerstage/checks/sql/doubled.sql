-- Some keys that stand twice: the place of the first row, and where up to four others are.
SELECT
    places[1].file,
    places[1].row,
    map_concat("at:shown", MAP {'also at': left(array_to_string([
        CASE place.file WHEN places[1].file THEN 'row ' ELSE place.file || ':' END || place.row
        FOR place IN places[2:]
    ], ', '), $text_characters_max)})
FROM (
    SELECT
        $columns,
        $shown AS "at:shown",
        min({'file': $file, 'row': $row}, $samples_max) AS places
    FROM $source
    SEMI JOIN (SELECT $columns $doubled ORDER BY $columns LIMIT $samples_max) AS doubled
        USING ($columns)
    GROUP BY $columns
)
ORDER BY $columns
LIMIT $samples_max
