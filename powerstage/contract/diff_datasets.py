"""What changed in the data: datasets, their columns and rules of quality, and the measures."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from powerstage.contract.change import Change, change, listed, severity
from powerstage.contract.model import Column, Contract, Dataset, Measure, QualityRule, Rule

# Where a rule stands is no part of what it asks.
_ANYWHERE: Final = Rule(line=0)
# Comparators under which a larger number allows more, and those under which it allows less.
_UPWARD: Final = {"mustBeLessThan", "mustBeLessOrEqualTo"}
_DOWNWARD: Final = {"mustBeGreaterThan", "mustBeGreaterOrEqualTo"}


def dataset_changes(old: Dataset, new: Dataset) -> Iterator[Change]:
    """Columns, key and rules of quality of one dataset."""
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    removed = [column for column in old.columns if column.name not in after]
    added = [column for column in new.columns if column.name not in before]
    for column in removed:
        twins = [twin.name for twin in added if _is_like(column, twin)]
        hint = f"renamed to {' or '.join(twins)}?" if twins else ""
        subject = f"{old.name}.{column.name}"
        yield change("column.removed", subject, column.type, column.rule.line, None, hint)
    for column in added:
        twins = [twin.name for twin in removed if _is_like(column, twin)]
        hint = f"renamed from {' or '.join(twins)}?" if twins else ""
        words = f"{column.type}{', required' if column.required else ''}"
        yield change(
            "column.added", f"{old.name}.{column.name}", words, None, column.rule.line, hint
        )
    common = [name for name in before if name in after]
    for name in common:
        yield from _column(f"{old.name}.{name}", before[name], after[name])
    lines = old.rule.line, new.rule.line
    if common != [name for name in after if name in before]:
        yield change("column.order", old.name, ", ".join(after), *lines)
    if old.key != new.key:
        yield change("key.changed", old.name, f"{listed(old.key)} → {listed(new.key)}", *lines)
    yield from _quality(old, new)


def _is_like(one: Column, other: Column) -> bool:
    def facts(column: Column) -> tuple[object, ...]:
        limits = column.minimum, column.maximum
        return column.type, column.required, column.pattern, column.allowed, limits

    return facts(one) == facts(other)


def _column(subject: str, old: Column, new: Column) -> Iterator[Change]:
    lines = old.rule.line, new.rule.line
    if old.type != new.type:
        yield change("column.retyped", subject, f"{old.type} → {new.type}", *lines)
    if old.required != new.required:
        kind = "column.required" if new.required else "column.optional"
        yield change(kind, subject, "never null" if new.required else "may be null", *lines)
    if old.pattern != new.pattern:
        kind = "added" if old.pattern is None else "removed" if new.pattern is None else "changed"
        words = f"{old.pattern or 'none'} → {new.pattern or 'none'}"
        yield change(f"pattern.{kind}", subject, words, *lines)
    yield from _allowed(subject, old, new)
    yield from _range(subject, (old.minimum, old.maximum), (new.minimum, new.maximum), "", lines)
    yield from severity(subject, old.rule, new.rule)


def _allowed(subject: str, old: Column, new: Column) -> Iterator[Change]:
    lines = old.rule.line, new.rule.line
    # No enum allows all.
    if not (old.allowed and new.allowed):
        if old.allowed != new.allowed:
            kind = "enum.narrowed" if new.allowed else "enum.widened"
            words = f"{listed(old.allowed) or 'any'} → {listed(new.allowed) or 'any'}"
            yield change(kind, subject, words, *lines)
        return
    for kind, values in (
        ("enum.narrowed", [value for value in old.allowed if value not in new.allowed]),
        ("enum.widened", [value for value in new.allowed if value not in old.allowed]),
    ):
        if values:
            sign = "without" if kind == "enum.narrowed" else "with"
            yield change(kind, subject, f"{sign} {listed(values)}", *lines)


def _range(
    subject: str,
    old: tuple[float | None, float | None],
    new: tuple[float | None, float | None],
    unit: str,
    lines: tuple[int, int],
) -> Iterator[Change]:
    """The two ends by themselves: a range may be narrowed at one and widened at the other."""
    for end, before, after, sign in (
        ("minimum", old[0], new[0], 1),
        ("maximum", old[1], new[1], -1),
    ):
        if before == after:
            continue
        bounds = [-math.inf * sign if bound is None else bound for bound in (before, after)]
        kind = "range.narrowed" if (bounds[1] - bounds[0]) * sign > 0 else "range.widened"
        shown = " → ".join("none" if bound is None else f"{bound:g}" for bound in (before, after))
        yield change(kind, subject, f"{end} {shown} {unit}".rstrip(), *lines)


def measure_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """Measures, their units and ranges."""
    before = {measure.name: measure for measure in old.measures}
    after = {measure.name: measure for measure in new.measures}
    removed = [measure for measure in old.measures if measure.name not in after]
    added = [measure for measure in new.measures if measure.name not in before]
    for measure in removed:
        hint = _measure_hint("renamed to", measure, added)
        yield change("measure.removed", measure.name, measure.unit, measure.rule.line, None, hint)
    for measure in added:
        hint = _measure_hint("renamed from", measure, removed)
        words = f"{measure.minimum:g} to {measure.maximum:g} {measure.unit}"
        yield change("measure.added", measure.name, words, None, measure.rule.line, hint)
    for name, measure in before.items():
        if name in after:
            yield from _measure(measure, after[name])
    yield from severity("measures", old.measures[0].rule, new.measures[0].rule)


def _measure_hint(words: str, measure: Measure, others: list[Measure]) -> str:
    twins = [other.name for other in others if other.unit == measure.unit]
    return f"{words} {' or '.join(twins)}?" if twins else ""


def _measure(old: Measure, new: Measure) -> Iterator[Change]:
    lines = old.rule.line, new.rule.line
    if old.unit != new.unit:
        yield change("measure.unit", old.name, f"{old.unit} → {new.unit}", *lines)
    yield from _range(
        old.name, (old.minimum, old.maximum), (new.minimum, new.maximum), new.unit, lines
    )


def _quality(old: Dataset, new: Dataset) -> Iterator[Change]:
    before = {rule.id: rule for rule in old.quality}
    after = {rule.id: rule for rule in new.quality}
    for name, rule in before.items():
        if name not in after:
            yield change("quality.removed", name, rule.words, rule.rule.line, None)
    for name, rule in after.items():
        if name not in before:
            yield change("quality.added", name, rule.words, None, rule.rule.line)
        else:
            yield from _rule(before[name], rule)


def _rule(old: QualityRule, new: QualityRule) -> Iterator[Change]:
    lines = old.rule.line, new.rule.line
    yield from severity(old.id, old.rule, new.rule)

    def asked(rule: QualityRule) -> QualityRule:
        return replace(rule, words="", bounds=(), rule=_ANYWHERE)

    shown = " → ".join(
        f"{rule.comparator} {listed(map(_number, rule.bounds))}" for rule in (old, new)
    )
    if asked(old) != asked(new):
        yield change("quality.changed", old.id, shown, *lines)
    elif old.bounds != new.bounds:
        yield change(f"quality.{_direction(old, new)}", old.id, shown, *lines)


def _direction(old: QualityRule, new: QualityRule) -> str:
    """Whether a rule with other bounds allows more than before, less, or something else."""
    grows = [after - before for before, after in zip(old.bounds, new.bounds, strict=True)]
    if old.comparator in _UPWARD:
        return "loosened" if grows[0] > 0 else "tightened"
    if old.comparator in _DOWNWARD:
        return "loosened" if grows[0] < 0 else "tightened"
    if len(grows) == 2 and (grows[0] <= 0 <= grows[1] or grows[1] <= 0 <= grows[0]):
        is_wider = grows[0] <= 0 <= grows[1]
        return "loosened" if is_wider == (old.comparator == "mustBeBetween") else "tightened"
    return "changed"


def _number(number: float) -> str:
    return f"{number:g}"
