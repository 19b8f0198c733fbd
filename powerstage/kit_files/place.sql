-- Beside a file's columns: what its name says it covers, in microseconds since 1970. A date is that
-- day, 2026-11-01T05 that hour, 2026-11-01T0515 a delivery interval from that minute.
"at:file",
regexp_extract(
    parse_filename("at:file", true),
    '(?:^|[^0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2})([0-9]{2})?)?(?:[^0-9]|$$)',
    ['day', 'hour', 'minute']
) AS "at:named",
epoch_us(try_strptime(
    "at:named"['day'] || rpad("at:named"['hour'] || "at:named"['minute'], 4, '0'), '%Y-%m-%d%H%M'
)) AS "at:start",
"at:start" + CASE
    WHEN "at:named"['minute'] <> '' THEN $interval_us
    WHEN "at:named"['hour'] <> '' THEN greatest($interval_us, 3600000000)
    ELSE 86400000000
END AS "at:end",
0 AS "at:half",
