-- Who serves on a day, and what they are, from the table place and the seed alone.
WITH serving AS (
    SELECT *, mix64(xor(position_key, mix64((generation + 1)::UBIGINT))) AS device_key
    FROM (SELECT *, ($day + phase) // $service_days AS generation FROM place)
    WHERE ($day + phase) % $service_days >= vacant_days
), model(model_number, model, product_id, noise_watts_least, noise_watts_step) AS (
    VALUES $models
), site(site_number, code, zone_number) AS (
    VALUES $sites
), profile(
    profile_number, draw_first, draw_end, base_min, base_max, amplitude_min, amplitude_max
) AS (
    VALUES $profiles
), drawn AS (
    SELECT
        *,
        $scattered AS scattered,
        (position + generation) % $model_count AS model_number,
        position % $site_count AS site_number,
        unif(mix64(xor(device_key, 1::UBIGINT))) AS profile_draw,
        unif(mix64(xor(device_key, 2::UBIGINT))) AS base_draw,
        unif(mix64(xor(device_key, 3::UBIGINT))) AS amplitude_draw,
        gau(mix64(xor(device_key, 4::UBIGINT))) AS spread_draw
    FROM serving
)
SELECT
    $columns,
    position,
    device_key,
    zone_number * $profile_count + profile_number + 1 AS moment_group,
    base_min + (base_max - base_min) * base_draw AS base,
    amplitude_min + (amplitude_max - amplitude_min) * amplitude_draw AS amplitude,
    model_number * 1001 + 1 AS watts_offset,
    1 + $deviation * spread_draw AS spread,
    noise_watts_least,
    noise_watts_step
FROM drawn
JOIN model USING (model_number)
JOIN site USING (site_number)
JOIN profile ON profile_draw >= draw_first AND profile_draw < draw_end
