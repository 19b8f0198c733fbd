"""The check that the power of a device goes with its load, by the curve of its model.

It needs two readings of one interval. One pass pairs rows that stand beside each other, as they do
in files sorted by device and time, and needs no memory for it; if they are fewer than there are
pairs, or a reading is there twice, another query pairs them wherever they are. Both say the same.
"""

from dataclasses import dataclass
from typing import Final

from powerstage.checks.counts import SAMPLES_MAX, ScanCheck, texts
from powerstage.checks.result import Check
from powerstage.checks.rules import FILE, ROW
from powerstage.contract.model import Contract, Curves
from powerstage.engine import sql_double, sql_file, sql_name

_PACKAGE: Final = "powerstage.checks"
_UNIT_WATTS: Final = {"W": 1.0, "kW": 1000.0}
_STEP_PERCENT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Coherence:
    """The check, with what it adds to the scan.

    ``prepare`` is a statement; ``source`` is what the scan reads in place of the view ``reading``:
    its grid columns and no others, with ``sums`` to be formed over it.
    """

    check: ScanCheck
    prepare: str
    source: str
    sums: dict[str, str]


def coherence(contract: Contract, curves: Curves) -> Coherence:
    """The check of a contract that agrees on curves."""
    names = [measure.name for measure in contract.measures]
    load, power = (names.index(name) for name in (curves.load, curves.power))
    parts = {
        "load": load,
        "power": power,
        "value": sql_name(contract.roles.value),
        "distance": f"getvariable('slots') * ({power - load})",
    }
    in_order = sorted(names)
    apart = abs(in_order.index(curves.load) - in_order.index(curves.power))
    neighbours = _judged(contract, curves, sql_file(_PACKAGE, "neighbour.sql", apart=apart, **parts))
    pairs = _judged(contract, curves, sql_file(_PACKAGE, "pair.sql", **parts))
    on_grid = 'FILTER (WHERE "grid:position" IS NOT NULL AND "grid:measure" = {})'
    return Coherence(
        check=_check(contract, curves, pairs),
        prepare=f"SET VARIABLE curve = {_points(curves)}",
        source=f"({neighbours})",
        sums={
            "pairs": 'count("pair:here")',
            "off": 'count(*) FILTER (WHERE "pair:is_off")',
            "loads": f"count(*) {on_grid.format(load)}",
            "powers": f"count(*) {on_grid.format(power)}",
        },
    )


def _check(contract: Contract, curves: Curves, pairs: str) -> ScanCheck:
    roles = contract.roles
    shown = {name: sql_name(name) for name in contract.telemetry.key}
    shown |= {
        roles.value: sql_name(roles.value),
        curves.load: '"pair:load"',
        "curve": "printf('%.1f W', \"pair:watts\")",
    }
    off = f'FROM ({pairs}) WHERE "pair:is_off"'
    return ScanCheck(
        check=Check(
            id=f"{roles.value}.on_curve",
            words=f"{curves.power} goes with {curves.load}, by the curve of the {curves.column}",
            expected=f"the watts of the curve, give or take {curves.tolerance_ratio:.1%}"
            " and the watts of its tolerance",
            severity=curves.rule.severity,
            at=contract.at(curves.rule),
            sql='SELECT * FROM reading WHERE "grid:position" IN'
            f' (SELECT "grid:position" {off})',
            counts="intervals of a device",
        ),
        count="CASE WHEN pairs = least(loads, powers) AND present = distinct_"
        " THEN [off, pairs] END",
        recount=f'SELECT [count(*) FILTER (WHERE "pair:is_off"), count(*)] FROM ({pairs})',
        samples=sql_file(
            _PACKAGE,
            "off_curve.sql",
            pairs=pairs,
            file=FILE,
            row=ROW,
            shown=texts(shown),
            samples_max=SAMPLES_MAX,
        ),
    )


def _judged(contract: Contract, curves: Curves, pairs: str) -> str:
    load, power = contract.measure(curves.load), contract.measure(curves.power)
    return sql_file(
        _PACKAGE,
        "judged_pair.sql",
        pairs=pairs,
        load_min=sql_double(max(load.minimum, 0.0)),
        load_max=sql_double(min(load.maximum, 100.0)),
        power_min=sql_double(power.minimum),
        power_max=sql_double(power.maximum),
        unit_watts=sql_double(_UNIT_WATTS[power.unit]),
        tolerance_ratio=sql_double(curves.tolerance_ratio),
    )


def _points(curves: Curves) -> str:
    """The points of all curves, each with the line from there to the next: a list of structs."""
    points = []
    for curve in curves.curves:
        nexts = [*curve.watts[1:], curve.watts[-1]]
        for index, (watts, following) in enumerate(zip(curve.watts, nexts, strict=True)):
            rise = (following - watts) / _STEP_PERCENT
            numbers = {
                "watts": watts - rise * _STEP_PERCENT * index,
                "rise": rise,
                "tolerance": curve.tolerance_watts,
            }
            entries = (f"'{name}': {sql_double(number)}" for name, number in numbers.items())
            points.append(f"{{{', '.join(entries)}}}")
    return f"[{', '.join(points)}]"
