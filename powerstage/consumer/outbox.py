"""Receipts on their way to the feed, several at once."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Self

from powerstage.consumer.ledger import Ledger
from powerstage.consumer.receipts import send
from powerstage.contract import Receipt, Slot
from powerstage.errors import ConflictError
from powerstage.store import Store


class Outbox:
    """Sends the receipts that the ledger holds, and notes there which arrived.

    Threads send; the ledger is touched by the caller's alone. A receipt that arrived and was not
    noted is sent once more by the next run, and found to stand there.

    Args:
        store: the feed.
        ledger: of the consumer.
        senders: how many are sent at once.
    """

    def __init__(self, store: Store, ledger: Ledger, senders: int) -> None:
        self._store, self._ledger, self._senders = store, ledger, senders
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="powerstage-receipt")
        self._sending: dict[Slot, Future[Receipt | None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        if isinstance(error, Exception):
            # Those that arrived nevertheless; an interrupt leaves them to the next run.
            sending = [future for future in self._sending.values() if not future.cancelled()]
            self._mark(future.result() for future in sending if future.exception() is None)

    def send(self, receipts: Iterable[Receipt]) -> None:
        """Send receipts that the ledger holds."""
        for receipt in receipts:
            self._sending[receipt.slot] = self._pool.submit(self._sent, receipt)
        if len(self._sending) >= 2 * self._senders:
            # The older half; each transaction waits for the disk.
            self._note(len(self._sending) - self._senders)

    def empty(self) -> None:
        """Wait until all that was sent stands there."""
        self._note(len(self._sending))

    def _note(self, count: int) -> None:
        slots = list(islice(self._sending, count))
        self._mark([self._sending[slot].result() for slot in slots])
        for slot in slots:
            del self._sending[slot]

    def _mark(self, arrived: Iterable[Receipt | None]) -> None:
        self._ledger.mark_sent(receipt for receipt in arrived if receipt is not None)

    def _sent(self, receipt: Receipt) -> Receipt | None:
        try:
            return send(self._store, receipt)
        except ConflictError:
            # Somebody took all its judgements, there is no room for one: the ledger has it.
            return None
