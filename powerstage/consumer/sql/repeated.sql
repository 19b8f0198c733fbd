-- Readings of the devices that have two periods of one hash, and which periods those are.
CREATE OR REPLACE TEMP TABLE repeated AS
SELECT device, period
FROM (
    SELECT
        device,
        slot // $period_slots AS period,
        bit_xor(hash(measure, slot % $period_slots, value)) AS said
    FROM reading
    GROUP BY device, period
)
QUALIFY count(*) OVER (PARTITION BY device, said) > 1;
CREATE OR REPLACE TEMP TABLE suspect AS
FROM reading SEMI JOIN repeated USING (device);
CREATE OR REPLACE TEMP TABLE replayed (
    id VARCHAR,
    name VARCHAR,
    slot_first BIGINT,
    slot_last BIGINT,
    numbers MAP(VARCHAR, DOUBLE)
)
