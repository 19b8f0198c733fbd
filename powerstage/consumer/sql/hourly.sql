-- Roll-ups with the site that the pinned inventory says of each device.
SELECT
    device,
    site,
    measure,
    hour,
    readings,
    value_mean,
    value_min,
    value_max,
    energy_kwh
FROM read_parquet([$rollups], filename = true, hive_partitioning = false)
JOIN (VALUES $placed) AS placed (filename, inventory) USING (filename)
LEFT JOIN ($listed) AS listed USING (inventory, device)
