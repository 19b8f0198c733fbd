-- Pairs of load and power, with the watts that the curve has at that load: between two of its points
-- a straight line. What is out of its measure's range is for another check to tell.
SELECT *, abs("pair:power" * $unit_watts - "pair:watts")
    > "pair:watts" * $tolerance_ratio + "pair:point".tolerance AS "pair:is_off"
FROM (
    SELECT
        *,
        CASE WHEN "pair:power" BETWEEN $power_min AND $power_max
            THEN "pair:point".watts + "pair:point".rise * "pair:load"
        END AS "pair:watts"
    FROM (
        SELECT
            *,
            CASE WHEN "pair:load" BETWEEN $load_min AND $load_max
                THEN getvariable('curve')["grid:curve" + floor("pair:load" / 10)::INTEGER]
            END AS "pair:point"
        FROM ($pairs)
    )
)
