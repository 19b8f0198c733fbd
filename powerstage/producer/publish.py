"""Publish a source's deliveries into a feed: data first, then the commit that makes it exist.

Every step may be cut off and done again: data objects are named by their content, commits are
write-once. Nothing is ever deleted.
"""

import hashlib
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import powerstage
from powerstage.contract import (
    Commit,
    CommitKey,
    Contract,
    ContractKey,
    ContractPin,
    DataFile,
    InventoryPin,
    Slot,
    parse_key,
    period_text,
)
from powerstage.contract.commit import FILE_BYTES_MAX, FILE_ROWS_MAX
from powerstage.contract.layout import COMMITS, data_key
from powerstage.contract.model import DatasetName
from powerstage.contract.receipt import utc_text
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import ConflictError, RecordError, UsageError
from powerstage.producer.ahead import write_ahead
from powerstage.producer.source import Source
from powerstage.store import Store, create, read

_CHUNK_BYTES: Final = 1024 * 1024
_SHOWN_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of one delivery: written now, or found as it should be."""

    slot: Slot
    identity: str
    rows: int
    size_bytes: int
    state: Literal["new", "unchanged"]


def publish(
    source: Source,
    store: Store,
    *,
    clock: Callable[[], datetime],
    on_delivery: Callable[[Published], None] = lambda _: None,
) -> list[Published]:
    """Publish every period of a source that the feed does not hold yet.

    Before anything is sent, what the feed holds already is compared with the source.

    Args:
        source: inventory and telemetry, period by period.
        store: the feed.
        clock: the time, for ``created_at``; it orders nothing.
        on_delivery: called after each delivery.

    Raises:
        ConflictError: the feed holds other content for a period, or another contract of the
            same version; the message names each, and nothing was sent. Or another producer
            was faster with other content: the message names what stands there.
        StoreUnavailableError, StoreRefusedError: run it again; what is there stays.
    """
    periods = source.periods()
    if not periods:
        raise UsageError(
            "there is no reading to publish", fix="ask for a period, or export one with readings"
        )
    with tempfile.TemporaryDirectory(prefix="powerstage-publish-") as temporary:
        folder = Path(temporary)
        feed = _Feed(source.contract, store, clock)
        feed.refuse_other_contract()
        snapshots = {
            start: feed.place_inventory(_inventory(source, start, folder))
            for start in source.snapshots()
        }
        pins = _pins(snapshots, periods)
        standing = [period for period in periods if feed.holds(period)]
        with closing(write_ahead(source, standing, folder)) as written:
            known = {
                period: feed.compare(_telemetry(period, path, rows), pins[period])
                for period, path, rows in written
            }
        feed.refuse_conflicts()
        feed.put_contract()
        done = []
        missing = [period for period in periods if period not in known]
        with closing(write_ahead(source, missing, folder)) as written:
            for period in periods:
                if placed := snapshots.get(period):
                    done.append(placed.standing or feed.deliver(placed.offer, None))
                    on_delivery(done[-1])
                done.append(
                    known.get(period) or feed.deliver(_telemetry(*next(written)), pins[period])
                )
                on_delivery(done[-1])
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What the source has for one period: a Parquet file, and its facts."""

    slot: Slot
    path: Path
    file: DataFile


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """An inventory in its place: how telemetry pins it, and what stands there already."""

    offer: _Offer
    pin: InventoryPin
    standing: Published | None


class _Feed:
    """The feed as a producer sees it: what stands there, and what would stand there."""

    def __init__(self, contract: Contract, store: Store, clock: Callable[[], datetime]) -> None:
        self._contract, self._store, self._clock = contract, store, clock
        self._contract_key = str(ContractKey(name=contract.name, version=contract.version))
        self._heads: dict[tuple[DatasetName, datetime], Slot] = {}
        self._offered: dict[Slot, Commit] = {}
        self._conflicts: list[str] = []
        self._contract_stands = False
        for info in store.list(COMMITS):
            try:
                key = parse_key(info.key)
            except RecordError:
                continue
            # Listed in order: a higher revision replaces a lower one.
            if isinstance(key, CommitKey):
                self._heads[key.slot.dataset, key.slot.period] = key.slot

    def holds(self, period: datetime) -> bool:
        """Whether telemetry of a period stands there."""
        return ("telemetry", period) in self._heads

    def refuse_other_contract(self) -> None:
        """Raise ``ConflictError`` if the feed carries another contract of the same version."""
        if self._store.head(self._contract_key) is not None:
            standing = read(self._store, self._contract_key, RECORD_BYTES_MAX)
            self._require_own_contract(standing)
            self._contract_stands = True

    def put_contract(self) -> None:
        """Put the feed's copy of the contract, so that a consumer can start from the URL alone."""
        if self._contract_stands:
            return
        body = self._contract.text.encode()
        self._require_own_contract(create(self._store, self._contract_key, body))

    def place_inventory(self, offer: _Offer) -> _Snapshot:
        """The snapshot that telemetry will pin, and what stands there if it need not be sent.

        A snapshot stays in force until another is delivered: one that has not changed is not
        delivered again.
        """
        earlier = [
            slot
            for (dataset, period), slot in self._heads.items()
            if dataset == "inventory" and period <= offer.slot.period
        ]
        if earlier:
            head = max(earlier)
            standing = self._offered.get(head) or self._standing(head)
            same = [file.sha256 for file in standing.files] == [offer.file.sha256]
            if same or head.period == offer.slot.period:
                pin = InventoryPin(slot=head, identity=standing.identity)
                if not same:
                    self._conflicts.append(_difference(standing, offer))
                return _Snapshot(offer=offer, pin=pin, standing=_unchanged(standing))
        commit = self._commit(offer, None)
        # The next one is compared with this, as it will be when all is published once more.
        self._heads["inventory", offer.slot.period] = offer.slot
        self._offered[offer.slot] = commit
        pin = InventoryPin(slot=offer.slot, identity=commit.identity)
        return _Snapshot(offer=offer, pin=pin, standing=None)

    def compare(self, offer: _Offer, pin: InventoryPin | None) -> Published:
        """The standing delivery of a period; a conflict is noted if it is not the offered one."""
        standing = self._standing(self._heads[offer.slot.dataset, offer.slot.period])
        if not self._is_own(standing, offer, pin):
            self._conflicts.append(_difference(standing, offer))
        offer.path.unlink()
        return _unchanged(standing)

    def refuse_conflicts(self) -> None:
        """Raise ``ConflictError`` if the feed was seen to hold other content."""
        if self._conflicts:
            shown = "; ".join(self._conflicts[:_SHOWN_MAX])
            more = len(self._conflicts) - _SHOWN_MAX
            raise ConflictError(
                f"{self._store.url} holds other content for {len(self._conflicts)}"
                f" of the deliveries",
                cause=f"{shown}; and {more} more" if more > 0 else shown,
                fix="publish what was published before, or other periods:"
                " a commit is never replaced",
            )

    def deliver(self, offer: _Offer, pin: InventoryPin | None) -> Published:
        """Send a delivery: the data, then the commit, in this order."""
        commit = self._commit(offer, pin)
        self._store.put(offer.file.key, offer.path)
        key = str(CommitKey(slot=offer.slot))
        standing = Commit.from_json(create(self._store, key, commit.to_json()))
        if not self._is_own(standing, offer, pin):
            self._conflicts.append(_difference(standing, offer))
            self.refuse_conflicts()
        offer.path.unlink()
        return Published(
            slot=offer.slot,
            identity=commit.identity,
            rows=offer.file.rows,
            size_bytes=offer.file.bytes,
            state="new",
        )

    def _commit(self, offer: _Offer, pin: InventoryPin | None) -> Commit:
        return Commit(
            feed=feed_name(self._store.url),
            slot=offer.slot,
            supersedes=None,
            contract=ContractPin(
                name=self._contract.name,
                version=self._contract.version,
                sha256=self._contract.sha256,
            ),
            inventory=pin,
            files=(offer.file,),
            producer=f"powerstage {powerstage.__version__}",
            created_at=utc_text(self._clock()),
        )

    def _is_own(self, standing: Commit, offer: _Offer, pin: InventoryPin | None) -> bool:
        """Whether a commit says what we would, but for its feed's name and its revision."""
        ours = replace(
            self._commit(offer, pin),
            feed=standing.feed,
            slot=standing.slot,
            supersedes=standing.supersedes,
        )
        return ours.identity == standing.identity

    def _standing(self, slot: Slot) -> Commit:
        try:
            return Commit.from_json(read(self._store, str(CommitKey(slot=slot)), RECORD_BYTES_MAX))
        except RecordError as error:
            raise ConflictError(
                f"the commit of {slot} in {self._store.url} cannot be read",
                cause=error.message,
                fix="ask whoever wrote it; commits are never replaced",
            ) from error

    def _require_own_contract(self, standing: bytes) -> None:
        if standing != self._contract.text.encode():
            raise ConflictError(
                f"{self._store.url} carries another contract"
                f" {self._contract.name} {self._contract.version}",
                cause=f"{self._contract_key} is not the file that you publish with",
                fix="publish with that contract, or give the changed one a new version",
            )


def feed_name(url: str) -> str:
    """What commits call a feed: its S3 URL, or of a folder the last part, wherever it is."""
    return url if url.startswith("s3://") else Path(url).resolve().name


def _pins(
    snapshots: Mapping[datetime, _Snapshot], periods: Sequence[datetime]
) -> dict[datetime, InventoryPin]:
    """For each period the snapshot in force: that of the last start before or at it."""
    starts = list(snapshots)
    return {period: snapshots[starts[bisect_right(starts, period) - 1]].pin for period in periods}


def _inventory(source: Source, period: datetime, folder: Path) -> _Offer:
    slot = Slot(dataset="inventory", period=period)
    path = folder / f"inventory-{period_text(period)}.parquet"
    return _offer(slot, path, source.write_inventory(period, path))


def _telemetry(period: datetime, path: Path, rows: int) -> _Offer:
    return _offer(Slot(dataset="telemetry", period=period), path, rows)


def _offer(slot: Slot, path: Path, rows: int) -> _Offer:
    digest = hashlib.sha256()
    with path.open("rb") as parquet:
        while chunk := parquet.read(_CHUNK_BYTES):
            digest.update(chunk)
    sha256, size = digest.hexdigest(), path.stat().st_size
    if rows > FILE_ROWS_MAX or size > FILE_BYTES_MAX:
        raise UsageError(
            f"{slot} has {rows} rows in {size} bytes: more than a file may hold",
            cause=f"at most {FILE_ROWS_MAX} rows and {FILE_BYTES_MAX} bytes",
            fix="agree on a shorter delivery interval (slaProperties: frequency)",
        )
    file = DataFile(key=str(data_key(slot, sha256)), bytes=size, sha256=sha256, rows=rows)
    return _Offer(slot=slot, path=path, file=file)


def _unchanged(standing: Commit) -> Published:
    return Published(
        slot=standing.slot,
        identity=standing.identity,
        rows=standing.rows,
        size_bytes=sum(file.bytes for file in standing.files),
        state="unchanged",
    )


def _difference(standing: Commit, offer: _Offer) -> str:
    if [file.sha256 for file in standing.files] == [offer.file.sha256]:
        return f"{standing.slot} refers to another inventory or contract"
    if standing.rows == offer.file.rows:
        return f"{standing.slot} holds other values in its {standing.rows} rows"
    return f"{standing.slot} holds {standing.rows} rows, this has {offer.file.rows}"
