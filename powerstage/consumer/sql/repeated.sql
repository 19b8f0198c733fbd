-- Periods of a device that have one hash.
CREATE OR REPLACE TEMP TABLE repeated AS
SELECT device, period
FROM (
    SELECT
        device,
        slot // $period_slots AS period,
        bit_xor(hash(measure, slot % $period_slots, value)) AS said
    FROM $readings
    GROUP BY device, period
)
QUALIFY count(*) OVER (PARTITION BY device, said) > 1
