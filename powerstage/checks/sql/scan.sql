-- One row: failed and total of each check. Rows that break a rule are few: of those alone is it
-- counted which they break.
SELECT $counts
FROM
    (SELECT $broken FROM $source WHERE $any) AS broken,
    (SELECT $sums FROM $whole) AS whole
