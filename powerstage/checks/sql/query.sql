-- A rule that is a query of the contract's own: [failed, total, observed]. Its result is one
-- number: a text or a truth cannot be added to, and what is not finite is as agreed with nothing.
SELECT [CASE WHEN isfinite(observed) AND $holds THEN 0 ELSE 1 END, 1, observed]
FROM (SELECT ((
$query
) + 0)::DOUBLE AS observed)
