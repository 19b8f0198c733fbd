"""The rule ``readings``: stamps by the end alone, and readings that start late."""

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from powerstage.contract import default, front_matter, lint, loads
from powerstage.contract.load import default_text
from tests.conftest import FRONT_MATTER
from tests.contract.conftest import end_stamped, end_stamped_text, jitter_of, jittered, replaced

SCHEMA = Path(__file__).with_name("odcs-json-schema-v3.2.0.json")
BOTH = replaced(end_stamped_text(), jitter_of(30))


def test_a_start_stamps_a_reading_where_there_is_one() -> None:
    """The default contract has one, and no jitter."""
    roles = default().roles
    assert (roles.start, roles.stamp, roles.jitter) == ("start_time", "start_time", timedelta())


def test_without_a_start_the_end_is_the_stamp() -> None:
    """It stands in the key, and no column of telemetry is a start."""
    contract = end_stamped()
    assert (contract.roles.start, contract.roles.stamp) == (None, "end_time")
    assert contract.telemetry.key == ("sn", "end_time", "type")
    assert "start_time" not in {column.name for column in contract.telemetry.columns}


def test_the_zone_of_bare_stamps_is_that_of_the_end_alone() -> None:
    """There is no start that could name another."""
    zone = ("defaultTimezone: UTC", "defaultTimezone: Asia/Kolkata")
    assert end_stamped(zone).timezone == "Asia/Kolkata"


def test_both_agreements_are_odcs() -> None:
    """The standard's own JSON schema allows them."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(BOTH))] == []


def test_front_matter_comes_into_a_contract_with_both_and_goes_out() -> None:
    """It says nothing of either, and leaves them as they are."""
    text = front_matter.to_contract(front_matter.parse(FRONT_MATTER, "README.md"), BOTH)
    contract = loads(text, "x")
    assert (contract.roles.start, contract.roles.jitter) == (None, timedelta(seconds=30))
    assert front_matter.write(contract) == FRONT_MATTER


@pytest.mark.parametrize("seconds", [0, 1, 3_599])
def test_jitter_is_from_none_to_less_than_the_interval(seconds: int) -> None:
    """In whole seconds; the table below has what is not."""
    assert jittered(seconds).roles.jitter == timedelta(seconds=seconds)


RANGE = "jitterSeconds is a whole number of seconds, from 0 to below intervalSeconds"
NUMBER = "jitterSeconds is a finite number"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("-1", RANGE),
        ("3600", RANGE),
        ("1.0e+12", RANGE),
        ("0.5", RANGE),
        ("100000000000000000000", RANGE),
        ("'30'", NUMBER),
        ("true", NUMBER),
        (".nan", NUMBER),
        (".inf", NUMBER),
        ("[30]", NUMBER),
        ("", NUMBER),
    ],
)
def test_a_wrong_jitter_is_named_with_its_line(value: str, words: str) -> None:
    """One complaint, at the line of the key itself."""
    text = replaced(default_text(), jitter_of(value))
    line = text[: text.index("jitterSeconds")].count("\n") + 1
    assert lint(text, "agreed.yaml") == (f"agreed.yaml:{line}: {words}",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("start: start_time", "strat: start_time")], "unknown key 'strat' in the rule"),
        ([("start: start_time", "start:")], "start is a text"),
        ([("start: start_time", "start: value")], "start is the column 'value', which is no"),
        ([("          start: start_time\n", "")], "is device, end (the rule 'readings' names no"),
        ([("          end: end_time\n", "")], "the rule 'readings' lacks 'end'"),
        ([jitter_of(1), ("jitterSeconds", "jitterSecond")], "did you mean 'jitterSeconds'"),
    ],
    ids=["misspelt", "empty", "no stamp", "forgotten", "no end", "jitter misspelt"],
)
def test_a_wrong_start_or_end_is_a_complaint(changes: list[tuple[str, str]], words: str) -> None:
    """To leave the start out is an agreement only where the key follows."""
    assert words in " ".join(lint(replaced(default_text(), *changes), "x"))


def test_the_key_without_a_start_holds_the_end() -> None:
    """Of device and measure alone, only one reading could be sent."""
    text = replaced(
        end_stamped_text(),
        ("        primaryKey: true\n        primaryKeyPosition: 2\n", ""),
        ("primaryKeyPosition: 3", "primaryKeyPosition: 2"),
    )
    (problem,) = lint(text, "x")
    assert "the primary key of telemetry is device, end" in problem
