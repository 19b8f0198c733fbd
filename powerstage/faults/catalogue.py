"""The named, deliberate defects: what each does, at which level, and which check must see it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from powerstage.contract import Contract, Verdict
from powerstage.engine import sql_name, sql_text

Level: TypeAlias = Literal["reading", "file", "delivery", "wire"]

PERIOD_MISSING: Final = "period.missing"
_SENTINEL: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of defect.

    ``check`` is the id of the check that must see it, ``verdict`` what must come of it; None
    where it is a finding about the feed and no delivery is to blame.
    """

    name: str
    level: Level
    words: str
    check: str
    verdict: Verdict | None


def _reading(name: str, words: str, check: str) -> Fault:
    return Fault(name=name, level="reading", words=words, check=check, verdict="rejected")


def catalogue(contract: Contract) -> tuple[Fault, ...]:
    """Every kind that breaks this contract: what it allows, or only warns of, is no fault."""
    harmless = _harmless(contract)
    return tuple(fault for fault in _kinds(contract) if fault.name not in harmless)


def _harmless(contract: Contract) -> set[str]:
    roles, measure = contract.roles, contract.measures[-1]
    warned = {
        "null_value": not contract.telemetry.column(roles.value).required,
        "sentinel_65535": measure.maximum >= _SENTINEL or measure.rule.severity == "warning",
        "negative_value": measure.minimum < 0 or measure.rule.severity == "warning",
        "wrong_unit": measure.rule.severity == "warning",
        "clock_skew": roles.rule.severity == "warning",
        "wrong_hour": contract.period_rule.severity == "warning",
    }
    incomplete = contract.completeness < 1 or contract.completeness_rule.severity == "warning"
    warned |= dict.fromkeys(("dropped_reading", "silent_device"), incomplete)
    return {name for name, is_harmless in warned.items() if is_harmless}


def _kinds(contract: Contract) -> tuple[Fault, ...]:
    roles = contract.roles
    value, unit, device = roles.value, roles.unit, roles.device
    return (
        _reading("null_value", "a reading without a value", f"{value}.not_null"),
        _reading("nan_value", "a value that is not a number", f"{value}.finite"),
        _reading("sentinel_65535", "65535 where the meter had no reading", f"{value}.range"),
        _reading("negative_value", "a value below zero", f"{value}.range"),
        _reading("wrong_unit", "kW written beside a value in W", f"{unit}.of_measure"),
        _reading("duplicate_reading", "the same reading twice", "key.unique"),
        _reading("dropped_reading", "one reading left out", "grid.complete"),
        _reading("silent_device", "a device that sends nothing", "grid.complete"),
        _reading("ghost_device", "a device that the inventory lacks", f"{device}.in_inventory"),
        _reading("clock_skew", "a device whose clock is half an interval ahead", "reading.on_grid"),
        _file("wrong_hour", "a file that holds another period's readings", "reading.in_period"),
        _file("retyped_file", f"a file with {value} stored as text", "types.agreed"),
        _file("extra_column", "a file with a column nobody agreed on", "columns.agreed"),
        _file("truncated_file", "a file cut short before it was sent", "file.readable"),
        Fault(
            name="missing_hour",
            level="delivery",
            words="a period that is never delivered",
            check=PERIOD_MISSING,
            verdict=None,
        ),
        Fault(
            name="lying_commit",
            level="delivery",
            words="a commit that promises a row too many",
            check="rows.as_committed",
            verdict="rejected",
        ),
        _wire("flipped_byte", "one byte changed on the way", "object.digest"),
        _wire("cut_object", "an object that arrived in part", "object.size"),
        _wire("lost_object", "an object that never arrived", "object.present"),
    )


def _file(name: str, words: str, check: str) -> Fault:
    verdict: Verdict = "unreadable" if check == "file.readable" else "rejected"
    return Fault(name=name, level="file", words=words, check=check, verdict=verdict)


def _wire(name: str, words: str, check: str) -> Fault:
    return Fault(name=name, level="wire", words=words, check=check, verdict="unreadable")


def spoil(contract: Contract, fault: str, device: str, start_us: int) -> str | None:
    """SQL that makes the spoilt rows out of the rows of ``clean``; None if rows are not touched.

    Args:
        contract: names the columns.
        fault: its name.
        device: the device that is hit.
        start_us: the start of the interval that is hit, in microseconds since 1970.
    """
    roles = contract.roles
    measure = contract.measures[-1]
    value, unit, name = sql_name(roles.value), sql_name(roles.unit), sql_name(roles.device)
    start, end = sql_name(roles.stamp), sql_name(roles.end)
    of_device = f"{name} = {sql_text(device)}"
    of_reading = (
        f"{of_device} AND {sql_name(roles.measure)} = {sql_text(measure.name)}"
        f" AND epoch_us({start}) = {start_us}"
    )

    def replaced(column: str, where: str, expression: str) -> str:
        changed = f"CASE WHEN {where} THEN {expression} ELSE {column} END AS {column}"
        return f"SELECT * REPLACE ({changed}) FROM clean"

    period = f"INTERVAL '{int(contract.delivery_interval.total_seconds())} seconds'"
    half_us = roles.reading_interval // timedelta(microseconds=2)
    skewed = f"to_microseconds(CASE WHEN {of_device} THEN {half_us} ELSE 0 END)"
    other_unit = f"k{measure.unit}"
    return {
        "null_value": replaced(value, of_reading, "NULL"),
        "nan_value": replaced(value, of_reading, "'NaN'::DOUBLE"),
        "sentinel_65535": replaced(value, of_reading, str(_SENTINEL)),
        "negative_value": replaced(value, of_reading, f"-1 - abs({value})"),
        "wrong_unit": replaced(unit, of_reading, sql_text(other_unit)),
        "duplicate_reading": f"SELECT * FROM clean UNION ALL FROM clean WHERE {of_reading}",
        "dropped_reading": f"SELECT * FROM clean WHERE NOT ({of_reading})",
        "silent_device": f"SELECT * FROM clean WHERE NOT ({of_device})",
        "ghost_device": replaced(name, of_device, f"'X' || substr({name}, 2)"),
        "clock_skew": f"SELECT * REPLACE ({start} + {skewed} AS {start}, {end} + {skewed} AS"
        f" {end}) FROM clean",
        "wrong_hour": f"SELECT * REPLACE ({start} - {period} AS {start}, {end} - {period} AS"
        f" {end}) FROM clean",
        "retyped_file": f"SELECT * REPLACE ({value}::VARCHAR AS {value}) FROM clean",
        "extra_column": "SELECT *, 1 AS rack FROM clean",
    }.get(fault)
