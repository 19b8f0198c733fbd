-- A fleet, device by device, each from its number and the seed alone.
WITH numbered AS (
    SELECT
        range AS number,
        mix64(xor(mix64($seed::UBIGINT), (range + 1)::UBIGINT)) AS device_key
    FROM range($devices)
), model AS (
    SELECT *, row_number() OVER (ORDER BY product_id) - 1 AS model_number
    FROM catalogue
), site(site_number, code, zone) AS (
    VALUES $sites
), drawn AS (
    SELECT
        *,
        unif(mix64(xor(device_key, 1::UBIGINT))) AS u_base,
        unif(mix64(xor(device_key, 2::UBIGINT))) AS u_amplitude,
        gau(mix64(xor(device_key, 3::UBIGINT))) AS g_idle,
        gau(mix64(xor(device_key, 4::UBIGINT))) AS g_range
    FROM numbered
    JOIN model ON model_number = number % $models
    JOIN site ON site_number = number % $site_count
)
SELECT
    -- Apart from ours: a contract may call its columns what it likes.
    struct_pack($columns) AS inventory,
    device_key,
    zone,
    0.06 + 0.30 * u_base * u_base AS base,
    0.05 + 0.30 * u_amplitude AS amplitude,
    idle * (1 + 0.04 * g_idle) AS idle_watts,
    (full_load - idle) * (1 + 0.03 * g_range) AS range_watts,
    0.35 + 0.35 * u_base AS bend
FROM drawn
ORDER BY number
