"""A contract file: read strictly, with file and line in every complaint."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from powerstage.contract import Contract, default, lint, load, loads
from powerstage.contract.load import default_text
from powerstage.errors import ContractError, UsageError

TEXT = default_text()
SCHEMA = Path(__file__).with_name("odcs-json-schema-v3.2.0.json")


def line_of(text: str, part: str) -> int:
    """The line on which a part stands."""
    return text[: text.index(part)].count("\n") + 1


def test_the_default_contract_is_sound() -> None:
    """It lints clean, and holds what the old sample's format holds."""
    assert lint(TEXT, "x") == ()
    contract = default()
    assert [column.name for column in contract.telemetry.columns] == (
        [
            "sn",
            "model",
            "product_id",
            "location",
            "start_time",
            "end_time",
            "source",
            "type",
            "unit",
            "value",
        ]
    )
    assert [(m.name, m.unit) for m in contract.measures] == [
        ("server cpu utilization", "%"),
        ("server power", "W"),
    ]
    assert contract.delivery_interval == contract.roles.reading_interval == timedelta(hours=1)


def test_the_default_contract_is_odcs() -> None:
    """It is valid against the standard's own JSON schema."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(TEXT))] == []


@pytest.mark.parametrize(
    ("part", "instead", "words"),
    [
        ("required: true", "requird: true", "unknown key 'requird' in a column; did you mean"),
        ("      minimum: 0", "      minimum: 101", "no value is within 101..100"),
        ("severity: error", "severity: bad", "severity is 'bad'"),
        ("intervalSeconds: 3600", "intervalSeconds: 7", ""),
        ("to: inventory.sn", "to: inventory.model", "refers to the key of inventory"),
        ("value: W", "value: kW", ""),
        ("timezone: Europe/Berlin", "timezone: Europe/Berlon", ""),
        ("rule: period", "rule: perod", "rule is 'perod'"),
        ("'^[0-9A-Z]{10}$'", "'^[0-9A-Z]{10}($'", "no regular expression"),
        ("'^[0-9A-Z]{10}$'", "'[0-9A-Z]{10}'", "anchor it"),
        ("'^[0-9A-Z]{10}$'", "'^(?=x)[0-9A-Z]{10}$'", "RE2"),
        ("physicalType: DOUBLE", "physicalType: FLOAT", "not one of: DOUBLE"),
        ("physicalType: TIMESTAMP_TZ", "physicalType: TIMESTAMP", "not one of: TIMESTAMP_TZ"),
        ("version: 1.0.0", "version: 1.0", "put it in quotes: '1.0'"),
        ("version: 1.0.0", "version: ../1", "cannot stand in an object key"),
        ("apiVersion: v3.2.0", "apiVersion: v2.0.0", "not one of: v3.2.0"),
        ("kind: DataContract", "kind: DataContract\nkind: DataContract", ""),
        ("- name: source", '- name: "raw:source"', "no colon"),
        ("- name: source", "- name: file_row_number", "of its own"),
        ("intervalSeconds: 3600", "intervalSeconds: 100000000000000000000", "those of a day"),
        ("maximum: 2000", "maximum: 1" + "0" * 400, "finite number"),
        ("'^[0-9A-Z]{10}$'", "'^[0-9A-Z]{99999999999999}$'", "no regular expression"),
        ("'^[0-9A-Z]{10}$'", "'^[0-9A-Z]{1,2000}$'", "more than 1000 times"),
        ("'^[0-9A-Z]{10}$'", "'^[0-9A-Z]++$'", "possessive"),
        ("- name: source", "- name: SN", "the column 'SN' stands twice"),
        ("value: iLo", 'value: "i\\0Lo"', "control characters"),
        ("status: active", "status: &x active", "anchors, aliases and tags"),
        ("status: active", "status: *x", "anchors, aliases and tags"),
        ("status: active", "status: !!str active", "anchors, aliases and tags"),
        ("status: active", "status:\tactive\n\tx: 1", ""),
        ("unit: h\n  - property: lat", "unit: moon\n  - property: lat", "unit is 'moon'"),
        ("value: 1\n    unit: h", "value: 7\n    unit: h", ""),
        ("ratio: 1", "ratio: 0", ""),
        ("ratio: 1", "ratio: .nan", "finite number"),
        ("primaryKeyPosition: 3", "primaryKeyPosition: 4", ""),
        ("value: powerstage-delivery/1", "value: powerstage-delivery/2", "keyLayout"),
        ("path: inventory.csv", "path: ../inventory.csv", ""),
        ("engine: powerstage", "engine: soda", "not one of: powerstage"),
        ("type: custom", "type: sql", "lacks 'query'"),
        ("maximum: 100\n", "maximum: 100\n              maximun: 1\n", "maximun"),
    ],
)
def test_a_wrong_line_is_named(part: str, instead: str, words: str) -> None:
    """Each complaint has the file and a line, and the words say what is wrong."""
    assert part in TEXT
    problems = lint(TEXT.replace(part, instead, 1), "agreed.yaml")
    assert problems
    assert all(problem.startswith("agreed.yaml:") for problem in problems)
    assert words in " ".join(problems)
    if words:
        near = {line_of(TEXT, part) + offset for offset in (-6, -5, -4, -3, -2, -1, 0, 1, 2)}
        assert any(int(problem.split(":")[1]) in near for problem in problems if words in problem)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Nobody mends a file one run at a time."""
    text = TEXT.replace("kind: DataContract", "kind: X").replace("maximum: 2000", "maximum: -1")
    assert len(lint(text, "x")) == 2


@pytest.mark.parametrize(
    "text",
    ["", "[]", "just words", "a: [", "\0", "x" * 2_000_000, "- " * 5000, "a: " + "[" * 500_000],
)
def test_what_is_no_contract_is_refused(text: str) -> None:
    """Emptiness, other YAML, no YAML, two megabytes, and what YAML takes an hour for."""
    with pytest.raises(ContractError):
        loads(text, "x")


@given(st.lists(st.integers(0, TEXT.count("\n") - 1), min_size=1, max_size=8), st.booleans())
def test_lines_lost_or_doubled_are_complaints_not_crashes(lines: list[int], double: bool) -> None:
    """A tired editor's file is sound, or a ContractError says why not."""
    kept = [
        line * (2 if double and number in lines else 1)
        for number, line in enumerate(TEXT.splitlines(keepends=True))
        if double or number not in lines
    ]
    problems: tuple[str, ...] | None = None
    try:
        loads("".join(kept), "x")
    except ContractError as error:
        problems = error.problems
    assert problems != ()


def test_an_edit_of_the_file_is_all_it_takes() -> None:
    """Another measure, column, site and interval reach the facts."""
    text = (
        TEXT.replace(
            "            - measure: server power",
            "            - {measure: inlet temperature, unit: C, minimum: 0, maximum: 60}\n"
            "            - measure: server power",
        )
        .replace(
            "          - value: server power",
            "          - value: server power\n          - value: inlet temperature",
        )
        .replace("          - value: W", "          - value: W\n          - value: C")
        .replace(
            "        - code: DE-1",
            "        - code: UK-1\n          timezone: Europe/London\n        - code: DE-1",
        )
        .replace("intervalSeconds: 3600", "intervalSeconds: 300")
        .replace(
            "      - name: value\n",
            "      - {name: rack, logicalType: string, physicalType: VARCHAR}\n"
            "      - name: value\n",
        )
    )
    contract = loads(text, "x")
    assert [measure.unit for measure in contract.measures] == ["%", "C", "W"]
    assert "UK-1" in {site.code for site in contract.sites}
    assert contract.roles.reading_interval == timedelta(minutes=5)
    assert not contract.telemetry.column("rack").required


def test_a_file_is_named_when_it_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and bytes that are no text are the caller's to mend."""
    with pytest.raises(UsageError, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")
    with pytest.raises(UsageError):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(ContractError, match="not UTF-8"):
        load(tmp_path / "latin.yaml")


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    """A comment changes the digest, and nothing else."""
    (tmp_path / "a.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(TEXT + "# x\n", encoding="utf-8")
    one, other = load(tmp_path / "a.yaml"), load(tmp_path / "b.yaml")
    assert one.sha256 != other.sha256

    def facts(contract: Contract) -> Contract:
        return replace(contract, sha256="", text="", path="")

    assert facts(one) == facts(other)
