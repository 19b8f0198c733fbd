"""Object keys: each names one thing, and only what we build is parsed."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerstage.contract import (
    CommitKey,
    ContractKey,
    DataKey,
    ReceiptKey,
    Slot,
    parse_key,
    parse_period,
    parse_slot,
    period_text,
)
from powerstage.contract.layout import Key
from powerstage.errors import RecordError

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
periods = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
slots = st.builds(
    Slot,
    dataset=st.sampled_from(["inventory", "telemetry"]),
    period=periods,
    revision=st.integers(0, 999_999),
)
keys = st.one_of(
    st.builds(ContractKey, name=names, version=names),
    st.builds(
        DataKey,
        dataset=st.sampled_from(["inventory", "telemetry"]),
        date=st.dates(),
        sha256=digests,
    ),
    st.builds(CommitKey, slot=slots),
    st.builds(ReceiptKey, consumer=names, slot=slots, judgement=st.integers(0, 99)),
)


@given(keys)
def test_parsing_undoes_building(key: Key) -> None:
    """A key names exactly one thing."""
    assert parse_key(str(key)) == key


@given(keys, st.data())
def test_a_damaged_key_names_itself_or_nothing(key: Key, data: st.DataObject) -> None:
    """One character changed: what is parsed, if anything, builds the very same text."""
    text = str(key)
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters())
    damaged = text[:place] + character + text[place + 1 :]
    try:
        parsed = parse_key(damaged)
    except RecordError:
        return
    assert str(parsed) == damaged


@given(st.text())
def test_any_text_is_a_key_or_a_record_error(text: str) -> None:
    """Strangers write keys too; none of them is a crash."""
    with contextlib.suppress(RecordError):
        assert str(parse_key(text)) == text


@given(st.lists(slots, max_size=6))
def test_keys_sort_as_slots_do(some: list[Slot]) -> None:
    """A listing shows revisions in their order, and periods in theirs."""
    by_key = sorted(some, key=lambda slot: str(CommitKey(slot=slot)).encode())
    assert by_key == sorted(some)


@given(slots)
def test_a_slot_is_read_as_it_is_written(slot: Slot) -> None:
    """Slots and periods stand in records as text."""
    assert parse_slot(str(slot)) == slot
    assert parse_period(period_text(slot.period)) == slot.period


@pytest.mark.parametrize(
    "key",
    [
        "commits/telemetry/2026-13-01T0500/r000000.json",
        "commits/telemetry/2026-11-01T0560/r000000.json",
        "commits/telemetry/2026-11-01T0500/r0.json",
        "commits/telemetry/2026-11-01T0500/r000000.json\n",
        "commits/readings/2026-11-01T0500/r000000.json",
        "data/telemetry/date=2026-02-30/" + "a" * 64 + ".parquet",
        "data/telemetry/date=2026-02-03/" + "A" * 64 + ".parquet",
        "receipts/../telemetry/2026-11-01T0500/r000000.j01.json",
    ],
)
def test_a_near_miss_is_no_key(key: str) -> None:
    """Dates that do not exist, widths that vary, and paths that climb are refused."""
    with pytest.raises(RecordError):
        parse_key(key)


def test_a_period_is_in_utc() -> None:
    """A moment without a zone names no period."""
    with pytest.raises(ValueError, match="UTC"):
        period_text(datetime(2026, 11, 1, 5))  # noqa: DTZ001 - the point
