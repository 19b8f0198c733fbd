-- residual
-- What power is expected of a device at each load, and how far from that it usually is.
-- Readings are parted by load. In each part a line is laid through its own and those beside it,
-- once what is far from the medians of larger blocks was brought nearer: a fault does not bend it.
-- What follows needs the order.
CREATE OR REPLACE TEMP TABLE residual AS
WITH known AS (
    SELECT
        device,
        count(*) AS readings,
        min(slot) AS slot_first,
        quantile_cont(load, 0.02) AS load_min,
        quantile_cont(load, 0.98) AS load_max
    FROM paired
    GROUP BY device
    HAVING readings >= $readings_min
), parted AS (
    SELECT
        device,
        slot,
        load,
        power,
        ntile(least($parts_max, readings // $part_readings)) OVER by_load AS part,
        ntile(least($blocks_max, readings // $part_readings)) OVER by_load AS block
    FROM paired JOIN known USING (device)
    WINDOW by_load AS (PARTITION BY device ORDER BY load, slot)
), middle AS (
    SELECT device, block, median(load) AS load, median(power) AS power
    FROM parted
    GROUP BY device, block
), line AS (
    SELECT
        device,
        block,
        load AS load_middle,
        power AS power_middle,
        coalesce(
            (lead(power, 1, power) OVER line - lag(power, 1, power) OVER line)
            / nullif(lead(load, 1, load) OVER line - lag(load, 1, load) OVER line, 0),
            0
        ) AS slope
    FROM middle
    WINDOW line AS (PARTITION BY device ORDER BY block)
), rough AS (
    SELECT
        device,
        part,
        load,
        power,
        power_middle + (load - load_middle) * slope AS rough
    FROM parted JOIN line USING (device, block)
), bound AS (
    SELECT
        device,
        -- Half of a normal distribution is within 0.6745 deviations.
        4 / 1.349 * (
            quantile_cont(power - rough, 0.75) - quantile_cont(power - rough, 0.25)
        ) AS off_max
    FROM rough
    GROUP BY device
), part_sum AS (
    SELECT
        device,
        part,
        count(*) AS readings,
        sum(load) AS loads,
        sum(load * load) AS load_squares,
        sum(bounded) AS powers,
        sum(load * bounded) AS products
    FROM (
        SELECT
            device,
            part,
            load,
            greatest(rough - off_max, least(rough + off_max, power)) AS bounded
        FROM rough JOIN bound USING (device)
    )
    GROUP BY device, part
), near_line AS (
    -- Where load is as good as one value, there is no slope.
    SELECT
        device,
        part,
        sum(readings) OVER near AS readings_near,
        sum(loads) OVER near / readings_near AS load_mean,
        sum(powers) OVER near / readings_near AS power_mean,
        sum(load_squares) OVER near / readings_near - load_mean * load_mean AS load_variance,
        sum(products) OVER near / readings_near - load_mean * power_mean AS covariance
    FROM part_sum
    WINDOW near AS (PARTITION BY device ORDER BY part ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)
), fitted AS (
    SELECT
        device,
        slot,
        load,
        power,
        power_mean + (load - load_mean)
            * CASE WHEN load_variance > 1e-6 THEN covariance / load_variance ELSE 0 END AS expected
    FROM parted JOIN near_line USING (device, part)
), spread AS (
    SELECT
        device,
        -- Nine tenths of a normal distribution are within 1.645 deviations.
        greatest($deviation_min, (
            quantile_cont(power - expected, 0.95) - quantile_cont(power - expected, 0.05)
        ) / 3.29) AS deviation,
        avg((power % $step = 0)::INTEGER) AS round_share
    FROM fitted
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
    -- Outside the loads that the device had, nothing is expected.
    load BETWEEN load_min AND load_max AS is_known
FROM fitted JOIN spread USING (device) JOIN known USING (device)
ORDER BY device, slot
