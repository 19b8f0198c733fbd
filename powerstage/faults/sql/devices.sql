-- The devices of a clean period: where they are, what they do, and the next one of their model.
SELECT
    device,
    site,
    model,
    lead(device) OVER (PARTITION BY model ORDER BY device) AS twin,
    -- Where nothing is known of the load, a device is as busy as any.
    coalesce(load > 30 OR load = max(load) OVER (), true) AS is_busy
FROM (
    SELECT
        $device AS device,
        min($site) AS site,
        min($model) AS model,
        min($value) FILTER (WHERE $measure = $utilisation) AS load
    FROM clean
    WHERE $device IS NOT NULL
    GROUP BY $device
)
ORDER BY device
