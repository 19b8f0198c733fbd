"""Rules of the user's own as SQL: metrics that the scan counts, and queries that run alone."""

import re
from dataclasses import replace
from typing import Final, Literal

from powerstage.checks.counts import SAMPLES_MAX, ScanCheck, row_check
from powerstage.checks.result import Check
from powerstage.checks.rules import RAW_PREFIX, RowRule
from powerstage.contract.model import Contract, Dataset, QualityRule
from powerstage.contract.quality import COLUMN_PLACEHOLDERS, TABLE_PLACEHOLDERS
from powerstage.engine import sql_double, sql_file, sql_name, sql_text

# Each comparator in SQL and in words.
_COMPARATORS: Final = {
    "mustBe": ("= {}", "exactly {}"),
    "mustNotBe": ("<> {}", "not {}"),
    "mustBeGreaterThan": ("> {}", "more than {}"),
    "mustBeGreaterOrEqualTo": (">= {}", "at least {}"),
    "mustBeLessThan": ("< {}", "less than {}"),
    "mustBeLessOrEqualTo": ("<= {}", "at most {}"),
    "mustBeBetween": ("BETWEEN {} AND {}", "{} to {}"),
    "mustNotBeBetween": ("NOT BETWEEN {} AND {}", "not {} to {}"),
}
_INVENTORY: Final = re.compile(r"\binventory\b", re.IGNORECASE)


def metric_checks(
    contract: Contract, dataset: Dataset, source: str, format_: Literal["csv", "parquet"]
) -> tuple[ScanCheck, ...]:
    """The metrics of ODCS over a view."""
    return tuple(
        _duplicates(contract, rule, source)
        if rule.metric == "duplicateValues"
        else _row_count(contract, rule)
        if rule.metric == "rowCount"
        else _bad_rows(contract, dataset, source, rule, format_)
        for rule in dataset.quality
        if rule.metric != "sql"
    )


def metric_rules(dataset: Dataset, format_: Literal["csv", "parquet"]) -> list[RowRule]:
    """The rows that the metrics of rows count."""
    return [
        _row_rule(dataset, rule, format_)
        for rule in dataset.quality
        if rule.metric not in {"sql", "rowCount", "duplicateValues"}
    ]


def query_checks(
    contract: Contract, dataset: Dataset, *, with_inventory: bool
) -> tuple[ScanCheck, ...]:
    """The queries of a contract; without a snapshot, not those that ask for one."""
    queries = []
    for rule in dataset.quality:
        if rule.metric != "sql":
            continue
        query = _query(rule, dataset)
        if dataset.name == "telemetry" and not with_inventory and _INVENTORY.search(query):
            continue
        check = replace(_check(contract, rule), sql=query, counts="results")
        count = sql_file(
            "powerstage.checks", "query.sql", query=query, holds=_holds(rule, "observed")
        )
        queries.append(ScanCheck(check=check, count=count, samples=""))
    return tuple(queries)


def expected(rule: QualityRule) -> str:
    """What the number must be, in words."""
    number = _COMPARATORS[rule.comparator][1].format(*(f"{bound:g}" for bound in rule.bounds))
    return f"{number} {'%' if rule.unit == 'percent' else rule.unit}".strip()


def _query(rule: QualityRule, dataset: Dataset) -> str:
    names: dict[str, str] = dict.fromkeys(TABLE_PLACEHOLDERS, dataset.name)
    if rule.column is not None:
        names |= dict.fromkeys(COLUMN_PLACEHOLDERS, rule.column)
    # Quotes around a placeholder are the author's for the name that comes there.
    placeholder = re.compile(rf"[\"'`]?\$?\{{({'|'.join(names)})\}}[\"'`]?")
    query = placeholder.sub(lambda match: sql_name(names[match[1]]), rule.query)
    return query.strip().rstrip(";").rstrip()


def _bad_rows(
    contract: Contract,
    dataset: Dataset,
    source: str,
    rule: QualityRule,
    format_: Literal["csv", "parquet"],
) -> ScanCheck:
    """A metric that counts rows."""
    scanned = row_check(contract, dataset, source, _row_rule(dataset, rule, format_))
    return replace(scanned, count=_counted(rule, f"broken.{sql_name(rule.id)}", "rows"))


def _row_rule(dataset: Dataset, rule: QualityRule, format_: Literal["csv", "parquet"]) -> RowRule:
    column = dataset.column(str(rule.column))
    raw = RAW_PREFIX + column.name if format_ == "csv" else column.name
    return RowRule(
        id=rule.id,
        words=rule.words,
        expected=expected(rule),
        rule=rule.rule,
        predicate=_predicate(rule, sql_name(column.name), sql_name(raw)),
        values=(raw,),
    )


def _predicate(rule: QualityRule, name: str, raw: str) -> str:
    """What is true for a row that the metric counts."""
    listed = ", ".join(
        sql_text(value) if isinstance(value, str) else sql_double(value) for value in rule.values
    )
    if rule.metric != "invalidValues":
        # A CSV's text that is no value is not missing.
        return f"({raw} IS NULL{f' OR {name} IN ({listed})' if listed else ''})"
    valid = [f"{name} IN ({listed})"] if listed else []
    if rule.pattern is not None:
        valid.append(f"regexp_full_match({name}, {sql_text(rule.pattern)})")
    return f"NOT ({' AND '.join(valid)})"


def _duplicates(contract: Contract, rule: QualityRule, source: str) -> ScanCheck:
    """How many keys stand more than once: a count of groups, so a query of its own in the scan."""
    names = [sql_name(name) for name in rule.columns]
    columns = ", ".join(names)
    known = " AND ".join(f"{name} IS NOT NULL" for name in names)
    texts = ", ".join(f"{sql_text(name)}: {sql_name(name)}::VARCHAR" for name in rule.columns)
    counted = _counted(rule, "count(*) FILTER (WHERE rows > 1)", "count(*)")
    keys = f"SELECT count(*) AS rows FROM {source} WHERE {known} GROUP BY {columns}"
    return ScanCheck(
        check=replace(_check(contract, rule), counts="keys"),
        count=f"(SELECT {counted} FROM ({keys}))",
        samples=f"SELECT '', 0, MAP {{{texts}, 'rows': count(*)::VARCHAR}} FROM {source}"
        f" WHERE {known} GROUP BY {columns} HAVING count(*) > 1"
        f" ORDER BY {columns} LIMIT {SAMPLES_MAX}",
    )


def _row_count(contract: Contract, rule: QualityRule) -> ScanCheck:
    holds = _holds(rule, "rows")
    return ScanCheck(
        check=replace(_check(contract, rule), counts="results"),
        count=f"[CASE WHEN {holds} THEN 0 ELSE 1 END, 1, rows]",
        samples="",
    )


def _counted(rule: QualityRule, number: str, total: str) -> str:
    """SQL for ``[failed, total, observed]``: nothing has failed where the number is as agreed."""
    observed = number
    if rule.unit == "percent":
        observed = f"coalesce(round(100e0 * {number} / nullif({total}, 0), 6), 0)"
    failed = f"CASE WHEN {_holds(rule, observed)} THEN 0 ELSE greatest({number}, 1) END"
    return f"[{failed}, {total}, {observed}]"


def _holds(rule: QualityRule, observed: str) -> str:
    return f"{observed} {_COMPARATORS[rule.comparator][0].format(*map(sql_double, rule.bounds))}"


def _check(contract: Contract, rule: QualityRule) -> Check:
    return Check(
        id=rule.id,
        words=rule.words,
        expected=expected(rule),
        severity=rule.rule.severity,
        at=contract.at(rule.rule),
    )
