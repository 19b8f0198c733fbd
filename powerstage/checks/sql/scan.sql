-- One row: failed and total of each check. Where no row may break a rule, none is looked at again;
-- else of those few alone is it counted which they break.
SELECT $counts
FROM
    (SELECT $broken FROM $source WHERE getvariable('suspects') > 0 AND ($is_suspect)) AS broken,
    whole
