CREATE OR REPLACE TEMP VIEW delivered AS $delivered;
-- The devices that are looked at, by number: names are long. Neighbours are looked at together.
CREATE OR REPLACE TEMP TABLE known AS
SELECT DISTINCT device AS name FROM delivered;
CREATE OR REPLACE TEMP TABLE device AS
SELECT
    row_number() OVER (ORDER BY name)::INTEGER AS number,
    ntile($batches) OVER (ORDER BY name)::INTEGER - 1 AS batch,
    name
FROM known
WHERE md5_number_lower(name) % $shares = $share;
CREATE OR REPLACE TEMP VIEW accepted_reading AS
SELECT batch, number AS device, measure, slot, value FROM delivered JOIN device ON name = device
