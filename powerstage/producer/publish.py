"""Publish a source's deliveries into a feed: data first, then the commit that makes it exist.

Every step may be cut off and done again: data objects are named by their content, commits are
write-once. Nothing is ever deleted; what was wrong is superseded by a new revision.
"""

import tempfile
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from powerstage.contract import Commit, InventoryPin, period_text
from powerstage.errors import UsageError
from powerstage.producer.ahead import write_ahead
from powerstage.producer.feed import Feed, Offer, Published, Snapshot, offer, published
from powerstage.producer.source import Source
from powerstage.store import Store

# Enough at once to hide the latency of a request.
SENDERS: Final = 8


def publish(
    source: Source,
    store: Store,
    *,
    clock: Callable[[], datetime],
    revise: str = "",
    senders: int = 1,
    on_delivery: Callable[[Published], None] = lambda _: None,
) -> list[Published]:
    """Publish every period of a source that the feed does not hold yet.

    Before anything is sent, what the feed holds already is compared with the source. A data object
    that was lost is put back.

    Args:
        source: inventory and telemetry, period by period.
        store: the feed.
        clock: the time, for ``created_at``; it orders nothing.
        revise: why a period that holds other content gets a new revision: late data, a correction;
            empty to refuse that.
        senders: how many deliveries are sent at once.
        on_delivery: called after each delivery, in the order of periods.

    Raises:
        ConflictError: the feed holds other content for a period, or another contract of the
            same version; the message names each, and nothing was sent. Or another producer
            was faster with other content: the message names what stands there.
        StoreUnavailableError, StoreRefusedError: run it again; what is there stays. Or the store
            would write over a commit, which is found out before the first.
    """
    periods = source.periods()
    if not periods:
        raise UsageError(
            "there is no reading to publish", fix="ask for a period, or export one with readings"
        )
    done = []
    with tempfile.TemporaryDirectory(prefix="powerstage-publish-") as temporary:
        feed = Feed(source.contract, store, clock, revise=revise)
        work = _Work(source=source, feed=feed, folder=Path(temporary), periods=periods)
        feed.refuse_other_contract()
        work.compare()
        feed.refuse_conflicts()
        feed.put_contract()
        if work.adds():
            feed.require_write_once()
        with closing(work.send(senders)) as sent:
            for delivery in sent:
                done.append(delivery)
                on_delivery(delivery)
    return done


class _Work:
    """What there is to publish, and what of it stands in the feed."""

    def __init__(
        self, *, source: Source, feed: Feed, folder: Path, periods: Sequence[datetime]
    ) -> None:
        self._source, self._feed, self._folder, self._periods = source, feed, folder, periods
        self._snapshots: dict[datetime, Snapshot] = {}
        self._pins: dict[datetime, InventoryPin] = {}
        self._standing: dict[datetime, Published] = {}
        self._revised: dict[datetime, Commit] = {}

    def compare(self) -> None:
        """Hold the source against the feed; what conflicts, the feed notes."""
        for start in self._source.snapshots():
            self._snapshots[start] = self._feed.place_inventory(self._inventory(start))
        starts = list(self._snapshots)
        for period in self._periods:
            # The snapshot in force: that of the last start before or at it.
            in_force = starts[bisect_right(starts, period) - 1]
            self._pins[period] = self._snapshots[in_force].pin
        standing = [period for period in self._periods if self._feed.holds(period)]
        with closing(write_ahead(self._source, standing, self._folder)) as written:
            for period, path, rows in written:
                found = self._feed.compare(
                    offer("telemetry", period, path, rows), self._pins[period]
                )
                path.unlink(missing_ok=True)
                if isinstance(found, Commit):
                    self._revised[period] = found
                elif found is not None:
                    self._standing[period] = found

    def adds(self) -> bool:
        """Whether anything is to be committed."""
        stand = all(snapshot.stands for snapshot in self._snapshots.values())
        return not stand or len(self._standing) < len(self._periods)

    def send(self, senders: int) -> Generator[Published]:
        """Send what does not stand there, several deliveries at once; all, in order."""
        missing = [period for period in self._periods if period not in self._standing]
        ahead: deque[Published | Future[Published]] = deque()
        pool = ThreadPoolExecutor(senders, thread_name_prefix="powerstage-send")
        try:
            with closing(write_ahead(self._source, missing, self._folder)) as written:
                for period in self._periods:
                    if period in self._snapshots:
                        # It stands there before what pins it.
                        ahead.append(self._send_inventory(self._snapshots[period]))
                    if period in self._standing:
                        ahead.append(self._standing[period])
                    else:
                        ahead.append(pool.submit(self._send, *next(written)))
                    # After a conflict nothing is begun but what was on its way already.
                    while len(ahead) >= senders:
                        yield _result(ahead.popleft())
                while ahead:
                    yield _result(ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _send_inventory(self, snapshot: Snapshot) -> Published:
        if snapshot.stands:
            return published(snapshot.commit, "unchanged")
        return self._feed.deliver(snapshot.offer, None, snapshot.before)

    def _send(self, period: datetime, path: Path, rows: int) -> Published:
        offered = offer("telemetry", period, path, rows)
        return self._feed.deliver(offered, self._pins[period], self._revised.get(period))

    def _inventory(self, period: datetime) -> Offer:
        path = self._folder / f"inventory-{period_text(period)}.parquet"
        return offer("inventory", period, path, self._source.write_inventory(period, path))


def _result(sent: Published | Future[Published]) -> Published:
    return sent if isinstance(sent, Published) else sent.result()
