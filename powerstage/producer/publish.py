"""Publish a source's deliveries into a feed: data first, then the commit that makes it exist.

Every step may be cut off and done again: data objects are named by their content, commits are
write-once. Nothing is ever deleted; what was wrong is superseded by a new revision.

Parts of deliveries are made and sent by an executor: threads here, or processes anywhere. Only
this process reads and writes what the feed says of itself.
"""

import tempfile
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import Final, TypeVar

from powerstage.contract import Commit, DataFile, InventoryPin, Slot, period_text
from powerstage.errors import EnvironmentFailedError, UsageError, WorkerError
from powerstage.producer.feed import Feed, Offer, Published, Snapshot, published
from powerstage.producer.part import data_file, send_part
from powerstage.producer.source import Source
from powerstage.store import Store

# Enough at once to hide the latency of a request.
SENDERS: Final = 8
# Whoever has made a part finds another waiting, and no more of them.
_PARTS_PER_SENDER: Final = 4
T = TypeVar("T")


def publish(
    source: Source,
    store: Store,
    *,
    clock: Callable[[], datetime],
    revise: str = "",
    senders: int = 1,
    executor: Executor | None = None,
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
        senders: how many deliveries are on their way at once.
        executor: makes and sends the parts of telemetry; None for as many threads. Where it is
            processes, source and store must be such that can be pickled.
        on_delivery: called after each delivery, in the order of periods.

    Raises:
        ConflictError: the feed holds other content for a period, or another contract of the
            same version; the message names each, and nothing was sent. Or another producer
            was faster with other content: the message names what stands there.
        StoreUnavailableError, StoreRefusedError: run it again; what is there stays. Or the store
            would write over a commit, which is found out before the first.
        WorkerError: who made a part is gone; run it again, as above.
    """
    periods = source.periods()
    if not periods:
        raise UsageError(
            "there is no reading to publish", fix="ask for a period, or export one with readings"
        )
    done = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="powerstage-publish-"))
        feed = Feed(source.contract, store, clock, revise=revise)
        team = stack.enter_context(closing(_Team(source, store, senders, executor)))
        work = _Work(source=source, store=store, feed=feed, folder=Path(folder), team=team)
        feed.refuse_other_contract()
        work.compare()
        feed.refuse_conflicts()
        feed.put_contract()
        if work.adds():
            feed.require_write_once()
        for delivery in stack.enter_context(closing(work.send())):
            done.append(delivery)
            on_delivery(delivery)
    return done


class _Team:
    """Those who make and send telemetry.

    A thread for each delivery on its way waits for the parts that the executor makes of it.
    """

    def __init__(
        self, source: Source, store: Store, senders: int, executor: Executor | None
    ) -> None:
        self._parts, self._store, self._senders = source.parts(), store, senders
        self._is_own = executor is None
        self._executor = executor or ThreadPoolExecutor(senders, "powerstage-part")
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="powerstage-send")
        self._begun: set[Future[DataFile]] = set()
        self._room = BoundedSemaphore(_PARTS_PER_SENDER * senders)
        self._is_closed = False

    def close(self) -> None:
        """Begin nothing more, and wait for what was begun."""
        self._is_closed = True
        for part in list(self._begun):
            part.cancel()
        self._pool.shutdown(cancel_futures=True)
        if self._is_own:
            self._executor.shutdown()

    def make(self, period: datetime, *, send: bool) -> Offer:
        """Make all parts of a period, and send them or not; after a failure no more of them."""
        store = self._store if send else None
        parts: list[Future[DataFile]] = []
        for part in self._parts:
            # Few wait at a time.
            self._room.acquire()
            if self._is_closed or any(_has_failed(begun) for begun in parts):
                self._room.release()
                break
            parts.append(self._begin(part, period, store))
        files = tuple(self._result(part, period, number) for number, part in enumerate(parts, 1))
        if len(files) < len(self._parts):
            raise CancelledError
        if send and not self._is_own:
            self._require_seen(files)
        return Offer(dataset="telemetry", period=period, files=files)

    def _begin(self, part: Source, period: datetime, store: Store | None) -> Future[DataFile]:
        begun = self._executor.submit(send_part, part, period, store)
        self._begun.add(begun)
        begun.add_done_callback(self._end)
        return begun

    def _end(self, part: Future[DataFile]) -> None:
        self._begun.discard(part)
        self._room.release()

    def _result(self, part: Future[DataFile], period: datetime, number: int) -> DataFile:
        try:
            return part.result()
        except WorkerError as error:
            slot = Slot(dataset="telemetry", period=period)
            raise WorkerError(
                f"{error.message}, at work on file {number} of {len(self._parts)} of {slot}",
                cause=error.cause,
                fix=error.fix,
            ) from error

    def _require_seen(self, files: Sequence[DataFile]) -> None:
        """Whoever put them may mean another store: a commit would name what is not there."""
        for file in files:
            info = self._store.head(file.key)
            if info is None or info.size_bytes != file.bytes:
                raise EnvironmentFailedError(
                    f"a worker has put {file.key}, and it is not in {self._store.url}",
                    cause="the worker's settings name another store, or it shares no such folder",
                    fix="give workers the same AWS_ENDPOINT_URL, AWS_REGION and account as here",
                )

    def in_order(self, calls: Iterable[Callable[[], T]]) -> Generator[T]:
        """What calls return, several at once; after a failure no other is begun."""
        ahead: deque[Future[T]] = deque()
        for call in calls:
            ahead.append(self._pool.submit(call))
            while len(ahead) >= self._senders:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


class _Work:
    """What there is to publish, and what of it stands in the feed."""

    def __init__(
        self, *, source: Source, store: Store, feed: Feed, folder: Path, team: _Team
    ) -> None:
        self._source, self._store, self._feed = source, store, feed
        self._folder, self._team, self._periods = folder, team, source.periods()
        self._snapshots: dict[datetime, Snapshot] = {}
        self._pins: dict[datetime, InventoryPin] = {}
        self._standing: dict[datetime, Published] = {}
        self._revised: dict[datetime, Commit] = {}

    def compare(self) -> None:
        """Hold the source against the feed; what conflicts, the feed notes."""
        for start in self._source.snapshots():
            self._snapshots[start] = self._place_inventory(start)
        starts = list(self._snapshots)
        for period in self._periods:
            # The snapshot in force: that of the last start before or at it.
            in_force = starts[bisect_right(starts, period) - 1]
            self._pins[period] = self._snapshots[in_force].pin
        standing = [period for period in self._periods if self._feed.holds(period)]
        makes = (partial(self._team.make, period, send=False) for period in standing)
        with closing(self._team.in_order(makes)) as offers:
            for offer in offers:
                self._compare(offer)

    def _compare(self, offer: Offer) -> None:
        found = self._feed.compare(offer, self._pins[offer.period])
        if isinstance(found, Commit):
            self._revised[offer.period] = found
        elif found is not None:
            self._standing[offer.period] = found
            if self._feed.lacks(offer.files):
                self._team.make(offer.period, send=True)

    def _place_inventory(self, start: datetime) -> Snapshot:
        path = self._inventory_path(start)
        rows = self._source.write_inventory(start, path)
        file = data_file(Slot(dataset="inventory", period=start), path, rows)
        snapshot = self._feed.place_inventory(
            Offer(dataset="inventory", period=start, files=(file,))
        )
        if snapshot.stands and self._feed.lacks(snapshot.commit.files):
            self._put_inventory(snapshot)
        return snapshot

    def adds(self) -> bool:
        """Whether anything is to be committed."""
        stand = all(snapshot.stands for snapshot in self._snapshots.values())
        return not stand or len(self._standing) < len(self._periods)

    def send(self) -> Generator[Published]:
        """Send what does not stand there, several deliveries at once; all, in order."""
        return self._team.in_order(self._calls())

    def _calls(self) -> Generator[Callable[[], Published]]:
        for period in self._periods:
            if period in self._snapshots:
                # It stands there before what pins it.
                sent = self._send_inventory(self._snapshots[period])
                yield partial(_itself, sent)
            if period in self._standing:
                yield partial(_itself, self._standing[period])
            else:
                yield partial(self._send, period)

    def _send_inventory(self, snapshot: Snapshot) -> Published:
        if snapshot.stands:
            return published(snapshot.commit, "unchanged")
        self._put_inventory(snapshot)
        return self._feed.deliver(snapshot.offer, None, snapshot.before)

    def _put_inventory(self, snapshot: Snapshot) -> None:
        (file,) = snapshot.offer.files
        path = self._inventory_path(snapshot.offer.period)
        self._store.put(snapshot.commit.files[0].key, path, sha256=file.sha256)
        path.unlink()

    def _send(self, period: datetime) -> Published:
        offer = self._team.make(period, send=True)
        return self._feed.deliver(offer, self._pins[period], self._revised.get(period))

    def _inventory_path(self, start: datetime) -> Path:
        return self._folder / f"inventory-{period_text(start)}.parquet"


def _has_failed(part: Future[DataFile]) -> bool:
    return part.done() and (part.cancelled() or part.exception() is not None)


def _itself(delivery: Published) -> Published:
    return delivery
