"""The data unit tests of a contract as a plan: SQL text and nothing else, so that it can travel.

``compile_plan`` is pure. The plan runs where a view ``delivered`` shows the files (and for
telemetry a view ``inventory`` the snapshot it refers to): the columns of the contract, and
``at:file`` and ``at:row`` for the place. One scan counts the failures of every check.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from powerstage.checks.result import Check
from powerstage.checks.rules import (
    RowRule,
    column_rules,
    late_us,
    microseconds,
    start_us,
    telemetry_rules,
)
from powerstage.checks.unique import distinct, duplicates, unique_check, unique_columns
from powerstage.contract.model import Contract, Dataset, DatasetName
from powerstage.engine import sql_file, sql_name, sql_text

FileFormat: TypeAlias = Literal["csv", "parquet"]

# One bit each: 256 MiB of bitmap.
POSITIONS_MAX: Final = 2**31

_DEVICE: Final = (
    'SELECT "grid:name", row_number() OVER (ORDER BY "grid:name") - 1 AS "grid:device"'
    " FROM ({devices})"
)
_SLOTS: Final = "(getvariable('window_end') - getvariable('window_start')) // {interval_us}"
_POSITIONS: Final = "(SELECT count(*) * {measures}::HUGEINT * getvariable('slots') FROM device)"
# Distinct, expected and present readings, each by its dense position: a bit in one bitmap.
_BITS: Final = (
    "bitstring_agg(\"grid:position\", 0, greatest(getvariable('positions'), 1)::BIGINT - 1)"
)
_ON_GRID: Final = (
    f"coalesce(bit_count({_BITS}), 0)",
    "getvariable('positions')",
    'count("grid:position")',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCheck:
    """A check whose failures the scan counts; ``values`` are the columns that a sample shows.

    ``predicate`` is SQL that is true for a row that fails.
    """

    check: Check
    predicate: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a worker needs to know.

    ``columns`` are names and DuckDB types; ``prepare`` runs before the scan; ``scan`` gives one
    row: rows, distinct keys, expected keys, keys present, then one count per row check;
    ``missing`` finds runs of readings that should be there.
    """

    dataset: DatasetName
    format: FileFormat
    timezone: str
    columns: tuple[tuple[str, str], ...]
    columns_check: Check
    types_check: Check
    readable_check: Check
    rows_check: Check
    row_checks: tuple[RowCheck, ...]
    unique_check: Check
    complete_check: Check | None
    completeness: float
    key: tuple[str, ...]
    prepare: tuple[str, ...]
    scan: str
    duplicates: str
    missing: str

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON types."""
        return asdict(self)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check, in the order in which they are reported."""
        return (
            self.readable_check,
            self.columns_check,
            self.types_check,
            self.rows_check,
            *(row.check for row in self.row_checks),
            self.unique_check,
            *((self.complete_check,) if self.complete_check else ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From a start, inclusive, to an end, exclusive; both UTC."""

    start: datetime
    end: datetime


def compile_plan(
    contract: Contract,
    dataset: DatasetName,
    format: FileFormat = "parquet",  # noqa: A002 - the word for it
    *,
    window: Window | None = None,
    with_inventory: bool = True,
) -> Plan:
    """The checks of one dataset.

    Args:
        contract: the agreement.
        dataset: which of its datasets.
        format: of the files; a CSV has no types of its own, so its texts are tested for them.
        window: what the readings must cover; None takes it from the readings: the delivery
            intervals from the first to the last that holds one.
        with_inventory: whether the snapshot that telemetry refers to is at hand; without it
            nothing can be said about devices and completeness.
    """
    columns = contract.dataset(dataset)
    unique = unique_columns(contract, columns)
    rows = column_rules(columns, format)
    if dataset == "inventory":
        prepare: tuple[str, ...] = ()
        source, complete = "delivered", None
        counts = distinct(unique)
    else:
        rows += telemetry_rules(contract, with_inventory=with_inventory)
        prepare = _prepare(contract, window, with_inventory=with_inventory)
        source = "reading"
        counts = list(_ON_GRID) if with_inventory else distinct(unique)
        complete = _complete_check(contract) if with_inventory else None
    row_checks = tuple(_row_check(contract, rule, source) for rule in rows)
    filters = [f"count(*) FILTER (WHERE {row.predicate})" for row in row_checks]
    return Plan(
        dataset=dataset,
        format=format,
        timezone=contract.timezone if format == "csv" else "UTC",
        columns=tuple((column.name, column.type) for column in columns.columns),
        row_checks=row_checks,
        complete_check=complete,
        completeness=contract.completeness,
        key=columns.key,
        prepare=prepare,
        scan=f"SELECT {', '.join(['count(*)', *counts, *filters])} FROM {source}",
        unique_check=unique_check(contract, columns, unique),
        duplicates=duplicates(columns, unique, source),
        missing=_missing(contract) if complete else "",
        **_file_checks(contract, columns),
    )


def _row_check(contract: Contract, rule: RowRule, source: str) -> RowCheck:
    check = Check(
        id=rule.id,
        words=rule.words,
        expected=rule.expected,
        severity=rule.rule.severity,
        at=contract.at(rule.rule),
        sql=f"SELECT * FROM {source} WHERE {rule.predicate}",
    )
    return RowCheck(check=check, predicate=rule.predicate, values=rule.values)


def _file_checks(contract: Contract, dataset: Dataset) -> dict[str, Any]:
    names = ", ".join(column.name for column in dataset.columns)
    at = contract.at(dataset.rule)

    def check(id_: str, words: str, expected: str) -> Check:
        return Check(
            id=id_, words=words, expected=expected, severity="error", at=at, counts="files"
        )

    return {
        "readable_check": check("file.readable", "every file can be read", "a sound file"),
        "columns_check": check("columns.agreed", "the columns are those agreed", names),
        "types_check": check(
            "types.agreed",
            "the columns have the types agreed",
            ", ".join(f"{column.name} {column.type}" for column in dataset.columns),
        ),
        "rows_check": check(
            "rows.as_committed", "the files hold the rows that the commit promises", "equal counts"
        ),
    }


def _complete_check(contract: Contract) -> Check:
    rule = contract.completeness_rule
    return Check(
        id="grid.complete",
        words="every device is read in every interval, for every measure",
        expected=f"{contract.completeness:.1%} of the readings",
        severity=rule.severity,
        at=contract.at(rule),
        counts="readings missing",
    )


def _prepare(contract: Contract, window: Window | None, *, with_inventory: bool) -> tuple[str, ...]:
    roles = contract.roles
    start, stamp = start_us(roles), sql_name(roles.stamp)
    period_us = microseconds(contract.delivery_interval)
    interval_us = microseconds(roles.reading_interval)
    if window:
        bounds = (str(_epoch_us(window.start)), str(_epoch_us(window.end)))
    else:
        finite = f"FROM delivered WHERE isfinite({stamp})"
        bounds = (
            f"(SELECT coalesce(min({start}) // {period_us}, 0) * {period_us} {finite})",
            f"(SELECT coalesce(max({start}) // {period_us} + 1, 0) * {period_us} {finite})",
        )
    device = sql_name(contract.inventory_device)
    devices = (
        f'SELECT DISTINCT {device} AS "grid:name" FROM inventory WHERE {device} IS NOT NULL'
        if with_inventory
        else 'SELECT NULL::VARCHAR AS "grid:name" WHERE false'
    )
    measures = " ".join(
        f"WHEN {sql_text(measure.name)} THEN {index}"
        for index, measure in enumerate(contract.measures)
    )
    reading = sql_file(
        "powerstage.checks",
        "reading.sql",
        measures=measures,
        measure_count=len(contract.measures),
        device=sql_name(roles.device),
        measure=sql_name(roles.measure),
        stamp=stamp,
        start_us=start,
        late_us=late_us(roles),
        jitter_us=microseconds(roles.jitter),
        interval_us=interval_us,
    )
    return (
        f"SET VARIABLE window_start = {bounds[0]}::BIGINT",
        f"SET VARIABLE window_end = {bounds[1]}::BIGINT",
        f"CREATE TEMP TABLE device AS {_DEVICE.format(devices=devices)}",
        f"SET VARIABLE slots = {_SLOTS.format(interval_us=interval_us)}",
        f"SET VARIABLE positions = {_POSITIONS.format(measures=len(contract.measures))}",
        f"CREATE TEMP VIEW reading AS {reading}",
    )


def _missing(contract: Contract) -> str:
    """Runs of missing readings: device, measure, first and last start (us), how many."""
    measures = ", ".join(
        f"({index}, {sql_text(measure.name)})" for index, measure in enumerate(contract.measures)
    )
    return sql_file(
        "powerstage.checks",
        "missing.sql",
        measures=measures,
        measure_count=len(contract.measures),
        interval_us=microseconds(contract.roles.reading_interval),
    )


def _epoch_us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
