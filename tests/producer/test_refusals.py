"""What mock data cannot be: each option, and each part of a contract, is refused by its name."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from powerstage.contract import Contract
from powerstage.errors import UsageError
from powerstage.producer import synthesise
from tests.conftest import START
from tests.producer.conftest import edited
from tests.producer.mock import (
    LOCATION,
    MORE_MEASURES,
    RACK,
    Edit,
    agreed,
    jitter,
    seconds,
)

REQUIRED_RACK = (RACK[0], RACK[1].replace("VARCHAR}", "VARCHAR, required: true}"))
ROOM = (
    LOCATION,
    "      - {name: room, logicalType: date, physicalType: DATE, required: true}\n" + LOCATION,
)
OPTIONS: Sequence[tuple[dict[str, Any], str]] = (
    ({"devices": 0}, "--devices"),
    ({"devices": -1}, "--devices"),
    ({"devices": 1_000_001}, "--devices"),
    ({"days": 0}, "--days"),
    ({"days": -1}, "--days"),
    ({"days": 3_661}, "--days"),
    ({"seed": -1}, "--seed"),
    ({"seed": 2**63}, "--seed"),
    ({"start": START + timedelta(minutes=30)}, "--start"),
    ({"start": START + timedelta(microseconds=1)}, "--start"),
    ({"start": START.replace(tzinfo=None)}, "--start"),
    ({"start": START.astimezone(timezone(timedelta(hours=1)))}, "--start"),
    ({"start": START.replace(year=1969)}, "--start"),
    ({"start": START.replace(year=9999)}, "--start"),
    ({"fuzz": timedelta(seconds=-1)}, "--fuzz"),
    ({"fuzz": timedelta(seconds=31)}, "--fuzz"),
    ({"fuzz": timedelta(seconds=1.5)}, "--fuzz"),
    ({"fuzz": timedelta(microseconds=1)}, "--fuzz"),
)


@pytest.mark.parametrize(("options", "words"), OPTIONS, ids=str)
def test_an_option_out_of_range_is_named(options: dict[str, Any], words: str) -> None:
    """A usage error, with the option in its fix."""
    with pytest.raises(UsageError) as caught:
        synthesise(agreed(jitter(30)), **({"start": START} | options))
    assert words in caught.value.fix


@pytest.mark.parametrize(
    "options",
    [
        {"devices": 1},
        {"devices": 1_000_000},
        {"days": 3_660},
        {"seed": 0},
        {"seed": 2**63 - 1},
        {"start": START.replace(year=1970)},
        {"start": datetime(9980, 1, 1, tzinfo=START.tzinfo)},
        {"fuzz": timedelta(seconds=30)},
    ],
    ids=str,
)
def test_the_ends_of_a_range_belong_to_it(options: dict[str, Any]) -> None:
    """As the fixes say."""
    source = synthesise(agreed(jitter(30)), **({"start": START} | options))
    assert len(source.periods()) == source.days * 24


def test_no_jitter_is_possible_where_none_was_agreed(contract: Contract) -> None:
    """The contract, and the key of it that would have to change, stand in the message."""
    with pytest.raises(UsageError, match="fuzz is 1 s") as caught:
        synthesise(contract, start=START, fuzz=timedelta(seconds=1))
    assert "at most 0 s late" in caught.value.cause
    assert "--fuzz" in caught.value.fix
    assert "jitterSeconds" in caught.value.fix


PATTERN = "'^[0-9A-Z]{10}$'"
VALUE = "        logicalType: number\n        physicalType: DOUBLE\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([(PATTERN, "'^S[0-9]$'")], "serial numbers"),
        ([(PATTERN, "'^(A|B)[0-9]{9}$'")], "serial numbers"),
        ([REQUIRED_RACK], "'rack'"),
        ([ROOM], "'room'"),
        ([("maximum: 2000", "maximum: 150")], "'server power'"),
        ([("minimum: 0\n              maximum: 2000", "minimum: 100\n              maximum: 2000")],
         "'server power'"),
        ([("maximum: 100\n", "maximum: 50\n")], "'server cpu utilization'"),
        ([MORE_MEASURES[0], *MORE_MEASURES[1:], ("maximum: 2}", "maximum: 0.4}")],
         "'apparent power'"),
        ([(VALUE, f"{VALUE}        logicalTypeOptions: {{maximum: 150}}\n")], "'server power'"),
        ([("'^[0-9A-Z]{6}(-[0-9A-Z]{3})?$'", "'^[0-9]{6}$'")], "'product_id'"),
        ([("description: Model name, as the vendor writes it.",
           "description: Model.\n        enum: [{value: DELL}]")], "'model'"),
        ([("'^[A-Z]{2}(-[A-Z]{1,2})?-[0-9A-Z]{1,2}$'", "'^[A-Z]{3}$'")], "'location'"),
        ([("description: Site code, as in the inventory.",
           "description: Site.\n        enum: [{value: ND-01}]")], "'location'"),
        ([("description: What took the reading.",
           "description: By.\n        logicalTypeOptions: {pattern: '^[0-9]$'}")], "'source'"),
        ([("description: The measure.",
           "description: The.\n        logicalTypeOptions: {pattern: '^[0-9]$'}")], "'type'"),
        ([("description: Unit of the value.",
           "description: The.\n        logicalTypeOptions: {pattern: '^[0-9]$'}")], "'unit'"),
    ],
    ids=[
        "few serials", "alternatives", "telemetry column", "inventory column", "watts above",
        "watts below", "per cent", "kilowatts", "column's range", "product pattern", "model enum",
        "site pattern", "site enum", "source", "measure pattern", "unit pattern",
    ],
)  # fmt: skip
def test_a_contract_that_mock_data_cannot_keep_is_refused(
    contract: Contract, changes: list[Edit], words: str
) -> None:
    """Before anything is written, with what stands in the way."""
    with pytest.raises(UsageError, match=words):
        synthesise(edited(contract, *changes), start=START)


def test_a_fleet_as_large_as_its_serial_numbers_is_made(contract: Contract, tmp_path: Path) -> None:
    """The number in the fix can be taken at its word, and one more cannot."""
    tight = edited(contract, (PATTERN, "'^S[0-9]$'"))
    assert synthesise(tight, devices=5, start=START).write_inventory(START, tmp_path / "i") == 5
    with pytest.raises(UsageError) as caught:
        synthesise(tight, devices=6, start=START)
    assert "--devices is at most 5," in caught.value.fix


def test_a_period_that_no_delivery_may_hold_is_refused() -> None:
    """At most a thousand files: the number in the fix can be taken at its word."""
    contract = agreed(seconds(1))
    assert len(synthesise(contract, devices=138_888, start=START).periods()) == 24
    with pytest.raises(UsageError, match="138,889 devices have 1,000,000,800 readings") as caught:
        synthesise(contract, devices=138_889, start=START)
    assert "--devices is at most 138,888 " in caught.value.fix
