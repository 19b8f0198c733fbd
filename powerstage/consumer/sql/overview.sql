CREATE TEMP VIEW hourly AS $hourly;
CREATE TEMP TABLE listed AS $listed;
-- Every step of every period, and the inventory that says which devices it has.
CREATE TEMP TABLE step AS
SELECT period_s + number * $step_s AS start_s, inventory
FROM (VALUES $periods) AS period (period_s, inventory), range($steps) AS counted (number);
CREATE TEMP VIEW due AS
SELECT device, coalesce(site, '') AS site, start_s
FROM step JOIN listed USING (inventory)
WHERE (served_from IS NULL OR epoch(served_from) <= start_s)
    AND (served_until IS NULL OR start_s < epoch(served_until));
CREATE TEMP VIEW seen AS
SELECT
    device,
    coalesce(site, '') AS site,
    epoch(hour)::BIGINT AS start_s,
    measure = $power AS is_power,
    measure = $load AS is_load,
    readings,
    value_mean * readings AS value_sum,
    energy_kwh
FROM hourly;
-- Energy is counted in milliwatt-hours.
CREATE TEMP TABLE bucket_use AS
SELECT
    site,
    start,
    coalesce(energy, 0) AS energy,
    coalesce(readings, 0) AS readings,
    coalesce(power_readings, 0) AS power_readings,
    coalesce(expected, 0) AS expected
FROM (
    SELECT
        site,
        (start_s - $origin_s) // $bucket_s * $bucket_s + $origin_s AS start,
        count(*) * $step_readings AS expected
    FROM due
    GROUP BY ALL
) FULL JOIN (
    SELECT
        site,
        (start_s - $origin_s) // $bucket_s * $bucket_s + $origin_s AS start,
        (sum(energy_kwh) * 1000000)::BIGINT AS energy,
        sum(readings)::BIGINT AS readings,
        coalesce(sum(readings) FILTER (is_power), 0)::BIGINT AS power_readings
    FROM seen
    GROUP BY ALL
) USING (site, start);
CREATE TEMP TABLE device_use AS
SELECT *, coalesce(load < $idle_load_max AND power > 0, false) AS is_idle
FROM (
    SELECT
        device,
        coalesce(seen.site, expected.site) AS site,
        coalesce(energy, 0) AS energy,
        coalesce(readings, 0) AS readings,
        coalesce(expected, 0) AS expected,
        power,
        load
    FROM (
        SELECT
            device,
            arg_max(site, start_s) AS site,
            count(*) * $step_readings * $measures AS expected
        FROM due
        GROUP BY device
    ) AS expected FULL JOIN (
        SELECT
            device,
            arg_max(site, start_s) AS site,
            (sum(energy_kwh) * 1000000)::BIGINT AS energy,
            sum(readings)::BIGINT AS readings,
            (sum(value_sum) FILTER (is_power) / sum(readings) FILTER (is_power)) * $watts AS power,
            sum(value_sum) FILTER (is_load) / sum(readings) FILTER (is_load) AS load
        FROM seen
        GROUP BY device
    ) AS seen USING (device)
);
CREATE TEMP TABLE alike AS
SELECT count(DISTINCT readings / expected) < 2 AS is_alike FROM device_use WHERE expected > 0;
CREATE TEMP TABLE worst AS
FROM device_use
WHERE readings < expected
ORDER BY readings / expected, NOT list_contains([$lacking]::VARCHAR[], device), device
LIMIT CASE WHEN (SELECT is_alike FROM alike) THEN 1 ELSE $worst END;
CREATE TEMP TABLE hole AS
SELECT device, start, coalesce(readings, 0) AS readings, expected
FROM (
    SELECT
        device,
        (start_s - $origin_s) // $worst_bucket_s * $worst_bucket_s + $origin_s AS start,
        count(*) * $step_readings * $measures AS expected
    FROM due SEMI JOIN worst USING (device)
    GROUP BY ALL
) LEFT JOIN (
    SELECT
        device,
        (start_s - $origin_s) // $worst_bucket_s * $worst_bucket_s + $origin_s AS start,
        sum(readings)::BIGINT AS readings
    FROM seen SEMI JOIN worst USING (device)
    GROUP BY ALL
) USING (device, start)
WHERE coalesce(readings, 0) < expected;
CREATE TEMP VIEW point AS
SELECT site, load, power, 1 AS devices, is_idle, device
FROM device_use
WHERE load IS NOT NULL AND power > 0 AND (SELECT count(*) FROM device_use) <= $points_max
UNION ALL
SELECT site, avg(load), avg(power), count(*), is_idle, ''
FROM device_use
WHERE load IS NOT NULL AND power > 0 AND (SELECT count(*) FROM device_use) > $points_max
GROUP BY site, is_idle, floor(load / 2), floor(log10(power) * 20);
SELECT
    (SELECT list(use) FROM (FROM bucket_use ORDER BY site, start) AS use),
    (
        SELECT list(use) FROM (
            SELECT
                site,
                -- Of a site that was left, there is energy and no device.
                count(device) AS devices,
                count(*) FILTER (is_idle) AS idle_devices,
                coalesce(sum(energy) FILTER (is_idle), 0) AS idle_energy
            FROM (SELECT DISTINCT site FROM bucket_use) LEFT JOIN device_use USING (site)
            GROUP BY site
            ORDER BY site
        ) AS use
    ),
    (SELECT list(use) FROM (FROM device_use WHERE energy > 0 ORDER BY energy DESC, device LIMIT $top) AS use),
    (SELECT list(point) FROM (FROM point ORDER BY ALL) AS point),
    (SELECT list(worst) FROM (FROM worst ORDER BY readings / expected, NOT list_contains([$lacking]::VARCHAR[], device), device) AS worst),
    (SELECT list(hole) FROM (FROM hole ORDER BY device, start) AS hole),
    (
        SELECT list(device) FROM (
            SELECT device FROM device_use
            WHERE readings = 0 AND (SELECT sum(readings) FROM device_use) > 0
            ORDER BY device
            LIMIT $names_max
        )
    ),
    (
        SELECT list(device) FROM (
            SELECT device FROM device_use
            WHERE expected = 0 AND EXISTS (FROM listed)
            ORDER BY device
            LIMIT $names_max
        )
    ),
    (SELECT is_alike FROM alike)
