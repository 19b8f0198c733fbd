-- candidate
-- Windows of a device's readings that are not as its history has them. A kind scores by how much
-- of the squared deviations it explains (rank 3), or how improbable its readings are, in nats.
-- A window is so many readings; its sums are what sums so far have gained since it began.
INSERT INTO candidate
WITH reading AS (
    SELECT
        *,
        -- One spike makes no jump; and a reading that says the same as the last in both measures
        -- is no evidence of anything.
        CASE WHEN is_known AND NOT coalesce(
            lag(device) OVER () = device
            AND lag(load) OVER () = load
            AND lag(power) OVER () = power,
            false
        ) THEN greatest(-$off_max, least($off_max, (power - expected) / deviation)) END AS off,
        -- How improbable a power is that is a multiple of the step, by the line; at most so much.
        CASE WHEN power % $step = 0 THEN least($round_nats_max, -ln(greatest(
            round_share,
            least(1, (
                exp(-0.5 * ((floor(expected / $step) * $step - expected) / deviation) ** 2)
                + exp(-0.5 * ((ceil(expected / $step) * $step - expected) / deviation) ** 2)
            ) / (deviation * sqrt(2 * pi()))),
            1e-9
        ))) END AS round_nats
    FROM residual
), so_far AS (
    SELECT
        device,
        slot,
        age,
        deviation,
        sum(expected) OVER so_far AS expected,
        count(off) OVER so_far AS offs,
        sum(coalesce(off, 0)) OVER so_far AS off,
        sum(coalesce(off * off, 0)) OVER so_far AS off_squares,
        count(CASE WHEN abs(off) > 2 THEN 1 END) OVER so_far AS far,
        sum(coalesce(age * off, 0)) OVER so_far AS age_off,
        sum(CASE WHEN off IS NULL THEN 0e0 ELSE age END) OVER so_far AS ages,
        sum(CASE WHEN off IS NULL THEN 0e0 ELSE age * age END) OVER so_far AS age_squares,
        count(round_nats) OVER so_far AS rounds,
        sum(coalesce(round_nats, 0)) OVER so_far AS round_nats
    FROM reading
    WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)
), windowed AS MATERIALIZED (
    SELECT
        device,
        slot,
        deviation,
        $jump_sums,
        ${noisy_first} AS noisy_first,
        offs - lag(offs, $noisy, 0) OVER () AS noisy_readings,
        far - lag(far, $noisy, 0) OVER () AS noisy_far,
        off - lag(off, $noisy, 0e0) OVER () AS noisy_off,
        off_squares - lag(off_squares, $noisy, 0e0) OVER ()
            - noisy_off * noisy_off / nullif(noisy_readings, 0) AS noise,
        ${coarse_first} AS coarse_first,
        rounds - lag(rounds, $coarse, 0) OVER () AS coarse_readings,
        round_nats - lag(round_nats, $coarse, 0e0) OVER () AS coarse_nats,
        ${drift_first} AS drift_first,
        lag(age, $drift - 1) OVER () AS drift_age,
        offs - lag(offs, $drift, 0) OVER () AS drift_readings,
        age_off - lag(age_off, $drift, 0e0) OVER ()
            - drift_age * (off - lag(off, $drift, 0e0) OVER ()) AS ramp,
        age_squares - lag(age_squares, $drift, 0e0) OVER ()
            - 2 * drift_age * (ages - lag(ages, $drift, 0e0) OVER ())
            + drift_age * drift_age * drift_readings AS ramp_squares
    FROM so_far
)
SELECT
    'value.coarse', 1, device, coarse_first, slot, coarse_nats,
    MAP {'readings': coarse_readings::DOUBLE, 'step_watts': $step::DOUBLE}
FROM windowed
WHERE coarse_readings = $coarse AND coarse_nats >= $nats_min AND coarse_first IS NOT NULL
UNION ALL
SELECT
    'value.noisy', 3, device, noisy_first, slot, noise,
    MAP {
        'readings': noisy_readings::DOUBLE,
        'deviation_watts_usual': deviation,
        'deviation_watts_min': deviation * sqrt(noise / (noisy_readings - 1))
    }
FROM windowed
WHERE noisy_far >= 3 AND noisy_readings >= $readings_of_window_min AND noisy_first IS NOT NULL
    -- Wilson and Hilferty: the cube root of a sum of squares is nearly normal.
    AND (noise / (noisy_readings - 1)) ** (1 / 3) >= 1 - 2 / (9 * (noisy_readings - 1))
        + $noisy_min * sqrt(2 / (9 * (noisy_readings - 1)))
    -- The line itself is off by a little, which more readings do not make less.
    AND noise / (noisy_readings - 1) >= $noisy_squares_min
UNION ALL
$jumps
UNION ALL
SELECT
    'value.drift', 3, device, drift_first, slot, ramp * ramp / ramp_squares,
    MAP {
        'readings': drift_readings::DOUBLE,
        'watts_a_day': deviation * ramp / ramp_squares * $slots_a_day,
        'deviation_watts_usual': deviation
    }
FROM windowed
WHERE ramp_squares > 0 AND ramp * ramp >= $drift_min ** 2 * ramp_squares AND drift_first IS NOT NULL
