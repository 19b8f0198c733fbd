"""Guesses at the cause of a finding, where its values are telling: plain words, from samples.

Where a hint speaks of all rows, all samples agree; it is a guess all the same.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from math import isfinite, isinf, isnan
from typing import Final

from powerstage.checks.plan import Window
from powerstage.checks.result import CheckResult, Report
from powerstage.checks.time_hints import grid_hints, interval_hints, missing_hints, shift_hints
from powerstage.contract.model import Contract, Measure

_SENTINELS: Final = {
    -1.0: "-1 often stands for 'no reading'",
    32_767.0: "32767 is the highest number of 16 bits with a sign: most likely 'no reading'",
    65_535.0: "65535 is all bits of 16: the meter most likely had no reading",
    2_147_483_647.0: "2147483647 is the highest number of 32 bits with a sign: 'no reading'",
    4_294_967_295.0: "4294967295 is all bits of 32: the meter most likely had no reading",
    **{number: f"{number:.0f} often stands for 'no reading'" for number in (-9999.0, -999.0)},
}
_LEAVE_OUT: Final = "leave such a reading out"
# What a value has to be multiplied with, and what it then was.
_SCALES: Final = {
    "W": {1_000.0: "kW", 0.001: "mW", 1 / 3.412: "BTU/h"},
    "kW": {0.001: "W"},
    "%": {100.0: "a fraction of 1"},
}
_CONVERSIONS: Final = {
    ("kw", "W"): "1 kW is 1000 W",
    ("mw", "W"): "1 W is 1000 mW, and 1 MW is 1000000 W",
    ("btu/h", "W"): "1 W is 3.412 BTU/h",
    ("va", "W"): "VA is apparent power: W is less by the power factor",
    ("w", "kW"): "1 kW is 1000 W",
}
_NO_VALUE: Final = {"na", "n/a", "#n/a", "null", "none", "nil", "-", "--", "missing", "unknown"}
# The least and the most power of a sample, in the unit of its measure.
_CURVE: Final = re.compile(r"(-?[0-9.]+)\.\.(-?[0-9.]+) \S+")
_FORMS: Final = {
    r"[+-]?\d+,\d{1,2}|[+-]?\d{4,},\d+": "a comma stands for the decimal point: write 12.5",
    r"[+-]?\d{1,3}([ ,']\d{3})+(\.\d+)?": "thousands are separated: write 1234.5",
    r"\d{1,2}[./]\d{1,2}[./]\d{2,4}.*": "write stamps as 2026-11-02T05:00:00Z",
    r"\d{10}|\d{13}": "this looks like seconds or milliseconds since 1970:"
    " write stamps as 2026-11-02T05:00:00Z",
    r"[+-]?\d+(\.\d+)?\s*[A-Za-z%]+": "the unit has a column of its own",
}


def add_hints(report: Report, contract: Contract, window: Window | None = None) -> Report:
    """A report whose findings come with hints.

    Args:
        report: on files of one dataset, or of an export.
        contract: what was agreed.
        window: the period that is delivered; None where that is not said.
    """
    if not report.findings:
        return report

    def hinted(result: CheckResult) -> CheckResult:
        if result.outcome == "pass":
            return result
        hints = dict.fromkeys(_hints(result, report, contract, window))
        return replace(result, hints=tuple(hints))

    return replace(report, results=tuple(hinted(result) for result in report.results))


def _hints(
    finding: CheckResult, report: Report, contract: Contract, window: Window | None
) -> Iterator[str]:
    roles, id_ = contract.roles, finding.check.id
    column, _, rule = id_.rpartition(".")
    by_id: dict[str, Callable[[], Iterator[str]]] = {
        "types.agreed": lambda: _type_hints(finding),
        "columns.agreed": lambda: _column_hints(finding),
        "key.unique": lambda: _twice_hints(finding),
        "reading.interval": lambda: interval_hints(finding, contract),
        "reading.on_grid": lambda: grid_hints(finding, contract),
        "reading.in_period": lambda: shift_hints(finding, report, contract, window),
        "grid.complete": lambda: missing_hints(finding, report),
        f"{roles.unit}.of_measure": lambda: _unit_hints(finding, contract),
        f"{roles.unit}.allowed": lambda: _unit_hints(finding, contract),
    }
    if id_ in by_id:
        yield from by_id[id_]()
    elif rule == "type":
        yield from _form_hints(_texts(finding, column))
    elif column == roles.value:
        yield from _value_hints(finding, contract)
    if rule in {"allowed", "in_inventory", "pattern", "known"} and any(
        text != text.strip() for text in _texts(finding, column)
    ):
        yield f"there are blanks around {column}"


def _texts(finding: CheckResult, name: str) -> list[str]:
    found = (dict(sample.values).get(name) for sample in finding.samples)
    return [text for text in found if text is not None]


def _value_hints(finding: CheckResult, contract: Contract) -> Iterator[str]:
    measures = {measure.name: measure for measure in contract.measures}
    others = []
    for sample in finding.samples:
        values = dict(sample.values)
        number = _number(values.get(contract.roles.value, ""))
        if number is None:
            continue
        if isnan(number):
            yield f"NaN is what pandas and numpy write for a missing value; {_LEAVE_OUT}"
        elif isinf(number):
            yield f"a division by zero gives such a value; {_LEAVE_OUT}"
        elif number in _SENTINELS:
            yield f"{_SENTINELS[number]}; {_LEAVE_OUT}"
        elif measure := measures.get(values.get(contract.roles.measure, "")):
            others.append((number, measure))
    _, _, rule = finding.check.id.rpartition(".")
    if others and rule in _OF_ALL:
        yield from _OF_ALL[rule](finding, others)


def _scale_hints(_: CheckResult, found: list[tuple[float, Measure]]) -> Iterator[str]:
    """Where another unit puts all of the values into their ranges."""
    unit = found[0][1].unit
    for factor, name in _SCALES.get(unit, {}).items():
        if all(
            measure.unit == unit and measure.minimum < number * factor <= measure.maximum
            for number, measure in found
        ):
            yield f"the values would be in range if they were {name}, not {unit}"
    if all(number < 0 < -number <= measure.maximum for number, measure in found):
        yield "the values would be in range with the other sign"
    if unit == "%" and all(number > measure.maximum for number, measure in found):
        yield "a utilisation of all cores added up, not their mean, is above 100 %"


def _curve_hints(finding: CheckResult, found: list[tuple[float, Measure]]) -> Iterator[str]:
    """Where another unit puts all of the powers on their curves."""
    curves = [_CURVE.fullmatch(text) for text in _texts(finding, "expected")]
    unit = found[0][1].unit
    for factor, name in _SCALES.get(unit, {}).items():
        if len(curves) == len(found) and all(
            curve and float(curve[1]) <= number * factor <= float(curve[2])
            for curve, (number, _) in zip(curves, found, strict=True)
        ):
            yield f"the values would be on the curve if they were {name}, not {unit}"


# What all of the values of a finding show together.
_OF_ALL: Final = {"range": _scale_hints, "on_curve": _curve_hints}


def _unit_hints(finding: CheckResult, contract: Contract) -> Iterator[str]:
    units = [measure.unit for measure in contract.measures]
    for text in _texts(finding, contract.roles.unit):
        for unit in units:
            if text != unit and text.strip().casefold() == unit.casefold():
                yield f"{text!r} is {unit!r} but for case or blanks"
            if words := _CONVERSIONS.get((text.strip().casefold(), unit)):
                yield f"{words}: convert the values too, unless only the unit is wrong"


def _form_hints(texts: list[str]) -> Iterator[str]:
    for text in texts:
        if text.strip().casefold() in _NO_VALUE:
            yield f"{text!r} stands for no value; {_LEAVE_OUT}"
        for form, words in _FORMS.items():
            if re.fullmatch(form, text.strip()):
                yield words
                break


def _type_hints(finding: CheckResult) -> Iterator[str]:
    for sample in finding.samples:
        for column, words in sample.values:
            found, _, agreed = words.partition(", not ")
            if found.startswith("TIMESTAMP") and agreed == "TIMESTAMPTZ":
                yield (
                    f"{column} has no time zone, so it may be local time: write stamps as UTC"
                    " (pandas: dt.tz_localize of their zone, then dt.tz_convert('UTC'))"
                )
            elif found == "VARCHAR":
                yield f"{column} was written as text: cast it before it is written"
            elif found in {"BIGINT", "INTEGER"} and agreed == "TIMESTAMPTZ":
                yield f"{column} is a number, perhaps of seconds since 1970: write stamps"


def _column_hints(finding: CheckResult) -> Iterator[str]:
    for sample in finding.samples:
        values = dict(sample.values)
        extra = {_plain(name): name for name in values.get("not agreed", "").split(", ")}
        for name in filter(None, values.get("missing", "").split(", ")):
            if near := get_close_matches(_plain(name), list(extra), n=1, cutoff=0.75):
                yield f"{extra[near[0]]!r} may be {name!r} by another name"


def _twice_hints(finding: CheckResult) -> Iterator[str]:
    # In its own file a row has a number; in another, the file is named before it.
    others = [dict(sample.values).get("also at", "") for sample in finding.samples]
    if others and all(":" in places for places in others):
        yield "the same rows stand in two files: one of them was exported twice, or they overlap"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) or text else None
