-- How far each reading of power is from the device's own line over load, in its usual deviations.
-- The line: medians of power in parts of the load that the device had, straight in between.
CREATE OR REPLACE TEMP TABLE residual AS
WITH paired AS (
    SELECT
        device,
        slot,
        max(value) FILTER (WHERE measure = $load) AS load,
        max(value) FILTER (WHERE measure = $power) * $watts AS power
    FROM reading
    GROUP BY device, slot
    HAVING isfinite(load) AND isfinite(power)
), known AS (
    SELECT
        *,
        count(*) OVER history AS readings,
        greatest($near_min, least($near_max, readings // 12)) AS readings_near,
        quantile_cont(load, 0.02) OVER history AS load_min,
        quantile_cont(load, 0.98) OVER history AS load_max
    FROM paired
    WINDOW history AS (PARTITION BY device)
), parted AS (
    SELECT
        *,
        ntile(least($parts_max, readings // $part_readings)) OVER (
            PARTITION BY device ORDER BY load, slot
        ) AS part
    FROM known
    WHERE readings >= $readings_min
), knot AS (
    SELECT device, part, median(load) AS load, median(power) AS power
    FROM parted
    GROUP BY device, part
), line AS (
    SELECT device, list(load ORDER BY part) AS loads, list(power ORDER BY part) AS powers
    FROM knot
    GROUP BY device
), placed AS (
    SELECT
        *,
        greatest(1, least(
            len(loads) - 1, len(list_filter(loads, lambda knot: knot <= load))
        )) AS place
    FROM parted JOIN line USING (device)
), rough AS (
    SELECT
        *,
        load BETWEEN load_min AND load_max AS is_known,
        powers[place] + coalesce(
            (load - loads[place]) * (powers[place + 1] - powers[place])
            / nullif(loads[place + 1] - loads[place], 0),
            0
        ) AS rough
    FROM placed
), bounded AS (
    SELECT
        *,
        1.4826 * mad(power - rough) OVER (PARTITION BY device) AS rough_deviation,
        greatest(rough - 4 * rough_deviation, least(rough + 4 * rough_deviation, power)) AS bounded
    FROM rough
), fitted AS (
    SELECT
        *,
        avg(bounded) OVER near + coalesce(
            (load - avg(load) OVER near) * covar_pop(bounded, load) OVER near
            / nullif(var_pop(load) OVER near, 0),
            0
        ) AS expected
    FROM bounded
    WINDOW near AS (
        PARTITION BY device ORDER BY load, slot
        ROWS BETWEEN readings_near PRECEDING AND readings_near FOLLOWING
    )
), limits AS (
    SELECT
        device,
        quantile_cont(power - expected, 0.05) AS off_low,
        quantile_cont(power - expected, 0.95) AS off_high
    FROM fitted
    GROUP BY device
), spread AS (
    SELECT
        device,
        min(slot) AS slot_first,
        -- Without what is beyond a twentieth on both sides, a normal deviation is 0.912 of itself.
        greatest($deviation_min, sqrt(avg(
            greatest(off_low, least(off_high, power - expected)) ** 2
        )) / 0.912) AS deviation,
        avg((power % $step = 0)::INTEGER) AS round_share
    FROM fitted JOIN limits USING (device)
    GROUP BY device
)
SELECT
    device,
    slot,
    slot - slot_first AS age,
    load,
    power,
    expected,
    deviation,
    round_share,
    load IS DISTINCT FROM lag(load) OVER series AS is_moved,
    power IS DISTINCT FROM lag(power) OVER series
        OR slot - lag(slot) OVER series > 1 AS is_other_power,
    -- One spike makes no jump. Outside the loads that the device had, nothing is expected; and a
    -- reading that says the same as the last in both measures is no evidence of anything.
    CASE WHEN is_known AND (
        load IS DISTINCT FROM lag(load) OVER series OR power IS DISTINCT FROM lag(power) OVER series
    ) THEN greatest(-$off_max, least($off_max, (power - expected) / deviation)) END AS off
FROM fitted JOIN spread USING (device)
WINDOW series AS (PARTITION BY device ORDER BY slot)
