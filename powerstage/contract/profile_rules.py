"""The part of the profile about rules: ``quality`` of the two datasets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from powerstage.contract.model import (
    Column,
    Curves,
    Dataset,
    Measure,
    Roles,
    Rule,
    Service,
)
from powerstage.contract.profile_curves import read_curves
from powerstage.contract.profile_schema import read_severity
from powerstage.contract.quality import kind_of
from powerstage.contract.yaml_tree import Items, Mapping, Reader, Scalar, Tree

# The keys that a rule must have, and those that it may have.
_Keys: TypeAlias = dict[str, tuple[str, str]]
_NEEDED: Final = {
    "measures": ("measures", ""),
    "readings": ("device measure end unit value intervalSeconds", "start jitterSeconds"),
    "period": ("", ""),
    "complete": ("ratio", ""),
}
_TELEMETRY: Final[_Keys] = _NEEDED | {
    "curves": ("column load power toleranceRatio curves", ""),
}
_INVENTORY: Final[_Keys] = {
    "sites": ("", ""),
    "service": ("commissioned retired", ""),
}
_ROLE_TYPES: Final = {
    "device": "VARCHAR",
    "measure": "VARCHAR",
    "start": "TIMESTAMPTZ",
    "end": "TIMESTAMPTZ",
    "unit": "VARCHAR",
    "value": "DOUBLE",
}
_LACKED: Final = "which inventory lacks"
_DAY_SECONDS: Final = 86_400
_INTERVAL_SECONDS_MIN: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules over readings."""

    measures: tuple[Measure, ...]
    roles: Roles
    period: Rule
    complete: Rule
    completeness: float
    curves: Curves | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRules:
    """The rules over the inventory; None where nobody agreed on one."""

    sites: Rule | None = None
    service: Service | None = None


def read_rules(reader: Reader, items: Sequence[Tree], line: int) -> Rules | None:
    """The rules for us under ``quality``; None, after complaints, where one is missing."""
    found = _found(reader, items, _TELEMETRY)
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        reader.complain(line, f"quality of telemetry lacks the rules: {', '.join(missing)}")
        return None
    rule, values = found["complete"]
    ratio = reader.number(values.get("ratio"), "ratio", 1.0)
    if ratio is None or not 0 < ratio <= 1:
        reader.complain(rule.line, "ratio is above 0 and at most 1")
        ratio = 1.0
    return Rules(
        measures=_measures(reader, *found["measures"]),
        roles=_roles(reader, *found["readings"]),
        period=found["period"][0],
        complete=rule,
        completeness=ratio,
        curves=read_curves(reader, *found["curves"]) if "curves" in found else None,
    )


def read_inventory_rules(
    reader: Reader, items: Sequence[Tree], inventory: Dataset
) -> InventoryRules:
    """The rules under ``quality`` of the inventory, of which none is needed."""
    found = _found(reader, items, _INVENTORY)
    service = None
    if "service" in found:
        rule, values = found["service"]
        names = [reader.text(values.get(key), key) for key in ("commissioned", "retired")]
        types = {column.name: column.type for column in inventory.columns}
        for name in filter(None, names):
            if types.get(name) not in {"DATE", "TIMESTAMPTZ"}:
                lacks = "which is neither DATE nor TIMESTAMPTZ" if name in types else _LACKED
                reader.complain(rule.line, f"service is in the column {name!r}, {lacks}")
        service = Service(commissioned=names[0], retired=names[1], rule=rule)
    return InventoryRules(sites=found["sites"][0] if "sites" in found else None, service=service)


def check_rules(
    reader: Reader,
    rules: Rules,
    telemetry: Dataset,
    tree: Mapping,
    delivery_interval: timedelta | None,
) -> str:
    """What the rules promise of the columns and intervals; returns the zone of bare stamps."""
    roles, line = rules.roles, rules.roles.rule.line
    columns = {column.name: column for column in telemetry.columns}
    _check_roles(reader, roles, columns)
    if set(telemetry.key) != {roles.device, roles.stamp, roles.measure}:
        stamp = "end (the rule 'readings' names no start)" if roles.start is None else "start"
        reader.complain(tree.line, f"the primary key of telemetry is device, {stamp} and measure")
    if delivery_interval and delivery_interval % roles.reading_interval:
        reader.complain(line, "intervalSeconds divides the time that a delivery covers")
    for role, values in (
        ("measure", [measure.name for measure in rules.measures]),
        ("unit", [measure.unit for measure in rules.measures]),
    ):
        column = columns.get(getattr(roles, role))
        if column is not None and column.allowed and set(column.allowed) != set(values):
            reader.complain(
                column.rule.line,
                f"enum of {column.name!r} and the {role}s of the rule 'measures' differ",
            )
    return _zone(reader, tree, {roles.stamp, roles.end})


def _check_roles(reader: Reader, roles: Roles, columns: dict[str, Column]) -> None:
    for role, wanted in _ROLE_TYPES.items():
        name, line = getattr(roles, role), roles.rule.line
        if name is None:
            continue
        if name not in columns:
            reader.complain(line, f"{role} is the column {name!r}, which telemetry lacks")
        elif columns[name].type != wanted:
            reader.complain(line, f"{role} is the column {name!r}, which is no {wanted}")


def _found(
    reader: Reader, items: Sequence[Tree], known: _Keys
) -> dict[str, tuple[Rule, dict[str, Tree]]]:
    """Each rule of a list by its name: its place, and what it says."""
    found: dict[str, tuple[Rule, dict[str, Tree]]] = {}
    for item in items:
        read = _rule(reader, item, known) if kind_of(item) == "custom" else None
        if read is None:
            continue
        name, rule, values = read
        if name in found:
            reader.complain(item.line, f"the rule {name!r} stands twice")
        found[name] = (rule, values)
    return found


def _rule(reader: Reader, tree: Tree, known: _Keys) -> tuple[str, Rule, dict[str, Tree]] | None:
    entry = reader.mapping(
        tree,
        "a rule of quality",
        required="type engine implementation",
        optional="name description severity id dimension businessImpact tags",
    ).values
    reader.choice(entry.get("engine"), "engine", ("powerstage",))
    implementation = entry.get("implementation")
    if not isinstance(implementation, Mapping):
        reader.complain(tree.line, "implementation is a mapping with the key 'rule'")
        return None
    place = implementation.values.get("rule", implementation)
    name = reader.choice(implementation.values.get("rule"), "rule", tuple(known))
    if not isinstance(place, Scalar) or place.value != name:
        return None
    required, optional = known[name]
    reader.mapping(
        implementation, f"the rule {name!r}", required=f"rule {required}", optional=optional
    )
    severity = read_severity(reader, entry.get("severity"))
    return name, Rule(line=tree.line, severity=severity), implementation.values


def _measures(reader: Reader, rule: Rule, values: dict[str, Tree]) -> tuple[Measure, ...]:
    measures: list[Measure] = []
    for item in reader.items(values.get("measures"), "measures"):
        entry = reader.mapping(item, "a measure", required="measure unit minimum maximum").values
        minimum = reader.number(entry.get("minimum"), "minimum", 0.0) or 0.0
        maximum = reader.number(entry.get("maximum"), "maximum", 0.0) or 0.0
        if minimum >= maximum and {"minimum", "maximum"} <= entry.keys():
            reader.complain(item.line, f"no value is within {minimum:g}..{maximum:g}")
        measure = Measure(
            name=reader.text(entry.get("measure"), "measure"),
            unit=reader.text(entry.get("unit"), "unit"),
            minimum=minimum,
            maximum=maximum,
            rule=Rule(line=item.line, severity=rule.severity),
        )
        if measure.name in {known.name for known in measures}:
            reader.complain(item.line, f"the measure {measure.name!r} stands twice")
        measures.append(measure)
    if not measures:
        reader.complain(rule.line, "there is no measure")
    return tuple(measures)


def _roles(reader: Reader, rule: Rule, values: dict[str, Tree]) -> Roles:
    seconds = reader.number(values.get("intervalSeconds"), "intervalSeconds", 3600.0) or 0
    if not _INTERVAL_SECONDS_MIN <= seconds <= _DAY_SECONDS or seconds != int(seconds):
        given = values.get("intervalSeconds", rule)
        reader.complain(
            given.line, "intervalSeconds is a whole number of seconds, from 1 to those of a day"
        )
        seconds = 3600
    return Roles(
        device=reader.text(values.get("device"), "device"),
        measure=reader.text(values.get("measure"), "measure"),
        start=reader.text(values["start"], "start") if "start" in values else None,
        end=reader.text(values.get("end"), "end"),
        unit=reader.text(values.get("unit"), "unit"),
        value=reader.text(values.get("value"), "value"),
        reading_interval=timedelta(seconds=seconds),
        jitter=_jitter(reader, values.get("jitterSeconds"), seconds),
        rule=rule,
    )


def _jitter(reader: Reader, tree: Tree | None, interval_seconds: float) -> timedelta:
    seconds = reader.number(tree, "jitterSeconds", 0.0) or 0
    if 0 <= seconds < interval_seconds and seconds == int(seconds):
        return timedelta(seconds=seconds)
    if tree is not None:
        reader.complain(
            tree.line, "jitterSeconds is a whole number of seconds, from 0 to below intervalSeconds"
        )
    return timedelta()


def _zone(reader: Reader, tree: Mapping, names: set[str]) -> str:
    zones = {"UTC"}
    properties = tree.values.get("properties")
    for item in properties.values if isinstance(properties, Items) else ():
        values = item.values if isinstance(item, Mapping) else {}
        name, options = values.get("name"), values.get("logicalTypeOptions")
        if not (isinstance(name, Scalar) and name.value in names and isinstance(options, Mapping)):
            continue
        zone = reader.text(options.values.get("defaultTimezone"), "defaultTimezone", "UTC")
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            reader.complain(item.line, f"no time zone is called {zone!r}")
            continue
        zones = zones - {"UTC"} | {zone}
    if len(zones) != 1:
        reader.complain(tree.line, f"start and end name different zones: {sorted(zones)}")
    return min(zones)
