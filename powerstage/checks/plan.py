"""The data unit tests of a contract as a plan: SQL text and nothing else, so that it can travel.

``compile_plan`` is pure. The plan runs where a view ``delivered`` shows the files (and for
telemetry a view ``inventory`` the snapshot it refers to): the columns of the contract, and
``at:file`` and ``at:row`` for the place. One statement counts the failures of every check; where a
table ``promised`` says how many rows each file should hold, another query counts those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from powerstage.checks.coherence import HALVES, coherence, neighbours
from powerstage.checks.counts import (
    ScanCheck,
    broken_rows,
    complete_check,
    is_suspect,
    key_checks,
    row_check,
    rows_check,
    silent_check,
    sums,
    totals,
)
from powerstage.checks.files import FileFormat, delivered_columns
from powerstage.checks.quality import metric_checks, metric_rules, query_checks
from powerstage.checks.references import device_table, reference_rules, site_rules
from powerstage.checks.result import Check
from powerstage.checks.rules import (
    column_rules,
    grid_start_us,
    is_in_time,
    microseconds,
    reading_rules,
    start_us,
)
from powerstage.contract.model import Contract, Dataset, DatasetName
from powerstage.engine import sql_file, sql_name, sql_text

# One bit each: 64 MiB of bitmap; DuckDB's own limit is 10**9.
POSITIONS_MAX: Final = 2**29
# Their names are sorted once, in 800 MB.
DEVICES_MAX: Final = 5_000_000

_NO_DEVICE: Final = 'SELECT NULL::VARCHAR AS "grid:name", NULL::BIGINT AS "grid:device" WHERE false'
_SLOTS: Final = "(getvariable('window_end') - getvariable('window_start')) // {interval_us}"
_POSITIONS: Final = "(SELECT count(*) * {measures}::HUGEINT * getvariable('slots') FROM device)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a worker needs to know.

    ``columns`` are names and DuckDB types; ``delivered`` is what the view of that name selects
    of each file. ``window`` sets from when to when readings are due, then ``prepare`` makes what
    the sums need. ``sums`` look at every row once; then ``scan`` gives one row:
    ``[failed, total]`` for each of ``scan_checks``, null where it takes the check's ``recount``.
    ``queries`` are the contract's own: each runs by itself, over the views ``inventory`` and
    ``telemetry`` in the contract's columns; ``views`` has what each selects.
    """

    dataset: DatasetName
    format: FileFormat
    timezone: str
    columns: tuple[tuple[str, str], ...]
    delivered: str
    columns_check: Check
    types_check: Check
    readable_check: Check
    rows_check: ScanCheck
    scan_checks: tuple[ScanCheck, ...]
    window: tuple[str, ...]
    prepare: tuple[str, ...]
    sums: tuple[str, ...]
    scan: str
    queries: tuple[ScanCheck, ...]
    views: dict[DatasetName, str]

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
            self.rows_check.check,
            *(counted.check for counted in (*self.scan_checks, *self.queries)),
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
    rules = column_rules(columns, format)
    source = "delivered"
    times: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    if dataset == "inventory":
        rules += site_rules(contract)
    else:
        rules += reading_rules(contract) + (reference_rules(contract) if with_inventory else [])
        source = "reading"
        times, prepare = _prepare(contract, window, with_inventory=with_inventory)
    on_grid = dataset == "telemetry" and with_inventory
    checks = [row_check(contract, columns, source, rule) for rule in rules]
    counted, parts = sums(contract, columns, on_grid=on_grid), [source]
    if on_grid and contract.curves is not None:
        coherent = coherence(contract, contract.curves)
        checks.append(coherent.check)
        counted, parts = counted | coherent.sums, list(coherent.sources)
        prepare = (*prepare, coherent.prepare)
    checks += key_checks(contract, columns, source)
    if on_grid:
        checks += [complete_check(contract), silent_check(contract)]
    checks += metric_checks(contract, columns, source, format)
    rules += metric_rules(columns, format)
    suspect = is_suspect(rules, on_grid=on_grid)
    return Plan(
        dataset=dataset,
        format=format,
        timezone=contract.timezone if format == "csv" else "UTC",
        columns=tuple((column.name, column.type) for column in columns.columns),
        delivered=delivered_columns(columns.columns, format),
        rows_check=rows_check(contract, columns),
        scan_checks=tuple(checks),
        window=times,
        prepare=prepare,
        sums=_sums(parts, counted | {"suspects": f"count(CASE WHEN {suspect} THEN 1 END)"}),
        scan=sql_file(
            "powerstage.checks",
            "scan.sql",
            counts=", ".join(check.count for check in checks),
            broken=broken_rows(rules),
            source=source,
            is_suspect=suspect,
        ),
        queries=query_checks(contract, columns, with_inventory=with_inventory),
        views=_views(contract, dataset),
        **_file_checks(contract, columns),
    )


def _views(contract: Contract, dataset: DatasetName) -> dict[DatasetName, str]:
    """What the views of a query select: of a snapshot, which may be a CSV, typed again."""
    delivered = ", ".join(sql_name(column.name) for column in contract.dataset(dataset).columns)
    if dataset == "inventory":
        return {"inventory": delivered}
    snapshot = ", ".join(
        f"TRY_CAST({sql_name(column.name)} AS {column.type}) AS {sql_name(column.name)}"
        for column in contract.inventory.columns
    )
    return {"inventory": snapshot, "telemetry": delivered}


def _sums(parts: Sequence[str], counted: Mapping[str, str]) -> tuple[str, ...]:
    """Statements that add up the sums of all parts; DuckDB forms those at once."""
    sums_ = ", ".join(f"{sql} AS {name}" for name, sql in counted.items())
    of_parts = " UNION ALL ".join(f"SELECT {sums_} FROM {part}" for part in parts)
    return (
        f"CREATE TEMP TABLE whole AS SELECT {totals(counted)} FROM ({of_parts})",
        "SET VARIABLE suspects = (SELECT suspects FROM whole)",
    )


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
    }


def _prepare(
    contract: Contract, window: Window | None, *, with_inventory: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What sets the window, and what makes the grid in it."""
    roles = contract.roles
    start, stamp = start_us(roles), sql_name(roles.stamp)
    period_us = microseconds(contract.delivery_interval)
    interval_us = microseconds(roles.reading_interval)
    looked_up: tuple[str, ...] = ()
    if window:
        bounds = (str(_epoch_us(window.start)), str(_epoch_us(window.end)))
    else:
        starts = f"{{'first': min({start}), 'last': max({start})}}"
        looked_up = (
            f"SET VARIABLE starts = (SELECT {starts} FROM delivered WHERE isfinite({stamp}))",
        )
        first, last = (f"getvariable('starts').{name} // {period_us}" for name in ("first", "last"))
        bounds = (
            f"coalesce({first}, 0) * {period_us}",
            f"coalesce({last} + 1, 0) * {period_us}",
        )
    devices = device_table(contract) if with_inventory else _NO_DEVICE
    measures = " ".join(
        f"WHEN {sql_text(measure.name)} THEN {index}"
        for index, measure in enumerate(contract.measures)
    )
    parts = {
        "measures": measures,
        "measure_count": len(contract.measures),
        "device": sql_name(roles.device),
        "measure": sql_name(roles.measure),
        "start_us": grid_start_us(roles),
        "is_in_time": is_in_time(roles),
        "interval_us": interval_us,
    }
    views = {"reading": "delivered"}
    if with_inventory and contract.curves is not None:
        for half, name in enumerate(HALVES):
            views[name] = f"({neighbours(contract, contract.curves, half)})"
    return (
        *looked_up,
        f"SET VARIABLE window_start = ({bounds[0]})::BIGINT",
        f"SET VARIABLE window_end = ({bounds[1]})::BIGINT",
    ), (
        f"CREATE TEMP TABLE device AS {devices}",
        f"SET VARIABLE slots = {_SLOTS.format(interval_us=interval_us)}",
        f"SET VARIABLE positions = {_POSITIONS.format(measures=len(contract.measures))}",
        *(
            f"CREATE TEMP VIEW {name} AS"
            f" {sql_file('powerstage.checks', 'reading.sql', delivered=source, **parts)}"
            for name, source in views.items()
        ),
    )


def _epoch_us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
