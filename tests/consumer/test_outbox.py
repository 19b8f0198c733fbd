"""Receipts on their way: side by side, and noted in the ledger as they arrive."""

import threading
from collections.abc import Iterator

import pytest

from powerstage.consumer import Lake, consume
from powerstage.consumer.outbox import Outbox
from powerstage.contract import ReceiptKey
from powerstage.errors import StoreUnavailableError
from powerstage.store import MemoryStore
from tests.conftest import clock
from tests.consumer.conftest import Feed


@pytest.fixture
def lake(feed: Feed) -> Iterator[Lake]:
    """A lake whose ledger holds the receipts of a whole feed, none of them sent."""
    with Lake(feed.folder / "unsent", make=True) as lake:
        consume(feed.store, lake, clock=clock, send_receipts=False)
        yield lake


class Meeting(MemoryStore):
    """A store that takes no record before two wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._two = threading.Barrier(2, timeout=60)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write a record, when it is time."""
        self._two.wait()
        return super().put_if_absent(key, body)


def test_two_receipts_are_sent_at_once(lake: Lake) -> None:
    """Neither waits for the other's answer."""
    receipts = lake.ledger.unsent_receipts()
    with Outbox(Meeting(), lake.ledger, 2) as outbox:
        outbox.send(receipts[:2])
        outbox.empty()
    assert lake.ledger.unsent_receipts() == receipts[2:]


class Lossy(MemoryStore):
    """A store that does not answer for one record, once all others stand there."""

    def __init__(self, lost: str, others: int) -> None:
        super().__init__()
        self._lost, self._number = lost, others
        self._others = threading.Semaphore(0)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write a record, but not that one."""
        if key == self._lost:
            assert all(self._others.acquire(timeout=60) for _ in range(self._number))
            self._number = 0
            raise StoreUnavailableError("no answer")
        created = super().put_if_absent(key, body)
        self._others.release()
        return created

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """Nothing of that one either."""
        if key == self._lost:
            raise StoreUnavailableError("no answer")
        return super().get(key, sha256=sha256)


def test_receipts_that_arrived_are_noted_though_another_was_lost(lake: Lake) -> None:
    """Only the one that did not arrive is left to the next run."""
    first, second, third = lake.ledger.unsent_receipts()[:3]
    key = ReceiptKey(consumer=first.consumer, slot=first.slot, judgement=first.judgement)
    store = Lossy(str(key), others=2)

    def send() -> None:
        with Outbox(store, lake.ledger, 3) as outbox:
            outbox.send([first, second, third])
            outbox.empty()

    with pytest.raises(StoreUnavailableError):
        send()
    unsent = {receipt.slot for receipt in lake.ledger.unsent_receipts()}
    assert first.slot in unsent
    assert not unsent & {second.slot, third.slot}
