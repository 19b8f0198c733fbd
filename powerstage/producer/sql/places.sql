-- The places for servers: in each, when in its cycle of service days the next server comes.
SELECT
    position,
    position_key,
    (mix64(xor(position_key, 1::UBIGINT)) % $service_days)::BIGINT AS phase,
    -- The first place never stands empty: no fleet is without a server.
    CASE WHEN position > 0 AND unif(mix64(xor(position_key, 2::UBIGINT))) < $vacant_share
        THEN 1 + (mix64(xor(position_key, 3::UBIGINT)) % $vacant_days_max)::BIGINT
        ELSE 0
    END AS vacant_days
FROM (
    SELECT
        range AS position,
        mix64(xor(mix64($seed::UBIGINT), (range + 1)::UBIGINT)) AS position_key
    FROM range($devices)
)
