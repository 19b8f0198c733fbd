"""The part of the profile about the rule ``curves``: which power goes with which load."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from powerstage.contract.model import Curve, Curves, Dataset, Measure, Rule
from powerstage.contract.yaml_tree import Reader, Tree

# At 0, 10, ... 100 % load.
POINTS: Final = 11
_UNITS: Final = {"load": ("%",), "power": ("W", "kW")}


def read_curves(reader: Reader, rule: Rule, values: dict[str, Tree]) -> Curves:
    """The rule ``curves``, after complaints about what cannot be."""
    curves: list[Curve] = []
    known: set[str] = set()
    for item in reader.items(values.get("curves"), "curves"):
        curve = _curve(reader, item)
        for model in curve.models:
            if model in known:
                reader.complain(item.line, f"the model {model!r} has two curves")
            known.add(model)
        curves.append(curve)
    if "curves" in values and not curves:
        reader.complain(values["curves"].line, "there is no curve")
    return Curves(
        column=reader.text(values.get("column"), "column"),
        load=reader.text(values.get("load"), "load"),
        power=reader.text(values.get("power"), "power"),
        tolerance_ratio=_at_least_zero(reader, values.get("toleranceRatio"), "toleranceRatio"),
        curves=tuple(curves),
        rule=rule,
    )


def check_curves(
    reader: Reader, curves: Curves, measures: Sequence[Measure], inventory: Dataset
) -> None:
    """What the rule says of measures and of the inventory."""
    line = curves.rule.line
    types = {column.name: column.type for column in inventory.columns}
    if curves.column and types.get(curves.column) != "VARCHAR":
        lacks = "is no VARCHAR" if curves.column in types else "inventory lacks"
        reader.complain(line, f"models are in the column {curves.column!r}, which {lacks}")
    units = {measure.name: measure.unit for measure in measures}
    for part, known in _UNITS.items():
        name = getattr(curves, part)
        if name and units.get(name) not in known:
            wanted = " or ".join(known)
            reader.complain(line, f"{part} is the measure {name!r}, which is none in {wanted}")


def _curve(reader: Reader, item: Tree) -> Curve:
    entry = reader.mapping(item, "a curve", required="models watts toleranceWatts").values
    models = [
        reader.text(model, "a model") for model in reader.items(entry.get("models"), "models")
    ]
    points = reader.items(entry.get("watts"), "watts")
    watts = [reader.number(point, "watts", 0.0) or 0.0 for point in points]
    if "models" in entry and not models:
        reader.complain(entry["models"].line, "a curve is that of one model at least")
    if "watts" in entry and len(watts) != POINTS:
        reader.complain(entry["watts"].line, f"watts are {POINTS}: at 0, 10, ... 100 % load")
    if any(low > high for low, high in pairwise([0.0, *watts])):
        reader.complain(entry["watts"].line, "watts do not fall where load rises")
    tolerance = _at_least_zero(reader, entry.get("toleranceWatts"), "toleranceWatts")
    return Curve(models=tuple(models), watts=tuple(watts), tolerance_watts=tolerance)


def _at_least_zero(reader: Reader, tree: Tree | None, what: str) -> float:
    number = reader.number(tree, what, 0.0) or 0.0
    if number < 0 and tree is not None:
        reader.complain(tree.line, f"{what} is at least 0")
    return number
