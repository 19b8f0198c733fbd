-- Keys whose rows differ in another column, with what they say there.
SELECT $columns, min($file) AS $file, map_concat($shown) AS "at:shown"
FROM $source
SEMI JOIN ($doubled) AS doubled USING ($columns)
GROUP BY $columns
HAVING count(DISTINCT ($others)) > 1
