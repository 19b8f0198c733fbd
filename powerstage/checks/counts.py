"""The checks whose failures one scan counts, each with the SQL for its count and its samples."""

from dataclasses import dataclass
from typing import Final

from powerstage.checks.result import Check
from powerstage.checks.rules import FILE, GRID_SLOT, RAW_PREFIX, ROW, RowRule, microseconds
from powerstage.contract.model import Contract, Dataset
from powerstage.engine import sql_file, sql_name, sql_text

SAMPLES_MAX: Final = 5
COMPLETE: Final = "grid.complete"

# Distinct, expected and present readings, each by its dense position: a bit in one bitmap.
_BITS: Final = (
    "bitstring_agg(\"grid:position\", 0, greatest(getvariable('positions'), 1)::BIGINT - 1)"
)
_ON_GRID: Final = (f"coalesce(bit_count({_BITS}), 0)", 'count("grid:position")')
_EXPECTED: Final = "getvariable('positions')"
# A share is no exact number: what is just allowed stays so.
_TOLERANCE: Final = 1 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCheck:
    """A check whose failures the scan counts.

    ``count`` is SQL for ``[failed, total]``, an aggregate over the rows; a rule of the user's own
    adds the number that it is about. ``samples`` is SQL for up to five of those that fail: file,
    row (0 where there is none), and a map of names to texts; none where no row is at fault.
    ``share_max`` is how much of the total may fail. ``predicate`` is SQL that is true for a row
    that fails; empty where no row does. ``found`` names those values of a sample that show why it
    fails; the others say which reading it is.
    """

    check: Check
    count: str
    samples: str
    share_max: float = 0.0
    predicate: str = ""
    found: tuple[str, ...] = ()


def rows_check(contract: Contract, dataset: Dataset) -> ScanCheck:
    """Whether files hold the rows that were promised; its count is a query of its own."""
    held = f"(SELECT {FILE} AS file, count(*) AS rows FROM delivered GROUP BY ALL) AS held"
    files = f"promised LEFT JOIN {held} USING (file)"
    rows = "coalesce(held.rows, 0)"
    shown = {"rows": rows, "promised": "promised.rows"}
    return ScanCheck(
        check=Check(
            id="rows.as_committed",
            words="the files hold the rows that the commit promises",
            expected="equal counts",
            severity="error",
            at=contract.at(dataset.rule),
            counts="files",
        ),
        count=f"SELECT [sum(abs(coalesce(promised.rows - {rows}, 0))), sum({rows})] FROM {files}",
        samples=f"SELECT file, 0, {_texts(shown)} FROM {files}"
        f" WHERE promised.rows <> {rows} ORDER BY file LIMIT {SAMPLES_MAX}",
    )


def row_check(contract: Contract, dataset: Dataset, source: str, rule: RowRule) -> ScanCheck:
    """A rule over single rows of a view."""
    # A CSV's own text stands in for a value that it is none of.
    shown = {name.removeprefix(RAW_PREFIX): sql_name(name) for name in (*dataset.key, *rule.values)}
    return ScanCheck(
        check=Check(
            id=rule.id,
            words=rule.words,
            expected=rule.expected,
            severity=rule.rule.severity,
            at=contract.at(rule.rule),
            sql=f"SELECT * FROM {source} WHERE {rule.predicate}",
        ),
        # FILTER would say the same, and take half as long again.
        count=f"[count(CASE WHEN {rule.predicate} THEN 1 END), count(*)]",
        samples=f"SELECT {FILE}, {ROW}, {_texts(shown)} FROM {source} WHERE {rule.predicate}"
        f" ORDER BY {FILE}, {ROW} LIMIT {SAMPLES_MAX}",
        predicate=rule.predicate,
        found=tuple(name.removeprefix(RAW_PREFIX) for name in rule.values),
    )


def unique_check(contract: Contract, dataset: Dataset, source: str, *, on_grid: bool) -> ScanCheck:
    """Whether a key stands twice; on the grid, by its place there."""
    unique = _unique_columns(contract, dataset)
    shared = [
        "interval" if column == GRID_SLOT else name
        for name, column in zip(dataset.key, unique, strict=True)
    ]
    columns = ", ".join(unique)
    shown = {name: f"min({sql_name(name)})" for name in dataset.key} | {"rows": "count(*)"}
    distinct, present = _ON_GRID if on_grid else _distinct(unique)
    also = f"CASE WHEN min({FILE}) <> max({FILE}) THEN {_texts({'also in': f'max({FILE})'})} END"
    return ScanCheck(
        check=Check(
            id="key.unique",
            words=f"no two rows have the same {', '.join(shared)}",
            expected="one row per key",
            severity="error",
            at=contract.at(dataset.rule),
            counts="surplus rows",
        ),
        count=f"[{present} - {distinct}, count(*)]",
        samples=f"SELECT min({FILE}), 0, map_concat({_texts(shown)}, {also}) FROM {source}"
        f" WHERE {_known(unique)} GROUP BY {columns} HAVING count(*) > 1"
        f" ORDER BY {columns} LIMIT {SAMPLES_MAX}",
        predicate=f"{_tuple(unique)} IN (SELECT {_tuple(unique)} FROM {source}"
        f" WHERE {_known(unique)} GROUP BY {columns} HAVING count(*) > 1)",
        found=("rows", "also in"),
    )


def complete_check(contract: Contract) -> ScanCheck:
    """Whether the grid is full; its samples are runs of missing readings."""
    distinct, _ = _ON_GRID
    rule = contract.completeness_rule
    measures = ", ".join(
        f"({index}, {sql_text(measure.name)})" for index, measure in enumerate(contract.measures)
    )
    return ScanCheck(
        check=Check(
            id=COMPLETE,
            words="every device is read in every interval, for every measure",
            expected=f"{contract.completeness:.1%} of the readings",
            severity=rule.severity,
            at=contract.at(rule),
            counts="readings missing",
        ),
        count=f"[{_EXPECTED} - {distinct}, {_EXPECTED}]",
        samples=sql_file(
            "powerstage.checks",
            "missing.sql",
            measures=measures,
            measure_count=len(contract.measures),
            interval_us=microseconds(contract.roles.reading_interval),
            samples_max=SAMPLES_MAX,
        ),
        share_max=(1 - contract.completeness) * _TOLERANCE,
    )


def _unique_columns(contract: Contract, dataset: Dataset) -> list[str]:
    """SQL names of what no two rows share: the key, with the slot for a stamp that jitters."""
    jitters = dataset.name == "telemetry" and contract.roles.jitter
    return [
        GRID_SLOT if jitters and name == contract.roles.stamp else sql_name(name)
        for name in dataset.key
    ]


def _distinct(names: list[str]) -> tuple[str, str]:
    """Distinct keys, and keys present."""
    return (
        f"count(DISTINCT {_tuple(names)}) FILTER (WHERE {_known(names)})",
        f"count(*) FILTER (WHERE {_known(names)})",
    )


def _tuple(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _known(names: list[str]) -> str:
    return " AND ".join(f"{name} IS NOT NULL" for name in names)


def _texts(values: dict[str, str]) -> str:
    """SQL for a map of names to the texts of these values."""
    entries = (f"{sql_text(name)}: {value}::VARCHAR" for name, value in values.items())
    return f"MAP {{{', '.join(entries)}}}"
