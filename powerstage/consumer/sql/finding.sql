-- Candidates that overlap are one thing: where they are of one kind, told where it shows best;
-- where kinds compete for the same readings of a device, told as the one that explains most.
(
WITH marked AS (
    SELECT
        *,
        slot_first > coalesce(max(slot_last) OVER (
            PARTITION BY device, id ORDER BY slot_first, slot_last
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), -1) AS is_new
    FROM candidate
), numbered AS (
    SELECT
        *,
        sum(is_new::INTEGER) OVER (
            PARTITION BY device, id ORDER BY slot_first, slot_last, score
            ROWS UNBOUNDED PRECEDING
        ) AS island
    FROM marked
), island AS (
    SELECT
        id, device, rank,
        max(score) AS score,
        min(slot_first) AS slot_first,
        max(slot_last) AS slot_last,
        first({'slot_first': slot_first, 'slot_last': slot_last, 'numbers': numbers}
            ORDER BY score DESC, slot_first) AS best
    FROM numbered
    GROUP BY id, device, rank, island
)
SELECT id, name, best.slot_first, best.slot_last, best.numbers
FROM island AS told JOIN device ON number = told.device
WHERE NOT EXISTS (
    FROM island AS other
    WHERE other.device = told.device AND other.id <> told.id
        AND other.slot_first <= told.slot_last AND other.slot_last >= told.slot_first
        AND (other.rank < told.rank OR (other.rank = told.rank AND other.score > told.score))
)
ORDER BY told.device, best.slot_first, id
LIMIT $findings_max
)
UNION ALL
(FROM replayed ORDER BY name, slot_first LIMIT $findings_max)
