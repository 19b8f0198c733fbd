"""What changed between two contracts, and whom it breaks."""

from dataclasses import fields, replace
from typing import Any

import pytest

from powerstage.contract import Change, Contract, default, diff, loads
from powerstage.contract.change import KINDS
from powerstage.contract.load import default_text
from tests.contract.conftest import end_stamped_text, jitter_of, replaced

TEXT = default_text()
OLD = default()
SOURCE = """\
      - name: source
        description: What took the reading.
        logicalType: string
        physicalType: VARCHAR
        required: true
        enum:
          - value: iLo
"""
RACK = """\
      - name: rack
        logicalType: integer
        physicalType: BIGINT
        logicalTypeOptions:
          minimum: 1
          maximum: 42
"""
# An optional column with limits, and a rule of quality, for others to change.
RULE = "      - {id: nulls, type: sql, query: SELECT 1, COMPARED}\n"
PERIOD = "      - name: readings inside the period"
UNIT = "      - name: unit\n"
BASE = replaced(
    TEXT,
    (UNIT, RACK + UNIT),
    (PERIOD, RULE.replace("COMPARED", "mustBeLessThan: 5") + PERIOD),
)
SN = "'^[0-9A-Z]{10}$'"
MODEL = """\
Model name, as the vendor writes it.
        logicalType: string
        physicalType: VARCHAR
"""
SITE = "        - code: DE-1\n          timezone: Europe/Berlin\n"
COMPLETE = "severity: error\n        implementation:\n          rule: complete"
OTHER_KEY = (
    ("primaryKeyPosition: 2", "primaryKeyPosition: 9"),
    ("primaryKeyPosition: 3", "primaryKeyPosition: 2"),
    ("primaryKeyPosition: 9", "primaryKeyPosition: 3"),
)
# What is edited, and the one kind of change that it is. The second half of each pair of edits is
# the first one taken back.
THERE_AND_BACK = [
    ((UNIT, RACK.replace("rack", "slot") + UNIT), "column.added", "column.removed"),
    ((MODEL + "        required: true\n", MODEL), "column.optional", "column.required"),
    ((f"          pattern: {SN}\n", "          pattern: '^[0-9A-Z]{9,11}$'\n"),
     "pattern.changed", "pattern.changed"),
    ((f"        logicalTypeOptions:\n          pattern: {SN}\n", ""),
     "pattern.removed", "pattern.added"),
    (("          - value: iLo\n", "          - value: iLo\n          - value: bmc\n"),
     "enum.widened", "enum.narrowed"),
    (("        enum:\n          - value: iLo\n", ""), "enum.widened", "enum.narrowed"),
    (("maximum: 42\n", "maximum: 40\n"), "range.narrowed", "range.widened"),
    (("          minimum: 1\n", ""), "range.widened", "range.narrowed"),
    (("maximum: 2000", "maximum: 2500"), "range.widened", "range.narrowed"),
    (("ratio: 1\n", "ratio: 0.99\n"), "completeness.lowered", "completeness.raised"),
    (jitter_of(30), "jitter.raised", "jitter.lowered"),
    ((SITE, ""), "site.removed", "site.added"),
    (("Europe/Berlin", "Europe/Paris"), "site.zone", "site.zone"),
    ((COMPLETE, COMPLETE.replace("error", "warning")), "severity.lowered", "severity.raised"),
    (("id: nulls, type", "id: nulls, severity: warning, type"),
     "severity.lowered", "severity.raised"),
    (("{id: nulls", "{id: others"), "quality.removed quality.added",
     "quality.removed quality.added"),
    (("mustBeLessThan: 5", "mustBeLessThan: 6"), "quality.loosened", "quality.tightened"),
    (("mustBeLessThan: 5", "mustBe: 5"), "quality.changed", "quality.changed"),
    (("query: SELECT 1", "query: SELECT 2"), "quality.changed", "quality.changed"),
    (("value: 6\n", "value: 7\n"), "latency.lengthened", "latency.shortened"),
    (("value: 1095", "value: 365"), "retention.shortened", "retention.lengthened"),
    (("path: inventory.csv", "path: devices.csv"), "export.changed", "export.changed"),
    (("tenant: unassigned", "tenant: other"), "tenant.changed", "tenant.changed"),
    (("\nname: power-telemetry", "\nname: other"), "name.changed", "name.changed"),
    (("purpose: Power", "purpose: All power"), "purpose.changed", "purpose.changed"),
    (("intervalSeconds: 3600", "intervalSeconds: 900"), "reading_interval.changed",
     "reading_interval.changed"),
    (("value: 1\n    unit: h", "value: 2\n    unit: h"), "delivery_interval.changed",
     "delivery_interval.changed"),
    (("column: location", "column: model"), "site.column", "site.column"),
    (("defaultTimezone: UTC", "defaultTimezone: Europe/Berlin"), "timezone.changed",
     "timezone.changed"),
    (("physicalType: BIGINT", "physicalType: INTEGER"), "column.retyped", "column.retyped"),
    ((RACK, ""), "column.removed", "column.added"),
]  # fmt: skip


def edited(*changes: tuple[str, str]) -> Contract:
    """The base contract with some parts replaced, as a new major version."""
    return loads(replaced(BASE, *changes, ("version: 1.0.0", "version: 2.0.0")), "new")


def kinds(changes: tuple[Change, ...]) -> str:
    """The kinds of some changes."""
    return " ".join(change.kind for change in changes)


BASE_CONTRACT = loads(BASE, "old")


@pytest.mark.parametrize(("edit", "there", "back"), THERE_AND_BACK)
def test_an_edit_is_one_change_and_taking_it_back_the_other(
    edit: tuple[str, str], there: str, back: str
) -> None:
    """Nothing else is said to have changed."""
    new = edited(edit)
    assert kinds(diff(BASE_CONTRACT, new)) == there
    assert kinds(diff(new, replace(BASE_CONTRACT, version="3.0.0"))) == back


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ((("unit: W\n", "unit: kW\n"), ("- value: W\n", "- value: kW\n")),
         "enum.narrowed enum.widened measure.unit"),
        ((("server power", "server watts"),),
         "enum.narrowed enum.widened measure.removed measure.added quality.changed"),
        (OTHER_KEY, "key.changed"),
        (((SOURCE, ""), ("      - name: type\n", SOURCE + "      - name: type\n")), ""),
        (((SOURCE, ""), (RACK, RACK + SOURCE)), "column.order"),
        ((("name: value\n", "name: reading\n"), ("value: value", "value: reading")),
         "column.removed column.added role.changed"),
    ],
)  # fmt: skip
def test_some_edits_are_several_changes(changes: tuple[tuple[str, str], ...], found: str) -> None:
    """Each is named."""
    assert kinds(diff(BASE_CONTRACT, edited(*changes))) == found


def test_stamps_of_the_end_alone_are_another_start() -> None:
    """The column goes, the key changes, and so does what a stamp means."""
    new = loads(end_stamped_text().replace("version: 1.0.0", "version: 2.0.0"), "new")
    assert kinds(diff(OLD, new)) == "column.removed key.changed start.changed"


def test_no_kind_of_change_goes_untested() -> None:
    """Every kind in the table comes out of some edit."""
    tested = {kind for _, there, back in THERE_AND_BACK for kind in f"{there} {back}".split()}
    rest = "column.order key.changed role.changed start.changed measure.unit measure.added"
    rest += " measure.removed version.unchanged version.too_small key_layout.changed"
    assert tested | set(rest.split()) | {"reference.changed"} == set(KINDS)


def test_a_fact_that_no_edit_can_change_yet_is_compared_too() -> None:
    """There is one key layout, and the inventory's key is what telemetry refers to."""
    other = replace(OLD, key_layout="other", inventory_device="other", version="2.0.0")
    assert kinds(diff(OLD, other)) == "key_layout.changed reference.changed"


@pytest.mark.parametrize("left_out", [{"sites_rule": None}, {"curves": None}])
def test_a_rule_that_a_contract_may_do_without_is_compared(left_out: dict[str, Any]) -> None:
    """It comes and goes; one that says something else is another."""
    agreed, newer = default(), replace(default(), version="2.0.0")
    without = replace(newer, **left_out)
    assert kinds(diff(agreed, without)) == "quality.removed"
    assert kinds(diff(replace(without, version="1.0.0"), newer)) == "quality.added"


def test_other_curves_are_another_rule() -> None:
    """A wider tolerance is one."""
    agreed = default()
    assert agreed.curves is not None
    wider = replace(agreed.curves, tolerance_ratio=0.5)
    newer = replace(agreed, version="2.0.0", curves=wider)
    assert kinds(diff(agreed, newer)) == "quality.changed"


def test_every_fact_of_a_contract_is_compared() -> None:
    """A new fact has to be thought of here; those left out are the file's, or in another's."""
    compared = (
        "name tenant purpose inventory telemetry roles inventory_device inventory_site measures"
        " completeness sites timezone delivery_interval lateness retention export key_layout"
        " version reference period_rule completeness_rule sites_rule service curves"
    )
    left_out = "places path text sha256"
    assert {field.name for field in fields(Contract)} == set(f"{compared} {left_out}".split())


def test_the_same_facts_in_another_text_are_no_change() -> None:
    """Comments, quotes and order of keys agree on the same."""
    other = loads(TEXT.replace("version: 1.0.0", "version: '1.0.0' # as before"), "other")
    assert diff(OLD, other) == ()


def test_a_change_has_its_line_in_both_files() -> None:
    """What was added has none in the old file."""
    new = edited(("maximum: 42", "maximum: 40"), (UNIT, SOURCE.replace("source", "probe") + UNIT))
    found = {change.kind: change for change in diff(BASE_CONTRACT, new)}
    narrowed, added = found["range.narrowed"], found["column.added"]
    assert (added.old_line, added.subject) == (None, "telemetry.probe")
    for contract, line in ((BASE_CONTRACT, narrowed.old_line), (new, narrowed.new_line)):
        assert contract.text.splitlines()[(line or 0) - 1] == "      - name: rack"
    (change,) = diff(BASE_CONTRACT, edited(("value: 1095", "value: 365")))
    assert BASE.splitlines()[(change.old_line or 0) - 1] == "  - property: retention"


def test_a_renaming_is_hinted_at() -> None:
    """A column that went and one like it that came; nothing where they differ."""
    removed, added = diff(BASE_CONTRACT, edited(("name: rack", "name: shelf")))
    assert (removed.hint, added.hint) == ("renamed to shelf?", "renamed from rack?")
    both = edited(("name: rack", "name: shelf"), ("maximum: 42", "maximum: 40"))
    assert [change.hint for change in diff(BASE_CONTRACT, both)] == ["", ""]


@pytest.mark.parametrize(
    ("version", "edit", "found"),
    [
        ("1.0.0", ("purpose: Power", "purpose: All power"), "version.unchanged purpose.changed"),
        ("1.0.1", ("purpose: Power", "purpose: All power"), "purpose.changed"),
        ("1.1.0", ("maximum: 2000", "maximum: 2500"), "version.too_small range.widened"),
        ("2.0.0", ("maximum: 2000", "maximum: 2500"), "range.widened"),
        ("1.0.0", ("maximum: 2000", "maximum: 2500"), "version.unchanged range.widened"),
        ("1.0.1", ("# An Open", "# One Open"), ""),
    ],
)
def test_a_version_that_says_too_little_is_said_first(
    version: str, edit: tuple[str, str], found: str
) -> None:
    """Any change needs a new version, and one that breaks somebody a new major one."""
    new = loads(replaced(TEXT, edit, ("version: 1.0.0", f"version: {version}")), "new")
    assert kinds(diff(OLD, new)) == found


@pytest.mark.parametrize(
    ("comparator", "before", "after", "kind"),
    [
        ("mustBeLessOrEqualTo", "5", "4", "tightened"),
        ("mustBeGreaterThan", "5", "4", "loosened"),
        ("mustBeGreaterOrEqualTo", "5", "6", "tightened"),
        ("mustBeBetween", "[1, 5]", "[0, 5]", "loosened"),
        ("mustBeBetween", "[1, 5]", "[2, 4]", "tightened"),
        ("mustBeBetween", "[1, 5]", "[2, 6]", "changed"),
        ("mustNotBeBetween", "[1, 5]", "[0, 6]", "tightened"),
        ("mustBe", "5", "6", "changed"),
    ],
)
def test_a_bound_moves_one_way(comparator: str, before: str, after: str, kind: str) -> None:
    """Whether a rule allows more depends on its comparator."""
    old, new = (
        loads(BASE.replace("mustBeLessThan: 5", f"{comparator}: {bounds}"), "x")
        for bounds in (before, after)
    )
    assert kinds(diff(old, replace(new, version="2.0.0"))) == f"quality.{kind}"
