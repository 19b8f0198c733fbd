"""What the producer sees of its feed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import pytest

from powerstage.contract import CommitKey, Contract, ContractKey, Receipt, ReceiptKey, Slot
from powerstage.errors import NothingToJudgeError
from powerstage.producer import status, synthesise
from powerstage.store import MemoryStore
from tests.conftest import START, clock
from tests.producer.conftest import objects, published, store_of

Verdict = Literal["accepted", "rejected", "unreadable"]


def slot(hour: int) -> Slot:
    """The delivery of an hour of the day."""
    return Slot(dataset="telemetry", period=START + timedelta(hours=hour))


INVENTORY = Slot(dataset="inventory", period=START)


def send(
    store: MemoryStore,
    slot: Slot,
    verdict: Verdict,
    *,
    consumer: str = "consumer",
    judgement: int = 1,
    under: ReceiptKey | None = None,
) -> None:
    """Put a receipt where a consumer would, or under another key."""
    receipt = Receipt(
        slot=slot,
        identity="0" * 64,
        consumer=consumer,
        judgement=judgement,
        verdict=verdict,
        checks_passed=9,
        checks=(),
        rules="rules",
        judged_at="2026-11-24T12:00:00Z",
    )
    key = under or ReceiptKey(consumer=consumer, slot=slot, judgement=judgement)
    assert store.put_if_absent(str(key), receipt.to_json())


def without(store: MemoryStore, dropped: Callable[[str], bool]) -> MemoryStore:
    """The feed without some of its objects."""
    return store_of({key: body for key, body in objects(store).items() if not dropped(key)})


@pytest.fixture(scope="module")
def day(contract: Contract) -> dict[str, bytes]:
    """The objects of a feed: an inventory and 24 periods."""
    return objects(published(synthesise(contract, devices=1, start=START)))


@pytest.fixture
def feed(day: dict[str, bytes]) -> MemoryStore:
    """A feed, and nobody's word on its deliveries."""
    return store_of(day)


def test_deliveries_without_a_receipt_are_waiting(feed: MemoryStore) -> None:
    """All of them, in order, and nobody is known to read them."""
    found = status(feed, clock=clock)
    assert [delivery.slot for delivery in found.deliveries] == [
        INVENTORY,
        *(slot(hour) for hour in range(24)),
    ]
    assert (found.feed, found.consumers) == ("memory", ())
    assert found.verdicts("consumer") == {"waiting": 25}


def test_verdicts_are_counted_for_each_consumer(feed: MemoryStore) -> None:
    """What one says of a delivery is nothing to the other."""
    send(feed, INVENTORY, "accepted")
    send(feed, slot(0), "accepted")
    send(feed, slot(1), "rejected")
    send(feed, slot(2), "unreadable")
    send(feed, slot(0), "rejected", consumer="analyst")
    found = status(feed, clock=clock)
    assert found.consumers == ("analyst", "consumer")
    assert found.verdicts("consumer") == {
        "accepted": 2,
        "rejected": 1,
        "unreadable": 1,
        "waiting": 21,
    }
    assert found.verdicts("analyst") == {"rejected": 1, "waiting": 24}


def test_the_latest_receipt_counts(feed: MemoryStore) -> None:
    """The highest judgement, whenever it was written; the others are not shown."""
    send(feed, slot(3), "accepted", judgement=10)
    send(feed, slot(3), "unreadable", judgement=2)
    send(feed, slot(3), "rejected", judgement=9)
    found = status(feed, clock=clock)
    assert found.verdicts("consumer") == {"accepted": 1, "waiting": 24}
    (delivery,) = (delivery for delivery in found.deliveries if delivery.receipts)
    assert (delivery.slot, [receipt.judgement for receipt in delivery.receipts]) == (slot(3), [10])


def test_a_receipt_that_is_none_is_no_word(feed: MemoryStore) -> None:
    """Its consumer is known by its key; its delivery goes on waiting."""
    feed.put(str(ReceiptKey(consumer="analyst", slot=slot(0))), b"rubbish")
    feed.put("receipts/notes.txt", b"x")
    found = status(feed, clock=clock)
    assert (found.consumers, found.verdicts("analyst")) == (("analyst",), {"waiting": 25})


@pytest.mark.parametrize(
    "under",
    [
        ReceiptKey(consumer="consumer", slot=slot(1)),
        ReceiptKey(consumer="analyst", slot=slot(0)),
        ReceiptKey(consumer="consumer", slot=slot(0), judgement=2),
    ],
    ids=["delivery", "consumer", "judgement"],
)
def test_a_receipt_under_the_key_of_another_is_no_word(
    feed: MemoryStore, under: ReceiptKey
) -> None:
    """It speaks neither for the one that it names nor for the one whose place it takes."""
    send(feed, slot(0), "rejected", under=under)
    found = status(feed, clock=clock)
    assert found.verdicts("consumer") == found.verdicts("analyst") == {"waiting": 25}


def test_missing_periods_are_found_in_runs(feed: MemoryStore) -> None:
    """Between the first and the last of telemetry; what may come later is not missed."""
    gone = {str(CommitKey(slot=slot(hour))) for hour in (0, 4, 5, 6, 20, 23)}
    found = status(without(feed, lambda key: key in gone), clock=clock).gaps
    assert found is not None
    assert [(gap.first, gap.last, gap.periods) for gap in found] == [
        (slot(4).period, slot(6).period, 3),
        (slot(20).period, slot(20).period, 1),
    ]


def test_a_feed_without_gaps_has_none(feed: MemoryStore) -> None:
    """That is not the same as not knowing."""
    assert status(feed, clock=clock).gaps == ()


def test_without_a_contract_gaps_are_unknown(feed: MemoryStore) -> None:
    """Nobody says how long a period is."""
    found = status(without(feed, lambda key: key.startswith("contract/")), clock=clock)
    assert (found.gaps, len(found.deliveries)) == (None, 25)


def test_every_revision_is_a_delivery(feed: MemoryStore) -> None:
    """With verdicts of its own, and its period is there once."""
    second = Slot(dataset="telemetry", period=slot(0).period, revision=1)
    feed.put(str(CommitKey(slot=second)), b"{}")
    send(feed, slot(0), "rejected")
    send(feed, second, "accepted")
    found = status(feed, clock=clock)
    assert found.verdicts("consumer") == {"rejected": 1, "accepted": 1, "waiting": 24}
    assert found.gaps == ()


@pytest.mark.parametrize("kept", ["", "data/", "contract/"])
def test_a_place_without_deliveries_is_nothing_to_judge(feed: MemoryStore, kept: str) -> None:
    """Empty, or with all but the commits; a stray is no delivery."""
    store = without(feed, lambda key: not (kept and key.startswith(kept)))
    store.put("commits/notes.txt", b"x")
    with pytest.raises(NothingToJudgeError, match="no delivery in memory"):
        status(store, clock=clock)


def test_gaps_are_those_of_the_contract_that_deliveries_follow(
    feed: MemoryStore, contract: Contract
) -> None:
    """Not of another version beside it, nor of whatever else lies there."""
    text = contract.text.replace("version: 1.0.0", "version: 1.9.0")
    daily = text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    store = without(feed, lambda key: key == str(CommitKey(slot=slot(5))))
    store.put(str(ContractKey(name=contract.name, version="1.9.0")), daily.encode())
    store.put("contract/zzz.txt", b"x" * 2_000_000)
    (gap,) = status(store, clock=clock).gaps or ()
    assert (gap.first, gap.periods) == (slot(5).period, 1)


def test_a_contract_that_cannot_be_read_leaves_gaps_unknown(feed: MemoryStore) -> None:
    """It is the consumer who refuses it."""
    feed.put("contract/power-telemetry/1.0.0.odcs.yaml", b"\xff")
    assert status(feed, clock=clock).gaps is None
