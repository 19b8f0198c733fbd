CREATE OR REPLACE TEMP VIEW delivered AS $delivered;
-- The devices that are looked at, by number: names are long.
CREATE OR REPLACE TEMP TABLE known AS
SELECT DISTINCT device AS name FROM delivered;
CREATE OR REPLACE TEMP TABLE device AS
SELECT row_number() OVER (ORDER BY name)::INTEGER AS number, name
FROM known
WHERE md5_number_lower(name) % $shares = $share;
CREATE OR REPLACE TEMP VIEW reading AS
SELECT number AS device, measure, slot, value FROM delivered JOIN device ON name = device
