"""A contract's own rules: what is read of them, and what is refused with its line."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from powerstage.contract import lint, loads
from powerstage.contract.load import default_text

TEXT = default_text()
SCHEMA = Path(__file__).with_name("odcs-json-schema-v3.2.0.json")
SOURCE = "      - name: source\n"
PERIOD = "      - name: readings inside the period"
SITES = "      - name: every device at one of the sites"


def of_column(rule: str) -> str:
    """The default contract with a rule of telemetry's column ``source``."""
    return TEXT.replace(SOURCE, f"{SOURCE}        quality:\n          - {rule}\n")


def of_telemetry(rule: str) -> str:
    """The default contract with a rule of telemetry."""
    return TEXT.replace(PERIOD, f"      - {rule}\n{PERIOD}")


def of_inventory(rule: str) -> str:
    """The default contract with a rule of the inventory."""
    return TEXT.replace(SITES, f"      - {rule}\n{SITES}")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{metric: nulValues, mustBe: 0}", "metric is 'nulValues', not one of: nullValues"),
        ("{metric: nullValues}", "has no comparator; one of: mustBe"),
        ("{metric: nullValues, mustBe: 0, mustNotBe: 1}", "two comparators: mustBe, mustNotBe"),
        ("{metric: nullValues, mustbe: 0}", "did you mean 'mustBe'?"),
        ("{metric: nullValues, mustBe: none}", "mustBe is a finite number"),
        ("{metric: nullValues, mustBeBetween: [1]}", "mustBeBetween takes two numbers"),
        ("{metric: nullValues, mustBeBetween: [2, 1]}", "takes the smaller number first"),
        ("{metric: nullValues, mustBeLessThan: 0}", "nothing can keep to mustBeLessThan 0 rows"),
        ("{metric: nullValues, mustBe: 101, unit: percent}", "nothing can keep to mustBe 101"),
        ("{metric: nullValues, mustBe: 0, unit: per cent}", "unit is 'per cent'"),
        ("{metric: nullValues, mustBe: 0, arguments: {x: 1}}", "unknown key 'x'"),
        ("{metric: nullValues, mustBe: 0, severity: info}", "severity is 'info'"),
        ("{metric: nullValues, mustBe: 0, id: a.b}", "an id is of letters"),
        ("{rule: nullValues, type: library, mustBe: 0}", "unknown key 'rule'"),
        ("{metric: rowCount, mustBe: 0}", "rowCount is a rule of a dataset"),
        ("{metric: missingValues, mustBe: 0}", "for nulls use nullValues"),
        ("{metric: missingValues, mustBe: 0, arguments: {missingValues: [1]}}", "is a text"),
        ("{metric: invalidValues, mustBe: 0}", "lacks its arguments: validValues or pattern"),
        ("{metric: invalidValues, mustBe: 0, arguments: {pattern: a}}", "anchor it"),
        ("{metric: duplicateValues, mustBe: 0, arguments: {properties: [sn]}}", "of a dataset"),
        ("{type: sql, mustBe: 0}", "lacks 'query'"),
        ("{type: sql, query: SELECT 1}", "has no comparator"),
        ("{type: sql, query: 'SELECT {colum}', mustBe: 0}", "no placeholder is called {colum}"),
        ("{type: sql, query: 'SELECT ${HOME}', mustBe: 0}", "no placeholder is called ${HOME}"),
        ("{type: sequel, mustBe: 0}", "has a type, one of: library, sql, text, custom"),
        (
            "{type: custom, engine: powerstage, implementation: {rule: period}}",
            "the dataset itself",
        ),
        ("{type: text, metric: nullValues}", "unknown key 'metric'"),
    ],
)
def test_a_wrong_rule_is_named_by_its_line(rule: str, words: str) -> None:
    """Every complaint is one of the line on which the rule stands, and says what is wrong."""
    text = of_column(rule)
    line = text[: text.index(rule)].count("\n") + 1
    problems = lint(text, "c")
    assert all(problem.startswith(f"c:{line}: ") for problem in problems)
    assert any(words in problem for problem in problems)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{metric: nullValues, mustBe: 0}", "nullValues is a rule of a column"),
        ("{metric: rowCount, unit: percent, mustBe: 0}", "no percentage of anything"),
        ("{metric: duplicateValues, mustBe: 0}", "lacks its arguments: properties"),
        ("{metric: duplicateValues, mustBe: 0, arguments: {properties: [x]}}", "lacks the column"),
        ("{type: sql, query: 'SELECT {column}', mustBe: 0}", "only a column's rule has one"),
    ],
)
def test_a_dataset_has_other_rules_than_a_column(rule: str, words: str) -> None:
    """Both datasets refuse what only a column can have, and the reverse."""
    for text in (of_telemetry(rule), of_inventory(rule)):
        (problem,) = lint(text, "c")
        assert words in problem


def test_an_id_stands_once() -> None:
    """Findings are told apart by it; without one, rules are numbered."""
    rule = "{id: one, metric: rowCount, mustBeGreaterThan: 0}"
    (problem,) = lint(of_telemetry(f"{rule}\n      - {rule}"), "c")
    assert "the id 'quality.one' stands twice" in problem
    rule = rule.replace("id: one, ", "")
    rules = loads(of_telemetry(f"{rule}\n      - {rule}"), "c").telemetry.quality
    assert [rule.id for rule in rules] == ["quality.rowCount", "quality.rowCount~2"]


def test_a_rule_is_read_with_all_that_it_says() -> None:
    """Words, severity, unit, comparator, arguments and line are facts of the contract."""
    rule = (
        "{name: few are missing, metric: missingValues, unit: percent, severity: warning,"
        " arguments: {missingValues: [null, '', n/a]}, mustBeBetween: [0, 2.5]}"
    )
    text = of_column(rule)
    (read,) = loads(text, "c").telemetry.quality
    assert (read.words, read.rule.severity, read.unit) == ("few are missing", "warning", "percent")
    assert (read.comparator, read.bounds) == ("mustBeBetween", (0, 2.5))
    assert (read.column, read.values) == ("source", ("", "n/a"))
    assert "few are missing" in text.splitlines()[read.rule.line - 1]


def test_a_text_is_documentation() -> None:
    """It is accepted, in both datasets and under a column, and never checked."""
    rule = "{type: text, name: n, description: Sensors are calibrated once a year.}"
    for text in (of_column(rule), of_telemetry(rule), of_inventory(rule)):
        contract = loads(text, "c")
        assert contract.inventory.quality == contract.telemetry.quality == ()


def test_braces_that_are_no_placeholder_are_left_alone() -> None:
    """A pattern repeats, and a struct has keys."""
    query = "SELECT count(*) FROM {model} WHERE source ~ '[0-9]{10}' OR {'a': 1}.a = 2"
    text = of_column(f'{{type: sql, query: "{query}", mustBe: 0}}')
    assert loads(text, "c").telemetry.quality[0].query == query


def test_rules_of_the_users_own_are_odcs() -> None:
    """What we read is valid against the standard's own JSON schema."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    for rule in (
        "{metric: nullValues, mustBe: 0}",
        "{metric: invalidValues, mustBe: 1, unit: percent, arguments: {validValues: [iLo]}}",
        "{type: sql, query: 'SELECT count(*) FROM ${object}', mustNotBeBetween: [1, 2]}",
        "{type: text, description: d}",
    ):
        text = of_column(rule)
        assert lint(text, "c") == ()
        assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
