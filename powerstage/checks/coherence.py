"""The check that the power of a device goes with its load, by the curve of its model.

It needs two readings of one interval. One pass pairs rows that stand beside each other, as they do
in files sorted by device and time, and needs no memory for it; if they are fewer than there are
pairs, or a reading is there twice, another query pairs them wherever they are. Both say the same.
"""

from dataclasses import dataclass
from typing import Final

from powerstage.checks.counts import SAMPLES_MAX, ScanCheck, texts
from powerstage.checks.result import Check
from powerstage.checks.rules import FILE, HALF, ROW
from powerstage.contract.model import Contract, Curves
from powerstage.engine import sql_double, sql_file, sql_name, sql_text

# Views of the rows with their neighbours; what looks at neighbours is for one processor.
HALVES: Final = ("neighbour0", "neighbour1")
_PACKAGE: Final = "powerstage.checks"
_UNIT_WATTS: Final = {"W": 1.0, "kW": 1000.0}
_DIGITS: Final = {"W": 1, "kW": 4}
_STEP_PERCENT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Coherence:
    """The check, with what it adds to the scan.

    ``prepare`` is a statement; ``sums`` are to be formed over each of ``sources``, and added.
    """

    check: ScanCheck
    prepare: str
    sources: tuple[str, ...]
    sums: dict[str, str]


def coherence(contract: Contract, curves: Curves) -> Coherence:
    """The check of a contract that agrees on curves."""
    names, roles = [measure.name for measure in contract.measures], contract.roles
    load, power = (names.index(name) for name in (curves.load, curves.power))
    value = sql_name(roles.value)
    # What stands before a pair's second row is its first.
    first, second = _in_order(curves)
    pair = ('"before:value"', value) if first == curves.load else (value, '"before:value"')
    on_grid = '"grid:position" IS NOT NULL AND "grid:measure"'
    is_pair = (
        f'{on_grid} = {names.index(second)} AND "before:is_first"'
        f' AND "before:device" = {sql_name(roles.device)}'
        f' AND "before:stamp" = {sql_name(roles.stamp)}'
    )
    filters = {
        "pairs": '"pair:here"',
        # An AND would look up curves for all rows.
        "off": f'CASE WHEN "pair:here" THEN {_is_off(contract, curves, *pair)} END',
        "loads": f"{on_grid} = {load}",
        "powers": f"{on_grid} = {power}",
    }
    distance = f"getvariable('slots') * ({power - load})"
    pairs = sql_file(_PACKAGE, "pair.sql", load=load, power=power, value=value, distance=distance)
    return Coherence(
        check=_check(contract, curves, pairs),
        prepare=f"SET VARIABLE curve = {_lines(contract, curves)}",
        sources=tuple(f'(SELECT *, {is_pair} AS "pair:here" FROM {name})' for name in HALVES),
        sums={name: f"count(*) FILTER (WHERE {sql})" for name, sql in filters.items()},
    )


def neighbours(contract: Contract, curves: Curves, half: int) -> str:
    """SQL for the rows of half of ``delivered``, each with what may be the other of a pair."""
    roles = contract.roles
    first, second = _in_order(curves)
    names = sorted(measure.name for measure in contract.measures)
    return sql_file(
        _PACKAGE,
        "neighbour.sql",
        half=f"{HALF} = {half}",
        apart=names.index(second) - names.index(first),
        first=sql_text(first),
        **{
            part: sql_name(getattr(roles, part)) for part in ("device", "stamp", "measure", "value")
        },
    )


def _in_order(curves: Curves) -> list[str]:
    """Load and power, as files that are sorted by their key have them."""
    return sorted((curves.load, curves.power))


def _check(contract: Contract, curves: Curves, pairs: str) -> ScanCheck:
    roles = contract.roles
    is_off = _is_off(contract, curves, '"pair:load"', '"pair:power"')
    low, high = (_limit(name, '"pair:load"') for name in ("low", "high"))
    unit = contract.measure(curves.power).unit
    shown = {name: sql_name(name) for name in contract.telemetry.key}
    shown |= {
        roles.value: sql_name(roles.value),
        curves.load: '"pair:load"',
        "expected": f"printf('%.{_DIGITS[unit]}f..%.{_DIGITS[unit]}f {unit}', {low}, {high})",
    }
    predicate = f'"grid:position" IN (SELECT "grid:position" FROM ({pairs}) WHERE {is_off})'
    return ScanCheck(
        check=Check(
            id=f"{roles.value}.on_curve",
            words=f"{curves.power} goes with {curves.load}, by the curve of the {curves.column}",
            expected=f"the watts of the curve, give or take {curves.tolerance_ratio:.1%}"
            " and the watts of its tolerance",
            severity=curves.rule.severity,
            at=contract.at(curves.rule),
            sql=f"SELECT * FROM reading WHERE {predicate}",
            counts="intervals of a device",
        ),
        count="CASE WHEN pairs = least(loads, powers) AND present = distinct_"
        " THEN [off, pairs] END",
        recount=f"SELECT [count(*) FILTER (WHERE {is_off}), count(*)] FROM ({pairs})",
        samples=sql_file(
            _PACKAGE,
            "off_curve.sql",
            pairs=pairs,
            is_off=is_off,
            file=FILE,
            row=ROW,
            shown=texts(shown),
            samples_max=SAMPLES_MAX,
        ),
        predicate=predicate,
        found=(roles.value, curves.load, "expected"),
    )


def _is_off(contract: Contract, curves: Curves, load: str, power: str) -> str:
    """SQL for whether a power does not go with a load.

    What is out of the range of its measure is for another check to tell.
    """
    ranges = []
    for sql, name in ((load, curves.load), (power, curves.power)):
        measure = contract.measure(name)
        least, most = measure.minimum, measure.maximum
        if name == curves.load:
            least, most = max(least, 0.0), min(most, 100.0)
        ranges.append(f"{sql} BETWEEN {sql_double(least)} AND {sql_double(most)}")
    low, high = (_limit(name, load) for name in ("low", "high"))
    return f"{' AND '.join(ranges)} AND {power} NOT BETWEEN {low} AND {high}"


def _limit(name: str, load: str) -> str:
    """SQL for the least or the most power at a load; null where the model has no curve."""
    # Not every load is one that fits: NaN and what is out of range give null.
    point = f'"grid:curve" + TRY_CAST(floor({load} / {_STEP_PERCENT}) AS INTEGER)'
    lines = "getvariable('curve')"
    return f"({lines}.{name}[{point}] + {lines}.{name}_rise[{point}] * {load})"


def _lines(contract: Contract, curves: Curves) -> str:
    """The lines of least and of most power from each point of all curves to the next.

    A struct of lists: power at no load if the line went there, and power per percent.
    """
    unit_watts = _UNIT_WATTS[contract.measure(curves.power).unit]
    lines: dict[str, list[str]] = {}
    for curve in curves.curves:
        nexts = [*curve.watts[1:], curve.watts[-1]]
        for index, (watts, following) in enumerate(zip(curve.watts, nexts, strict=True)):
            rise = (following - watts) / _STEP_PERCENT
            origin = watts - rise * _STEP_PERCENT * index
            for name, sign in (("low", -1), ("high", 1)):
                ratio = (1 + sign * curves.tolerance_ratio) / unit_watts
                tolerance = sign * curve.tolerance_watts / unit_watts
                lines.setdefault(name, []).append(sql_double(origin * ratio + tolerance))
                lines.setdefault(f"{name}_rise", []).append(sql_double(rise * ratio))
    entries = (f"'{name}': [{', '.join(numbers)}]" for name, numbers in lines.items())
    return f"{{{', '.join(entries)}}}"
