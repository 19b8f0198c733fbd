-- jump
SELECT
    'value.jump', 3, device, ${jump}_first, slot, $jump * $jump / ${jump}_readings,
    MAP {
        'readings': ${jump}_readings::DOUBLE,
        'shift_watts_min': deviation * $jump / ${jump}_readings,
        'watts_expected': ${jump}_expected,
        'deviation_watts_usual': deviation
    }
FROM windowed
WHERE ${jump}_readings >= 3 AND $jump * $jump >= $jump_min ** 2 * ${jump}_readings
    AND abs(deviation * $jump / ${jump}_readings) >= $share_min * ${jump}_expected
    AND ${jump}_first IS NOT NULL
