"""The checks whose failures one scan counts, each with the SQL for its count and its samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from powerstage.checks.result import Check
from powerstage.checks.rules import (
    FILE,
    GRID_POSITION,
    GRID_SLOT,
    LISTED_PREFIX,
    RAW_PREFIX,
    ROW,
    RowRule,
    microseconds,
)
from powerstage.contract.model import Contract, Dataset
from powerstage.engine import sql_file, sql_name, sql_text

SAMPLES_MAX: Final = 5
# What is sent of a text: the parent shows less, and says where it cuts.
TEXT_CHARACTERS_MAX: Final = 300
COMPLETE: Final = "grid.complete"

_EXPECTED: Final = "getvariable('positions')"
# Distinct readings, each by its dense position: a bit in one bitmap.
_BITS: Final = f"bitstring_agg({GRID_POSITION}, 0, greatest({_EXPECTED}, 1)::BIGINT - 1)"
_ON_GRID: Final = {"bits": _BITS, "present": f"count({GRID_POSITION})"}
# A share is no exact number: what is just allowed stays so.
_TOLERANCE: Final = 1 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCheck:
    """A check whose failures the scan counts.

    ``count`` is SQL for ``[failed, total]`` in the scan, of the counts that ``broken_rows`` and
    ``totals`` name; a rule of the user's own adds the number that it is about. Where it gives null,
    the scan cannot tell, and ``recount`` is a query that does. ``samples`` is SQL for up to five
    of those that fail: file, row (0 where there is none), and a map of names to texts; none
    where no row is at fault. ``share_max`` is how much of the total may fail. ``predicate`` is
    SQL that is true for a row that fails; empty where no row does. ``found`` names those values
    of a sample that show why it fails; the others say which reading it is.
    """

    check: Check
    count: str
    samples: str
    recount: str = ""
    share_max: float = 0.0
    predicate: str = ""
    found: tuple[str, ...] = ()


def label(name: str) -> str:
    """What people call a column; a CSV's own text stands in for a value that it is none of."""
    if name.startswith(LISTED_PREFIX):
        return f"inventory {name.removeprefix(LISTED_PREFIX)}"
    return name.removeprefix(RAW_PREFIX)


def broken_rows(rules: Sequence[RowRule]) -> str:
    """SQL for how many rows break each rule."""
    # FILTER would say the same, and take half as long again.
    counts = (
        f"count(CASE WHEN {rule.predicate} THEN 1 END) AS {sql_name(rule.id)}" for rule in rules
    )
    return ", ".join(counts)


def is_suspect(rules: Sequence[RowRule], *, on_grid: bool) -> str:
    """SQL for whether a row may break a rule: true for each that does."""
    if not on_grid:
        return " OR ".join(f"({rule.predicate})" for rule in rules)
    placed = [
        rule.predicate if rule.predicate_on_grid is None else rule.predicate_on_grid
        for rule in rules
    ]
    return " OR ".join([f"{GRID_POSITION} IS NULL", *(f"({sql})" for sql in placed if sql)])


def sums(contract: Contract, dataset: Dataset, *, on_grid: bool) -> dict[str, str]:
    """What is counted over the rows of a part, by names: keys, on a grid by their places there."""
    return {"rows": "count(*)"} | (
        _ON_GRID if on_grid else _distinct(_unique_columns(contract, dataset))
    )


def totals(names: Iterable[str]) -> str:
    """SQL for the sums of all parts; of bitmaps, how many bits are set: ``distinct_``."""
    return ", ".join(
        "coalesce(bit_count(bit_or(bits)), 0) AS distinct_"
        if name == "bits"
        else f"sum({name}) AS {name}"
        for name in names
    )


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
            counts="rows",
        ),
        count=f"SELECT [sum(abs(coalesce(promised.rows - {rows}, 0))), sum({rows})] FROM {files}",
        samples=f"SELECT file, 0, {texts(shown)} FROM {files}"
        f" WHERE promised.rows <> {rows} ORDER BY file LIMIT {SAMPLES_MAX}",
    )


def row_check(contract: Contract, dataset: Dataset, source: str, rule: RowRule) -> ScanCheck:
    """A rule over single rows of a view."""
    shown = {label(name): sql_name(name) for name in (*dataset.key, *rule.values)}
    return ScanCheck(
        check=Check(
            id=rule.id,
            words=rule.words,
            expected=rule.expected,
            severity=rule.rule.severity,
            at=contract.at(rule.rule),
            sql=f"SELECT * FROM {source} WHERE {rule.predicate}",
        ),
        count=f"[broken.{sql_name(rule.id)}, rows]",
        samples=f"SELECT {FILE}, {ROW}, {texts(shown)} FROM {source} WHERE {rule.predicate}"
        f" ORDER BY {FILE}, {ROW} LIMIT {SAMPLES_MAX}",
        predicate=rule.predicate,
        found=tuple(map(label, rule.values)),
    )


def key_checks(contract: Contract, dataset: Dataset, source: str) -> tuple[ScanCheck, ScanCheck]:
    """Whether a key stands twice, and whether the rows of one that does say the same."""
    unique = _unique_columns(contract, dataset)
    shared = ", ".join(
        "interval" if column == GRID_SLOT else name
        for name, column in zip(dataset.key, unique, strict=True)
    )
    columns = ", ".join(unique)
    doubled = f"FROM {source} WHERE {_known(unique)} GROUP BY {columns} HAVING count(*) > 1"
    predicate = f"{_tuple(unique)} IN (SELECT {_tuple(unique)} {doubled})"
    shown = {name: f"min({sql_name(name)})" for name in dataset.key} | {"rows": "count(*)"}
    at = contract.at(dataset.rule)
    others = [column.name for column in dataset.columns if column.name not in dataset.key]
    differ = sql_file(
        "powerstage.checks",
        "differing.sql",
        source=source,
        doubled=f"SELECT {columns} {doubled}",
        columns=columns,
        shown=", ".join(
            [
                texts({name: f"min({sql_name(name)})" for name in dataset.key}),
                *map(_differing, others),
            ]
        ),
        others=", ".join(map(sql_name, others)) or "NULL",
        file=FILE,
    )
    return ScanCheck(
        check=Check(
            id="key.unique",
            words=f"no two rows have the same {shared}",
            expected="one row per key",
            severity="error",
            at=at,
            sql=f"SELECT * FROM {source} WHERE {predicate} ORDER BY {columns}",
            counts="surplus rows",
        ),
        count="[present - distinct_, rows]",
        samples=sql_file(
            "powerstage.checks",
            "doubled.sql",
            source=source,
            doubled=doubled,
            columns=columns,
            shown=texts(shown),
            file=FILE,
            row=ROW,
            samples_max=SAMPLES_MAX,
            text_characters_max=TEXT_CHARACTERS_MAX,
        ),
        predicate=predicate,
        found=("rows", "also at"),
    ), ScanCheck(
        check=Check(
            id="key.agrees",
            words=f"rows with the same {shared} say the same",
            expected="equal rows",
            severity="error",
            at=at,
            counts="keys",
        ),
        count="CASE WHEN present = distinct_ THEN [0, distinct_] END",
        recount=f"SELECT [count(*), (SELECT count(*) FROM (SELECT 1 {doubled}))] FROM ({differ})",
        samples=f'SELECT {FILE}, 0, "at:shown" FROM ({differ})'
        f" ORDER BY {columns} LIMIT {SAMPLES_MAX}",
        found=tuple(others),
    )


def complete_check(contract: Contract) -> ScanCheck:
    """Whether the grid is full; its samples are runs of missing readings."""
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
        count=f"[{_EXPECTED} - distinct_, {_EXPECTED}]",
        samples=sql_file(
            "powerstage.checks",
            "missing.sql",
            measures=measures,
            measure_count=len(contract.measures),
            interval_us=microseconds(contract.roles.reading_interval),
            samples_max=SAMPLES_MAX,
        ),
        share_max=_missing_share_max(contract),
    )


def silent_check(contract: Contract) -> ScanCheck:
    """Whether every device was read at all: wherever no reading is missing, each was."""
    rule = contract.completeness_rule
    device = contract.roles.device
    silent = (
        'FROM device WHERE "grid:device" NOT IN'
        ' (SELECT DISTINCT "grid:device" FROM reading WHERE "grid:device" IS NOT NULL)'
    )
    devices = "(SELECT count(*) FROM device)"
    return ScanCheck(
        check=Check(
            id="device.silent",
            words="no device of the inventory is silent",
            expected="a reading of each device",
            severity=rule.severity,
            at=contract.at(rule),
            sql=f"SELECT * {silent}",
            counts="devices",
        ),
        count=f"CASE WHEN distinct_ = {_EXPECTED} THEN [0, {devices}] END",
        recount=f"SELECT [count(*), {devices}] {silent}",
        samples=f"""SELECT '', 0, {texts({device: '"grid:name"'})} {silent}"""
        f' ORDER BY "grid:name" LIMIT {SAMPLES_MAX}',
        share_max=_missing_share_max(contract),
    )


def _missing_share_max(contract: Contract) -> float:
    return (1 - contract.completeness) * _TOLERANCE


def _unique_columns(contract: Contract, dataset: Dataset) -> list[str]:
    """SQL names of what no two rows share: the key, with the slot for a stamp that jitters."""
    jitters = dataset.name == "telemetry" and contract.roles.jitter
    return [
        GRID_SLOT if jitters and name == contract.roles.stamp else sql_name(name)
        for name in dataset.key
    ]


def _distinct(names: list[str]) -> dict[str, str]:
    """Distinct keys, and keys present."""
    return {
        "distinct_": f"count(DISTINCT {_tuple(names)}) FILTER (WHERE {_known(names)})",
        "present": f"count(*) FILTER (WHERE {_known(names)})",
    }


def _differing(name: str) -> str:
    """SQL for the least and the greatest value of a column, where they are two."""
    least, greatest = f"min({sql_name(name)})", f"max({sql_name(name)})"
    both = texts({name: f"concat({least}, ' and ', {greatest})"})
    return f"CASE WHEN {least} <> {greatest} THEN {both} END"


def _tuple(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _known(names: list[str]) -> str:
    return " AND ".join(f"{name} IS NOT NULL" for name in names)


def texts(values: dict[str, str]) -> str:
    """SQL for a map of names to the texts of these values."""
    # Cut here already: a megabyte in each of the rows that are sorted fills the memory.
    entries = (
        f"{sql_text(name)}: left({value}::VARCHAR, {TEXT_CHARACTERS_MAX})"
        for name, value in values.items()
    )
    return f"MAP {{{', '.join(entries)}}}"
