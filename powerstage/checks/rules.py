"""The rules of a contract over single rows: each a SQL predicate, true for a row that breaks it.

A null breaks only the rule against nulls, NaN and infinity only the rule that values are
finite: three things that a tired eye would otherwise take for one.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from powerstage.contract.model import Column, Contract, Dataset, Roles, Rule
from powerstage.engine import sql_name, sql_text

# Columns of ours beside the contract's, none of which has a colon in its name: the place of a
# row, what the file's name says it covers, its place on the grid; what the inventory says of its
# device; and a CSV's texts.
FILE: Final = '"at:file"'
ROW: Final = '"at:row"'
FILE_START: Final = '"at:start"'
FILE_END: Final = '"at:end"'
# Which half of the files a row stands in, 0 or 1: what only one processor can do, two do at once.
HALF: Final = '"at:half"'
GRID_DEVICE: Final = '"grid:device"'
GRID_SLOT: Final = '"grid:slot"'
GRID_POSITION: Final = '"grid:position"'
# The start of a reading's interval, in us since 1970; null where its stamp is not finite.
GRID_START: Final = '"grid:start_us"'
LISTED_PREFIX: Final = "listed:"
RAW_PREFIX: Final = "raw:"
_BIGINT_MIN: Final = -(2**63)
_BIGINT_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """A rule over one row.

    ``predicate`` is SQL that is true for a row that breaks it; ``predicate_on_grid`` says the same
    of a row that has a position on the grid, where less need be looked at: empty where no such row
    breaks it, None where there is nothing less. ``values`` are the columns that show why.
    """

    id: str
    words: str
    expected: str
    rule: Rule
    predicate: str
    values: tuple[str, ...]
    predicate_on_grid: str | None = None


def column_rules(dataset: Dataset, format_: Literal["csv", "parquet"]) -> list[RowRule]:
    """What each column promises by itself."""
    rules: list[RowRule] = []
    for column in dataset.columns:
        rules += _null_and_type_rules(column, format_)
        rules += _value_rules(column)
    return rules


def reading_rules(contract: Contract) -> list[RowRule]:
    """What a reading promises by itself: its measure, its place in time."""
    return [*_measure_rules(contract), *_time_rules(contract)]


def start_us(roles: Roles) -> str:
    """SQL for the start of a reading's interval: us since 1970, where its stamp is finite."""
    if roles.start is not None:
        return f"epoch_us({sql_name(roles.start)})"
    interval_us = microseconds(roles.reading_interval)
    # What ends in the first hours of time starts with them, or it would not fit 64 bits.
    end = f"greatest(epoch_us({sql_name(roles.end)}), {_BIGINT_MIN + interval_us})"
    return f"({end} - {interval_us})"


def grid_start_us(roles: Roles) -> str:
    """SQL for ``GRID_START``.

    What starts in the last hours of time does so early enough for its end to fit 64 bits: anything
    wider takes several times as long.
    """
    latest = _BIGINT_MAX - microseconds(roles.reading_interval) - microseconds(roles.jitter)
    start = f"least({start_us(roles)}, {latest})"
    return f"CASE WHEN isfinite({sql_name(roles.stamp)}) THEN {start} END"


def is_in_time(roles: Roles) -> str:
    """SQL for whether a reading starts with a slot of the grid, or no later than the jitter."""
    interval_us, jitter_us = microseconds(roles.reading_interval), microseconds(roles.jitter)
    late = f"{GRID_START} % {interval_us}"
    if not jitter_us:
        return f"{late} = 0"
    # Before 1970 a remainder is negative.
    return f"({late} BETWEEN 0 AND {jitter_us} OR {late} <= {jitter_us - interval_us})"


def microseconds(length: timedelta) -> int:
    """A length in us."""
    return length // timedelta(microseconds=1)


def _null_and_type_rules(column: Column, format_: str) -> list[RowRule]:
    rules = []
    name = sql_name(column.name)
    raw = sql_name(RAW_PREFIX + column.name) if format_ == "csv" else name
    if column.required:
        rules.append(
            RowRule(
                id=f"{column.name}.not_null",
                words=f"{column.name} is not null",
                expected="a value",
                rule=column.rule,
                predicate=f"{raw} IS NULL",
                values=(column.name,),
            )
        )
    if format_ == "csv" and column.type != "VARCHAR":
        rules.append(
            RowRule(
                id=f"{column.name}.type",
                words=f"{column.name} is a {column.type}",
                expected=column.type,
                rule=column.rule,
                predicate=f"{raw} IS NOT NULL AND {name} IS NULL",
                values=(RAW_PREFIX + column.name,),
            )
        )
    return rules


def _value_rules(column: Column) -> list[RowRule]:
    rules = []
    name = sql_name(column.name)

    def add(rule: str, words: str, expected: str, predicate: str) -> None:
        rules.append(
            RowRule(
                id=f"{column.name}.{rule}",
                words=f"{column.name} {words}",
                expected=expected,
                rule=column.rule,
                predicate=predicate,
                values=(column.name,),
            )
        )

    if column.pattern is not None:
        # The whole text, whatever its alternatives anchor.
        matches = f"regexp_full_match({name}, {sql_text(column.pattern)})"
        add("pattern", f"matches {column.pattern}", column.pattern, f"NOT {matches}")
    if column.allowed:
        allowed = ", ".join(sql_text(value) for value in column.allowed)
        add("allowed", "is an agreed value", allowed, f"{name} NOT IN ({allowed})")
    if column.type in {"DOUBLE", "TIMESTAMPTZ", "DATE"}:
        add("finite", "is finite", "neither NaN nor infinite", f"NOT isfinite({name})")
    if column.minimum is not None or column.maximum is not None:
        low = "-infinity" if column.minimum is None else repr(column.minimum)
        high = "infinity" if column.maximum is None else repr(column.maximum)
        finite = f"isfinite({name}::DOUBLE)"
        outside = f"({name} < '{low}'::DOUBLE OR {name} > '{high}'::DOUBLE)"
        # Not "range": that is the id of the rule about measures.
        add("limits", f"is within {low}..{high}", f"{low}..{high}", f"{finite} AND {outside}")
    return rules


def _measure_rules(contract: Contract) -> list[RowRule]:
    roles = contract.roles
    measure, unit, value = sql_name(roles.measure), sql_name(roles.unit), sql_name(roles.value)
    units, ranges, words = [], [], []
    for known in contract.measures:
        same = f"{measure} = {sql_text(known.name)}"
        right = f"{unit} = {sql_text(known.unit)}"
        units.append(f"({same} AND NOT {right})")
        ranges.append(
            f"({same} AND {right} AND"
            f" ({value} < {known.minimum!r}::DOUBLE OR {value} > {known.maximum!r}::DOUBLE))"
        )
        words.append(f"{known.name} {known.minimum:g}..{known.maximum:g} {known.unit}")
    expected = "; ".join(words)
    rule = contract.measures[0].rule
    names = ", ".join(sql_text(known.name) for known in contract.measures)
    return [
        *(
            # An enum says as much already.
            []
            if contract.telemetry.column(roles.measure).allowed
            else [
                RowRule(
                    id=f"{roles.measure}.known",
                    words=f"{roles.measure} is an agreed measure",
                    expected=names,
                    rule=rule,
                    predicate=f"{measure} NOT IN ({names})",
                    predicate_on_grid="",
                    values=(roles.measure,),
                )
            ]
        ),
        RowRule(
            id=f"{roles.unit}.of_measure",
            words=f"{roles.unit} is that of the measure",
            expected=expected,
            rule=rule,
            predicate=f"({' OR '.join(units)})",
            values=(roles.measure, roles.unit, roles.value),
        ),
        RowRule(
            id=f"{roles.value}.range",
            words=f"{roles.value} is within the range of its measure and unit",
            expected=expected,
            rule=rule,
            predicate=f"isfinite({value}) AND ({' OR '.join(ranges)})",
            values=(roles.value, roles.unit),
        ),
    ]


def _time_rules(contract: Contract) -> list[RowRule]:
    roles = contract.roles
    length = [] if roles.start is None else [_interval_rule(roles, roles.start)]
    return [*length, _grid_rule(roles), _period_rule(contract)]


def _interval_rule(roles: Roles, start: str) -> RowRule:
    jitter_us, interval_us = microseconds(roles.jitter), microseconds(roles.reading_interval)
    seconds = _seconds(roles.reading_interval)
    about = f", give or take {_seconds(roles.jitter)} s" if roles.jitter else ""
    end = f"epoch_us({sql_name(roles.end)})"
    low, high = (f"{GRID_START} + {interval_us + give_us}" for give_us in (-jitter_us, jitter_us))
    return RowRule(
        id="reading.interval",
        words=f"{roles.end} is {seconds} s after {start}{about}",
        expected=f"{seconds} s{about}",
        rule=roles.rule,
        predicate=f"{end} NOT BETWEEN {low} AND {high}" if jitter_us else f"{end} <> {low}",
        values=(roles.end,),
    )


def _grid_rule(roles: Roles) -> RowRule:
    seconds = _seconds(roles.reading_interval)
    after = f", or up to {_seconds(roles.jitter)} s after" if roles.jitter else ""
    return RowRule(
        id="reading.on_grid",
        words=f"{roles.stamp} is on the grid of {seconds} s{after}",
        expected=f"a multiple of {seconds} s, UTC{after}",
        rule=roles.rule,
        predicate=f"NOT {is_in_time(roles)}",
        predicate_on_grid="",
        values=(roles.end,),
    )


def _period_rule(contract: Contract) -> RowRule:
    roles = contract.roles
    outside_file = f"{GRID_START} < {FILE_START} OR {GRID_START} >= {FILE_END}"
    words = roles.start or f"{roles.end} less {_seconds(roles.reading_interval)} s"
    return RowRule(
        id="reading.in_period",
        words=f"{words} is inside the period that is delivered",
        expected="a start inside the period",
        rule=contract.period_rule,
        predicate=f"{GRID_START} < getvariable('window_start')"
        f" OR {GRID_START} >= getvariable('window_end') OR {outside_file}",
        predicate_on_grid=outside_file,
        values=(roles.end,),
    )


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
