-- Windows of a device's readings that are not as its history has them. A kind scores by how much
-- of the squared deviations it explains (rank 3), or how improbable its readings are, in nats.
CREATE OR REPLACE TEMP TABLE candidate AS
WITH numbered AS (
    SELECT *, sum(is_other_power::INTEGER) OVER (PARTITION BY device ORDER BY slot) AS run
    FROM residual
), moved AS (
    SELECT
        *,
        -- By as much as load moved since the run began: a shifted sensor may repeat itself too.
        least(
            abs(power - expected),
            abs(expected - first(expected) OVER (PARTITION BY device, run ORDER BY slot))
        ) AS moved_watts
    FROM numbered
), reading_nats AS (
    SELECT
        *,
        -- How improbable a power is that is a multiple of the step, by the line; at most so much.
        CASE WHEN power % $step = 0 THEN least($round_nats_max, -ln(greatest(
            round_share,
            least(1, (
                exp(-0.5 * ((floor(expected / $step) * $step - expected) / deviation) ** 2)
                + exp(-0.5 * ((ceil(expected / $step) * $step - expected) / deviation) ** 2)
            ) / (deviation * sqrt(2 * pi()))),
            1e-9
        ))) END AS round_nats,
        -- And one that says the same as before although load has moved.
        CASE WHEN is_moved AND NOT is_other_power THEN least($stuck_nats_max, greatest(
            0, (moved_watts / deviation) ** 2 / 2 + ln(deviation * sqrt(2 * pi()))
        )) ELSE 0 END AS stuck_nats
    FROM moved
), windowed AS (
    SELECT
        *,
        $jump_sums,
        count(off) OVER noisy AS noisy_readings,
        sum((abs(off) > 2)::INTEGER) OVER noisy AS noisy_far,
        sum(off ** 2) OVER noisy - (sum(off) OVER noisy) ** 2 / count(off) OVER noisy AS noise,
        count(*) OVER coarse AS readings,
        count(round_nats) OVER coarse AS coarse_readings,
        sum(round_nats) OVER coarse AS coarse_nats,
        sum(age * off) OVER drift - (age - $drift_before) * sum(off) OVER drift AS ramp,
        sum(age ** 2) FILTER (WHERE off IS NOT NULL) OVER drift
            - 2 * (age - $drift_before) * sum(age) FILTER (WHERE off IS NOT NULL) OVER drift
            + (age - $drift_before) ** 2 * count(off) OVER drift AS ramp_squares,
        count(off) OVER drift AS drift_readings
    FROM reading_nats
    WINDOW
        $jump_windows,
        noisy AS (PARTITION BY device ORDER BY slot
            RANGE BETWEEN $noisy_before PRECEDING AND CURRENT ROW),
        coarse AS (PARTITION BY device ORDER BY slot
            RANGE BETWEEN $coarse_before PRECEDING AND CURRENT ROW),
        drift AS (PARTITION BY device ORDER BY slot
            RANGE BETWEEN $drift_before PRECEDING AND CURRENT ROW)
)
SELECT
    'value.stuck' AS id, 2 AS rank, device, min(slot) AS slot_first, max(slot) AS slot_last,
    sum(stuck_nats) AS score,
    MAP {
        'readings': count(*)::DOUBLE, 'watts': min(power),
        'load_min': min(load), 'load_max': max(load)
    } AS numbers
FROM reading_nats
GROUP BY device, run
HAVING score >= $nats_min
UNION ALL
SELECT
    'value.coarse', 1, device, slot - $coarse_before, slot, coarse_nats,
    MAP {'readings': readings::DOUBLE, 'step_watts': $step::DOUBLE}
FROM windowed
WHERE coarse_readings = readings AND coarse_nats >= $nats_min
UNION ALL
SELECT
    'value.noisy', 3, device, slot - $noisy_before, slot, noise,
    MAP {
        'readings': noisy_readings::DOUBLE,
        'deviation_watts_usual': deviation,
        'deviation_watts_min': deviation * sqrt(noise / (noisy_readings - 1))
    }
FROM windowed
WHERE noisy_readings >= $readings_of_window_min AND noisy_far >= 3
    -- Wilson and Hilferty: the cube root of a sum of squares is nearly normal.
    AND (noise / (noisy_readings - 1)) ** (1 / 3) >= 1 - 2 / (9 * (noisy_readings - 1))
        + $noisy_min * sqrt(2 / (9 * (noisy_readings - 1)))
UNION ALL
$jumps
UNION ALL
SELECT
    'value.drift', 3, device, slot - $drift_before, slot, ramp ** 2 / ramp_squares,
    MAP {
        'readings': drift_readings::DOUBLE,
        'watts_a_day': deviation * ramp / ramp_squares * $slots_a_day,
        'deviation_watts_usual': deviation
    }
FROM windowed
WHERE ramp_squares > 0 AND ramp ** 2 / ramp_squares >= $drift_min ** 2
