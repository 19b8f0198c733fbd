"""The receipt: a verdict on its way back."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from powerstage.contract import Receipt, ReceiptCheck, Slot
from powerstage.errors import RecordError

RECEIPT = Receipt(
    slot=Slot(dataset="telemetry", period=datetime(2026, 11, 1, 5, tzinfo=UTC)),
    identity="1" * 64,
    consumer="dash-1",
    judgement=2,
    verdict="rejected",
    checks_passed=30,
    checks=(
        ReceiptCheck(
            id="value.range", outcome="fail", rows=3, words="value is out of range", sample=("x",)
        ),
    ),
    rules="powerstage 0.1.0",
    judged_at="2026-11-24T12:00:00Z",
)


def test_a_receipt_survives_json() -> None:
    """What is written is what is read."""
    assert Receipt.from_json(RECEIPT.to_json()) == RECEIPT


def test_the_same_verdict_at_another_time_says_the_same() -> None:
    """A consumer that lost its memory judges again, and need not write again."""
    assert RECEIPT.says_the_same_as(replace(RECEIPT, judged_at="2027-01-01T00:00:00Z"))
    assert not RECEIPT.says_the_same_as(replace(RECEIPT, verdict="accepted"))
    assert not RECEIPT.says_the_same_as(replace(RECEIPT, identity="2" * 64))


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "fine"},
        {"spec": "x"},
        {"consumer": "../x"},
        {"judgement": 100},
        {"checks": [{"id": "x"}]},
        {"commit": "telemetry/now/r0"},
        {"extra": 1},
    ],
)
def test_a_malformed_receipt_is_refused(change: dict[str, object]) -> None:
    """Receipts come from outside too."""
    with pytest.raises(RecordError):
        Receipt.from_json(json.dumps(json.loads(RECEIPT.to_json()) | change).encode())
