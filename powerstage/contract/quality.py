"""The part of the profile about rules of the user's own: the metrics of ODCS, and queries."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, cast

from powerstage.contract.model import Column, Comparator, Dataset, Metric, QualityRule, Rule
from powerstage.contract.profile_schema import read_pattern, read_severity
from powerstage.contract.yaml_tree import Items, Mapping, Reader, Scalar, Tree

RULES_MAX: Final = 100
TABLE_PLACEHOLDERS: Final = ("object", "table", "model")
COLUMN_PLACEHOLDERS: Final = ("property", "column", "field")
# Every comparator, and how many numbers it takes.
_COMPARATORS: Final = {
    "mustBe": 1,
    "mustNotBe": 1,
    "mustBeGreaterThan": 1,
    "mustBeGreaterOrEqualTo": 1,
    "mustBeLessThan": 1,
    "mustBeLessOrEqualTo": 1,
    "mustBeBetween": 2,
    "mustNotBeBetween": 2,
}
# Where each metric may stand, and its arguments.
_METRICS: Final = {
    "nullValues": ({"column"}, ""),
    "missingValues": ({"column"}, "missingValues"),
    "invalidValues": ({"column"}, "validValues pattern"),
    "duplicateValues": ({"column", "dataset"}, "properties"),
    "rowCount": ({"dataset"}, ""),
}
_INFORMATIONAL: Final = (
    "name description severity id dimension businessImpact tags method schedule scheduler"
    " authoritativeDefinitions customProperties"
)
_NUMBERS: Final = {"DOUBLE", "BIGINT", "INTEGER"}
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
# What stands in braces in a query; ``'[0-9]{10}'`` and ``{'a': 1}`` are none.
_PLACEHOLDER: Final = re.compile(r"\$\{([^}]*)\}|\{([A-Za-z_]\w*)\}")


def kind_of(tree: Tree) -> str:
    """The type of a rule of quality; ODCS takes one with a metric for a ``library``."""
    values = tree.values if isinstance(tree, Mapping) else {}
    kind = values.get("type")
    if kind is None and "metric" in values:
        return "library"
    return kind.value if isinstance(kind, Scalar) and isinstance(kind.value, str) else ""


def read_quality(
    reader: Reader, mapping: Mapping, items: Sequence[Tree], dataset: Dataset
) -> tuple[QualityRule, ...]:
    """The rules of a dataset and of its columns, in the order of the file.

    Args:
        reader: takes the complaints.
        mapping: of the dataset.
        items: the rules that stand under the dataset itself.
        dataset: as read so far.
    """
    found: list[QualityRule] = []
    for tree, column in (*_under_columns(reader, mapping, dataset), *((i, None) for i in items)):
        rule = _read(reader, tree, dataset, column)
        if rule is None:
            continue
        twins = [known for known in found if known.id.partition("~")[0] == rule.id]
        if twins and rule.id == _explicit_id(tree):
            reader.complain(tree.line, f"the id {rule.id!r} stands twice")
        # The second without an id of its own is told from the first by its number.
        found.append(replace(rule, id=f"{rule.id}~{len(twins) + 1}") if twins else rule)
    if len(found) > RULES_MAX:
        reader.complain(mapping.line, f"{dataset.name} has more than {RULES_MAX} rules of quality")
    return tuple(sorted(found, key=lambda rule: rule.rule.line))


def _under_columns(
    reader: Reader, mapping: Mapping, dataset: Dataset
) -> Iterator[tuple[Tree, Column]]:
    columns = {column.name: column for column in dataset.columns}
    properties = mapping.values.get("properties")
    for item in properties.values if isinstance(properties, Items) else ():
        values = item.values if isinstance(item, Mapping) else {}
        name = values.get("name")
        column = columns.get(str(name.value)) if isinstance(name, Scalar) else None
        if column is not None:
            for tree in reader.items(values.get("quality"), "quality"):
                yield tree, column


def _read(
    reader: Reader, tree: Tree, dataset: Dataset, column: Column | None
) -> QualityRule | None:
    kind = kind_of(tree)
    if kind == "custom":
        if column is not None:
            reader.complain(tree.line, "rules of type 'custom' stand under the dataset itself")
        return None
    if kind == "text":
        reader.mapping(tree, "a rule of quality", required="type", optional=_INFORMATIONAL)
        return None
    if kind == "library":
        return _library(reader, tree, dataset, column)
    if kind == "sql":
        return _sql(reader, tree, column)
    place = tree.values.get("type", tree) if isinstance(tree, Mapping) else tree
    reader.complain(place.line, "a rule of quality has a type, one of: library, sql, text, custom")
    return None


def _library(
    reader: Reader, tree: Tree, dataset: Dataset, column: Column | None
) -> QualityRule | None:
    values = reader.mapping(
        tree,
        "a rule of quality",
        required="metric",
        optional=f"type arguments unit {' '.join(_COMPARATORS)} {_INFORMATIONAL}",
    ).values
    metric = reader.choice(values.get("metric"), "metric", tuple(_METRICS))
    given = values.get("metric")
    if not isinstance(given, Scalar) or given.value != metric:
        return None
    levels, names = _METRICS[metric]
    level = "dataset" if column is None else "column"
    if level not in levels:
        reader.complain(tree.line, f"{metric} is a rule of a {' or '.join(sorted(levels))}")
        return None
    unit = reader.choice(values.get("unit"), "unit", ("rows", "percent"))
    if unit == "percent" and metric == "rowCount":
        reader.complain(values["unit"].line, "the number of rows is no percentage of anything")
    arguments = reader.mapping(
        values.get("arguments"), f"arguments of {metric}", optional=names
    ).values
    rule = _rule(reader, tree, values, cast("Metric", metric), column, unit)
    if rule is None:
        return None
    _check_reach(reader, tree.line, rule)
    if metric == "missingValues" and "missingValues" not in arguments:
        reader.complain(tree.line, "missingValues lacks its arguments; for nulls use nullValues")
    if metric == "invalidValues" and not arguments:
        reader.complain(tree.line, "invalidValues lacks its arguments: validValues or pattern")
    return replace(
        rule,
        columns=_columns(reader, tree, arguments.get("properties"), dataset, column)
        if metric == "duplicateValues"
        else (),
        values=_values(reader, arguments.get("missingValues"), column, "missingValues")
        + _values(reader, arguments.get("validValues"), column, "validValues"),
        pattern=_pattern(reader, arguments.get("pattern"), column),
    )


def _sql(reader: Reader, tree: Tree, column: Column | None) -> QualityRule | None:
    values = reader.mapping(
        tree,
        "a rule of quality",
        required="type query",
        optional=f"unit {' '.join(_COMPARATORS)} {_INFORMATIONAL}",
    ).values
    query = reader.text(values.get("query"), "query")
    known = TABLE_PLACEHOLDERS + (() if column is None else COLUMN_PLACEHOLDERS)
    for match in _PLACEHOLDER.finditer(query):
        name = match[1] if match[1] is not None else match[2]
        if name in known:
            continue
        of_column = name in COLUMN_PLACEHOLDERS
        wanted = "only a column's rule has one" if of_column else f"use one of: {', '.join(known)}"
        reader.complain(values["query"].line, f"no placeholder is called {match[0]}: {wanted}")
    unit = reader.text(values.get("unit"), "unit")
    rule = _rule(reader, tree, values, "sql", column, unit)
    return None if rule is None else replace(rule, query=query)


def _rule(  # noqa: PLR0917 - what was read, and what of it is known
    reader: Reader,
    tree: Tree,
    values: dict[str, Tree],
    metric: Metric,
    column: Column | None,
    unit: str,
) -> QualityRule | None:
    """A rule without what its metric alone has; None, after a complaint, without comparator."""
    of, whole = ("", "the dataset") if column is None else (f"{column.name}.", column.name)
    name = reader.text(values.get("name"), "name")
    description = reader.text(values.get("description"), "description")
    given = reader.text(values.get("id"), "id")
    if given and not _ID.fullmatch(given):
        reader.complain(values["id"].line, "an id is of letters, digits, '_' and '-'")
    compared = _comparison(reader, tree, values)
    if compared is None:
        return None
    return QualityRule(
        id=f"quality.{given or of + metric}",
        words=" ".join((name or description or f"{metric} of {whole}").split()),
        metric=metric,
        column=None if column is None else column.name,
        columns=(),
        values=(),
        pattern=None,
        query="",
        unit=unit,
        comparator=compared[0],
        bounds=compared[1],
        rule=Rule(line=tree.line, severity=read_severity(reader, values.get("severity"))),
    )


def _explicit_id(tree: Tree) -> str:
    given = tree.values.get("id") if isinstance(tree, Mapping) else None
    return f"quality.{given.value}" if isinstance(given, Scalar) else ""


def _comparison(
    reader: Reader, tree: Tree, values: dict[str, Tree]
) -> tuple[Comparator, tuple[float, ...]] | None:
    given = [name for name in _COMPARATORS if name in values]
    if len(given) != 1:
        words = f"has two comparators: {', '.join(given)}" if given else "has no comparator"
        reader.complain(tree.line, f"a rule of quality {words}; one of: {', '.join(_COMPARATORS)}")
        return None
    (name,) = given
    place = values[name]
    trees = (place,) if _COMPARATORS[name] == 1 else reader.items(place, name)
    bounds = tuple(reader.number(tree, name, 0.0) or 0.0 for tree in trees)
    if len(bounds) != _COMPARATORS[name]:
        reader.complain(place.line, f"{name} takes two numbers")
        return None
    if sorted(set(bounds)) != list(bounds):
        reader.complain(place.line, f"{name} takes the smaller number first")
    return cast("Comparator", name), bounds


def _check_reach(reader: Reader, line: int, rule: QualityRule) -> None:
    """Complain of a number that no count, or no percentage, can keep to."""
    first, last = rule.bounds[0], rule.bounds[-1]
    most = 100.0 if rule.unit == "percent" else float("inf")
    holds = {
        "mustBe": 0 <= first <= most,
        "mustBeGreaterThan": first < most,
        "mustBeGreaterOrEqualTo": first <= most,
        "mustBeLessThan": first > 0,
        "mustBeLessOrEqualTo": first >= 0,
        "mustBeBetween": last >= 0 and first <= most,
    }
    if not holds.get(rule.comparator, True):
        reader.complain(line, f"nothing can keep to {rule.comparator} {first:g} {rule.unit}")


def _columns(
    reader: Reader, tree: Tree, given: Tree | None, dataset: Dataset, column: Column | None
) -> tuple[str, ...]:
    if column is not None:
        if given is not None:
            reader.complain(given.line, "properties are named where the rule is of a dataset")
        return (column.name,)
    names = tuple(reader.text(item, "a property") for item in reader.items(given, "properties"))
    if not names:
        reader.complain(tree.line, "duplicateValues lacks its arguments: properties")
    known = {known.name for known in dataset.columns}
    for name in names:
        if name not in known:
            reader.complain(tree.line, f"{dataset.name} lacks the column {name!r}")
    return names


def _values(
    reader: Reader, tree: Tree | None, column: Column | None, what: str
) -> tuple[str | float, ...]:
    """Texts or numbers, as the column has them; nulls are left out."""
    if tree is None or column is None:
        return ()
    given = [
        item
        for item in reader.items(tree, what)
        if not isinstance(item, Scalar) or item.value is not None
    ]
    if column.type == "VARCHAR":
        # An empty text is one of those that are missing.
        return tuple(
            "" if isinstance(item, Scalar) and item.value == "" else reader.text(item, what)
            for item in given
        )
    if column.type not in _NUMBERS:
        reader.complain(tree.line, f"{what} are texts or numbers, and {column.name!r} is neither")
        return ()
    return tuple(reader.number(item, what, 0.0) or 0.0 for item in given)


def _pattern(reader: Reader, tree: Tree | None, column: Column | None) -> str | None:
    if tree is not None and column is not None and column.type != "VARCHAR":
        reader.complain(tree.line, f"a pattern is for texts, and {column.name!r} is none")
    return read_pattern(reader, tree)
