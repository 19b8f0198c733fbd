"""Consume for ever: look, judge what is new, wait; a queue of hints makes the wait shorter."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Protocol

from powerstage.consumer.consume import DEFAULT_CONSUMER, FETCHERS, Consumed, consume
from powerstage.consumer.discover import Discovered, Watch, discover
from powerstage.consumer.judge import Judgement
from powerstage.consumer.lake import Lake
from powerstage.contract import Contract
from powerstage.errors import NothingToJudgeError
from powerstage.store import Hint, Store


class Hints(Protocol):
    """Where hints come from."""

    def receive(self, seconds: float) -> list[Hint]:
        """What came, after so long at most."""
        ...

    def delete(self, hints: Sequence[Hint]) -> None:
        """What need not come again."""
        ...


def follow(
    store: Store,
    lake: Lake,
    *,
    clock: Callable[[], datetime],
    wait: Callable[[float], bool],
    every: timedelta,
    hints: Hints | None = None,
    name: str = DEFAULT_CONSUMER,
    contract: Contract | None = None,
    rejudge: bool = False,
    fetchers: int = FETCHERS,
    workers: int | None = None,
    executor: Executor | None = None,
    on_judgement: Callable[[Judgement], None] = lambda _: None,
) -> Iterator[Consumed]:
    """Judge what a feed holds, and then whatever comes; one item for each look.

    The first look is at the whole feed, which may be empty yet. A hint is taken off its queue once
    what it names was judged and the receipt was sent; what is lost the looks find all the same.

    Args:
        store: where the feed is.
        lake: where accepted data and the ledger are.
        clock: the time.
        wait: waits for so many seconds; True if it is time to stop. With 0 it only says so.
        every: how long after a look comes the next, if no hint comes before.
        hints: the queue; None for none.
        name: what receipts call this consumer.
        contract: the contract to hold deliveries against from now on; None for the pinned one.
        rejudge: judge again, at the first look, all that was refused.
        fetchers: how many deliveries are fetched at once.
        workers: how many judge on this machine at most; None for one per processor.
        executor: judges telemetry in their place.
        on_judgement: called after each verdict is recorded.

    Raises:
        PowerstageError: as ``consume``.
    """
    first = True
    watch = Watch(store, lake.ledger)
    received: list[Hint] = []
    while True:
        found = _whole(store) if first else watch.look(clock(), _keys(received))
        if found is not None:
            yield consume(
                store,
                lake,
                clock=clock,
                name=name,
                contract=contract,
                found=None if first else found,
                rejudge=first and rejudge,
                stop=lambda: wait(0),
                fetchers=fetchers,
                workers=workers,
                executor=executor,
                on_judgement=on_judgement,
            )
            first, contract = False, None
        if hints is not None:
            hints.delete(received)
        received = []
        if hints is None:
            if wait(every.total_seconds()):
                return
            continue
        due = clock() + every
        while not received and (left := (due - clock()).total_seconds()) > 0:
            if wait(0):
                return
            received = hints.receive(left)


def _whole(store: Store) -> Discovered | None:
    """All that stands there; None where nothing does yet."""
    try:
        return discover(store)
    except NothingToJudgeError:
        return None


def _keys(hints: Sequence[Hint]) -> list[str]:
    return [key for hint in hints for key in hint.keys]
