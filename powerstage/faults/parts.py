"""What a fault must know of a contract: its columns by their part, and why it may be no fault."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from powerstage.checks.rules import microseconds
from powerstage.contract import Contract, Measure
from powerstage.contract.model import Column
from powerstage.engine import sql_name
from powerstage.errors import UsageError
from powerstage.producer.serials import serial_form

_WATT: Final = "W"
_PERCENT: Final = "%"


def columns(contract: Contract) -> dict[str, Column]:
    """The columns of telemetry by their part; a part that the contract lacks is absent."""
    roles = contract.roles
    names = {
        "device": roles.device,
        "measure": roles.measure,
        "start": roles.start,
        "end": roles.end,
        "unit": roles.unit,
        "value": roles.value,
        "site": contract.inventory_site,
    }
    known = {column.name: column for column in contract.telemetry.columns}
    parts = {part: known[name] for part, name in names.items() if name in known}
    texts = [
        column
        for column in contract.telemetry.columns
        if column.type == "VARCHAR" and column.name not in names.values()
    ]
    described = {column.name for column in contract.inventory.columns}
    listed = [column for column in texts if column.name in described]
    others = {
        "model": next(iter(listed), None),
        "product": next(iter(listed[1:]), None),
        "source": next((column for column in texts if column.allowed), None),
    }
    return parts | {part: column for part, column in others.items() if column}


def listed_columns(contract: Contract) -> dict[str, Column]:
    """The columns of the inventory by their part."""
    known = {column.name: column for column in contract.inventory.columns}
    parts = {"device": contract.inventory_device, "site": contract.inventory_site}
    texts = (
        column.name
        for column in contract.inventory.columns
        if column.type == "VARCHAR" and column.name not in parts.values()
    )
    parts |= dict(zip(("model", "product"), texts, strict=False))
    return {part: known[name] for part, name in parts.items()}


def start_us(contract: Contract, table: str) -> str:
    """SQL for the start of a reading's interval, in microseconds since 1970."""
    roles = contract.roles
    if roles.start is not None:
        return f"epoch_us({table}.{sql_name(roles.start)})"
    return f"(epoch_us({table}.{sql_name(roles.end)}) - {microseconds(roles.reading_interval)})"


def power(contract: Contract) -> Measure | None:
    """The measure in watts."""
    return next((known for known in contract.measures if known.unit == _WATT), None)


def utilisation(contract: Contract) -> Measure | None:
    """The measure in percent."""
    return next((known for known in contract.measures if known.unit == _PERCENT), None)


def any_measure(contract: Contract) -> Measure:
    """The measure that a fault of any hits: power, or else the last."""
    return power(contract) or contract.measures[-1]


def needs_power(contract: Contract) -> str:
    """For faults in watts."""
    return "" if power(contract) else "it has no measure in W"


def needs_load(contract: Contract) -> str:
    """For faults in what a device does."""
    return "" if utilisation(contract) else "it has no measure in %"


def needs_model(contract: Contract) -> str:
    """For the power that a model draws."""
    known = {column.name for column in contract.inventory.columns}
    return "" if known & {"model", "product_id"} else "its inventory has no column for a model"


def needs_column(part: str, words: str) -> Callable[[Contract], str]:
    """For faults in a column that not every contract has."""
    return lambda contract: "" if part in columns(contract) else f"telemetry has no {words}"


def needs_required(part: str) -> Callable[[Contract], str]:
    """For what is not there."""

    def reason(contract: Contract) -> str:
        column = columns(contract).get(part)
        return "" if column is None or column.required else f"{column.name} may be null under it"

    return reason


def needs_enum(part: str) -> Callable[[Contract], str]:
    """For a text that is none of those that are agreed."""

    def reason(contract: Contract) -> str:
        column = columns(contract)[part]
        return "" if column.allowed else f"it lists no values of {column.name}"

    return reason


def needs_listed(part: str) -> Callable[[Contract], str]:
    """For a text of the inventory with a space and a question mark at its end."""

    def reason(contract: Contract) -> str:
        column = listed_columns(contract).get(part)
        if column is None or not column.pattern:
            return f"it says nothing of the form of a {part}"
        examples = ("P04654-B21", *(site.code for site in contract.sites))
        if any(re.fullmatch(column.pattern, f"{example} ?") for example in examples):
            return f"it lets a {part} end with a space and a question mark"
        return ""

    return reason


def needs_pattern(contract: Contract) -> str:
    """For a serial number of another form: one that ends with a space and a question mark."""
    pattern = listed_columns(contract)["device"].pattern
    if not pattern:
        return "it says nothing of the form of a serial number"
    with suppress(UsageError):
        if re.fullmatch(pattern, serial_form(pattern).example(0) + " ?"):
            return "it lets a serial number end with a space and a question mark"
    return ""


def needs_start(contract: Contract) -> str:
    """For faults in the length of an interval."""
    return "" if "start" in columns(contract) else "its readings are stamped by their end alone"


def needs_punctual(later: timedelta) -> Callable[[Contract], str]:
    """For readings that are so much later, or half an interval where that is less."""

    def reason(contract: Contract) -> str:
        jitter, half = contract.roles.jitter, contract.roles.reading_interval / 2
        return "" if jitter < min(later, half) else f"it allows a reading {jitter} later"

    return reason


def needs_steady(contract: Contract) -> str:
    """For an interval of half the length: two late stamps must not make up for it."""
    jitter, half = contract.roles.jitter, contract.roles.reading_interval / 2
    return "" if 2 * jitter < half else f"it allows lengths that differ by {jitter}"


def needs_sites(contract: Contract) -> str:
    """For a device that is told from another site."""
    return "" if len(contract.sites) > 1 else "it knows one site alone"


def needs_all(contract: Contract) -> str:
    """For a part of one device's readings left out, which is as small as a fleet is large."""
    enough = contract.completeness
    return "" if enough == 1 else f"{enough:.12g} of the readings are enough for it"


def needs_most(contract: Contract) -> str:
    """For half of the readings left out: they must be too few."""
    enough = contract.completeness
    return "" if enough > 0.5 else f"{enough:.0%} of the readings are enough for it"


def outside(value: float, of: Callable[[Contract], Measure | None]) -> Callable[[Contract], str]:
    """For a value that must be out of its measure's range."""

    def reason(contract: Contract) -> str:
        measure = of(contract)
        if measure is None or not measure.minimum <= value <= measure.maximum:
            return ""
        return f"it allows {measure.name} to be {value:g} {measure.unit}"

    return reason


def within(value: float, of: Callable[[Contract], Measure | None]) -> Callable[[Contract], str]:
    """For what is harmless only while its value is in its measure's range."""

    def reason(contract: Contract) -> str:
        measure = of(contract)
        if measure is None or measure.minimum <= value <= measure.maximum:
            return ""
        return f"it does not allow {measure.name} to be {value:g} {measure.unit}"

    return reason
