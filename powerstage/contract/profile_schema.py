"""The part of the profile about datasets, their columns and how they refer to each other."""

import re
from typing import Final

from powerstage.contract.model import Column, Dataset, Rule, Severity
from powerstage.contract.yaml_tree import Mapping, Reader, Scalar, Tree

# Logical type of ODCS -> the physical types that carry it exactly. Naive time stamps and
# unnamed number types are left out: other tools read them by the machine's zone, or as
# DECIMAL(18,3).
_TYPES: Final = {
    "string": ("VARCHAR",),
    "number": ("DOUBLE",),
    "integer": ("BIGINT", "INTEGER"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP_TZ", "TIMESTAMPTZ"),
}
# Physical types are DuckDB's, but for this one: datacontract-cli knows no other name for it.
_DUCKDB_TYPES: Final = {"TIMESTAMP_TZ": "TIMESTAMPTZ"}
_OPTIONS: Final = {
    "string": "pattern",
    "number": "minimum maximum",
    "integer": "minimum maximum",
    "timestamp": "timezone defaultTimezone",
}
_INFORMATIONAL: Final = (
    "id description businessName physicalName tags examples classification"
    " authoritativeDefinitions criticalDataElement synonyms"
)


# RE2 stops there.
_REPEATS_MAX: Final = 1_000
_RESERVED: Final = {"file_row_number", "filename"}


def read_dataset(reader: Reader, tree: Tree) -> tuple[Dataset, Mapping] | None:
    """A dataset and the mapping it was read from; None if it has no name of ours."""
    mapping = reader.mapping(
        tree,
        "a dataset",
        required="name logicalType properties",
        optional="physicalType quality dataGranularityDescription " + _INFORMATIONAL,
    )
    name = mapping.values.get("name")
    if not isinstance(name, Scalar) or name.value not in {"inventory", "telemetry"}:
        if name is not None:
            reader.complain(name.line, "a dataset is called 'inventory' or 'telemetry'")
        return None
    reader.choice(mapping.values.get("logicalType"), "logicalType", ("object",))
    columns: list[Column] = []
    positions: dict[str, int] = {}
    for item in reader.items(mapping.values.get("properties"), "properties"):
        column, position = _column(reader, item)
        # SQL knows no capitals.
        if column.name.casefold() in {known.name.casefold() for known in columns}:
            reader.complain(item.line, f"the column {column.name!r} stands twice")
        columns.append(column)
        if position is not None:
            positions[column.name] = position
    if sorted(positions.values()) != list(range(1, len(positions) + 1)) or not positions:
        reader.complain(
            mapping.line, f"primaryKeyPosition of {name.value} runs from 1 without a gap"
        )
    dataset = Dataset(
        name="inventory" if name.value == "inventory" else "telemetry",
        columns=tuple(columns),
        key=tuple(sorted(positions, key=lambda column: positions[column])),
        rule=Rule(line=mapping.line),
    )
    return dataset, mapping


def read_reference(reader: Reader, telemetry: Mapping, inventory: Dataset) -> tuple[Rule, str]:
    """The one reference from telemetry to inventory: its place, and the inventory column."""
    found: list[tuple[Rule, str]] = []
    for item in reader.items(telemetry.values.get("properties"), "properties"):
        if not isinstance(item, Mapping):
            continue
        for relationship in reader.items(item.values.get("relationships"), "relationships"):
            entry = reader.mapping(
                relationship, "a relationship", required="to", optional="type id"
            ).values
            reader.choice(entry.get("type"), "type", ("foreignKey",))
            target = reader.text(entry.get("to"), "to")
            dataset, _, column = target.partition(".")
            if dataset != "inventory" or (column,) != inventory.key:
                reader.complain(
                    relationship.line,
                    f"telemetry refers to the key of inventory, not to {target!r}",
                )
            found.append((Rule(line=relationship.line), column))
    if len(found) != 1:
        reader.complain(telemetry.line, "telemetry has one column that refers to inventory")
        return Rule(line=telemetry.line), ""
    return found[0]


def read_severity(reader: Reader, tree: Tree | None) -> Severity:
    """``error`` where nothing else is said."""
    return (
        "warning"
        if reader.choice(tree, "severity", ("error", "warning")) == "warning"
        else ("error")
    )


def _column(reader: Reader, tree: Tree) -> tuple[Column, int | None]:
    entry = reader.mapping(
        tree,
        "a column",
        required="name logicalType physicalType",
        optional="required primaryKey primaryKeyPosition logicalTypeOptions enum relationships"
        " quality " + _INFORMATIONAL,
    ).values
    logical = reader.choice(entry.get("logicalType"), "logicalType", tuple(_TYPES))
    physical = reader.choice(entry.get("physicalType"), "physicalType", _TYPES[logical])
    options = reader.mapping(
        entry.get("logicalTypeOptions"),
        f"logicalTypeOptions of a {logical}",
        optional=_OPTIONS.get(logical, ""),
    ).values
    minimum = reader.number(options.get("minimum"), "minimum")
    maximum = reader.number(options.get("maximum"), "maximum")
    if minimum is not None and maximum is not None and minimum > maximum:
        reader.complain(options["minimum"].line, f"no value is within {minimum}..{maximum}")
    _check_zone(reader, options)
    column = Column(
        name=_name(reader, entry.get("name")),
        type=_DUCKDB_TYPES.get(physical, physical),
        required=reader.flag(entry.get("required"), "required"),
        pattern=read_pattern(reader, options.get("pattern")),
        allowed=_allowed(reader, entry.get("enum"), logical),
        minimum=minimum,
        maximum=maximum,
        rule=Rule(line=tree.line),
    )
    return column, _position(reader, entry, column)


def _name(reader: Reader, tree: Tree | None) -> str:
    name = reader.text(tree, "name")
    if name in _RESERVED:
        reader.complain(tree.line if tree else 1, f"DuckDB has a column {name!r} of its own")
    if tree is not None and (":" in name or not name.isprintable() or name != name.strip()):
        reader.complain(
            tree.line, f"a column's name has no colon and no blank at its ends: {name!r}"
        )
    return name


def _position(reader: Reader, entry: dict[str, Tree], column: Column) -> int | None:
    place = entry.get("primaryKeyPosition")
    position = reader.number(place, "primaryKeyPosition")
    if not reader.flag(entry.get("primaryKey"), "primaryKey"):
        if place is not None:
            reader.complain(place.line, "primaryKeyPosition without primaryKey: true")
        return None
    if position is None or position != int(position):
        reader.complain(entry["primaryKey"].line, "a primary key has a primaryKeyPosition")
        return None
    if not column.required:
        reader.complain(entry["primaryKey"].line, f"the key {column.name!r} is not required: true")
    return int(position)


def _allowed(reader: Reader, tree: Tree | None, logical: str) -> tuple[str, ...]:
    if tree is not None and logical != "string":
        reader.complain(tree.line, "enum is for texts; give a number minimum and maximum")
    values = []
    for item in reader.items(tree, "enum"):
        entry = reader.mapping(
            item, "a value of enum", required="value", optional="label description id"
        ).values
        values.append(reader.text(entry.get("value"), "value"))
    if tree is not None and len(set(values)) != len(values):
        reader.complain(tree.line, "a value of enum stands twice")
    if tree is not None and not values:
        reader.complain(tree.line, "enum allows no value at all")
    return tuple(values)


def read_pattern(reader: Reader, tree: Tree | None) -> str | None:
    """A regular expression that RE2 reads, anchored at both ends."""
    if tree is None:
        return None
    pattern = reader.text(tree, "pattern")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        reader.complain(tree.line, f"pattern is no regular expression: {error}")
        return None
    if re.search(r"\(\?(?![:imsPU-])|\(\?P[=>]|\\[1-9uU]|[*+?}]\+", pattern):
        reader.complain(
            tree.line,
            "pattern uses what RE2 cannot: look-around, back-reference, \\u, possessive repetition",
        )
    if any(int(times) > _REPEATS_MAX for times in re.findall(r"[{,]([0-9]+)(?=[},])", pattern)):
        reader.complain(tree.line, f"pattern repeats more than {_REPEATS_MAX} times")
    if not (pattern.startswith("^") and pattern.endswith("$")):
        reader.complain(tree.line, "pattern matches anywhere: anchor it with ^ and $")
    return pattern


def _check_zone(reader: Reader, options: dict[str, Tree]) -> None:
    if "timezone" in options and not reader.flag(options["timezone"], "timezone"):
        reader.complain(
            options["timezone"].line, "a time stamp without zone shifts: timezone: true"
        )
