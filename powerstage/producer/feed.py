"""A feed as its producer sees it: what stands there, and what is to stand there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

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
    find_key,
)
from powerstage.contract.layout import COMMITS, DATA
from powerstage.contract.model import DatasetName
from powerstage.contract.receipt import utc_text
from powerstage.contract.safe_text import shown
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import ConflictError, RecordError, StoreRefusedError
from powerstage.store import Store, create, read, require_write_once

_SHOWN_MAX: Final = 5
_WRITER_MAX: Final = 100

State: TypeAlias = Literal["new", "unchanged"]
# The highest revision of each period of each dataset.
Heads: TypeAlias = dict[tuple[DatasetName, datetime], Slot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of one delivery: written now, or found as it should be."""

    slot: Slot
    identity: str
    rows: int
    size_bytes: int
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the source has for one period: the facts of its Parquet files."""

    dataset: DatasetName
    period: datetime
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An inventory in its place: the commit that telemetry pins, and whether it stands there.

    ``before`` is the revision that it supersedes.
    """

    offer: Offer
    commit: Commit
    stands: bool
    before: Commit | None = None

    @property
    def pin(self) -> InventoryPin:
        """How telemetry pins it."""
        return InventoryPin(slot=self.commit.slot, identity=self.commit.identity)


class Feed:
    """What stands in a feed, and what a producer adds to it.

    ``heads`` are the highest revisions of all periods.

    Args:
        contract: what its data follow.
        store: where it is.
        clock: the time, for ``created_at``.
        revise: why periods that hold something else get a new revision; empty to refuse that.
    """

    def __init__(
        self, contract: Contract, store: Store, clock: Callable[[], datetime], *, revise: str = ""
    ) -> None:
        self._contract, self._store, self._clock, self._revise = contract, store, clock, revise
        self._contract_key = str(ContractKey(name=contract.name, version=contract.version))
        self.heads = heads_of(store)
        self._sizes: dict[str, int] | None = None
        self._inventories: dict[str, Commit] = {}
        self._conflicts: list[str] = []
        self._contract_stands = False

    def holds(self, period: datetime) -> bool:
        """Whether telemetry of a period stands there."""
        return ("telemetry", period) in self.heads

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

    def require_write_once(self) -> None:
        """Raise ``StoreRefusedError`` if the store would replace the contract that stands there."""
        require_write_once(self._store, self._contract_key, self._contract.text.encode())

    def place_inventory(self, offer: Offer) -> Snapshot:
        """The snapshot that telemetry will pin.

        A snapshot stays in force until another is delivered: one that has not changed is not
        delivered again.
        """
        before: Commit | None = None
        if head := inventory_in_force(self.heads, offer.period):
            standing = self._inventory(head)
            if _holds(standing, offer):
                return Snapshot(offer=offer, commit=standing, stands=True)
            if standing.slot.period == offer.period:
                self._refuse_unless_revised(standing, offer)
                before = standing
        commit = self._commit(offer, None, before)
        # The next one is compared with this, as it will be when all is published once more.
        self.heads["inventory", offer.period] = commit.slot
        self._inventories[str(commit.slot)] = commit
        return Snapshot(offer=offer, commit=commit, stands=False, before=before)

    def compare(self, offer: Offer, pin: InventoryPin) -> Published | Commit | None:
        """What stands for a period, or what it is superseded by.

        Returns:
            The standing delivery if it is the one offered; the commit that is to be revised; None
            where that is refused: a conflict is noted.
        """
        standing = self._standing(self.heads[offer.dataset, offer.period])
        if self._is_own(standing, offer, pin):
            return published(standing, "unchanged")
        self._refuse_unless_revised(standing, offer)
        return standing if self._revise else None

    def lacks(self, files: Sequence[DataFile]) -> bool:
        """Whether a data object of a standing commit was lost or cut short."""
        if self._sizes is None:
            # One listing for all; who may not list data puts everything again.
            self._sizes = {}
            with suppress(StoreRefusedError):
                self._sizes = {info.key: info.size_bytes for info in self._store.list(DATA)}
        return any(self._sizes.get(file.key) != file.bytes for file in files)

    def refuse_conflicts(self) -> None:
        """Raise ``ConflictError`` if the feed was seen to hold other content."""
        if self._conflicts:
            words = "; ".join(self._conflicts[:_SHOWN_MAX])
            more = len(self._conflicts) - _SHOWN_MAX
            raise ConflictError(
                f"{self._store.url} holds other content for {len(self._conflicts)}"
                f" of the deliveries",
                cause=f"{words}; and {more} more" if more > 0 else words,
                fix="publish what was published before, or other periods; to replace what stands"
                " there by new revisions: powerstage publish --revise REASON",
            )

    def deliver(
        self, offer: Offer, pin: InventoryPin | None, before: Commit | None = None
    ) -> Published:
        """Make a delivery exist, whose data are there already. Safe between threads.

        Raises:
            ConflictError: another producer was faster with other content.
        """
        commit = self._commit(offer, pin, before)
        standing = create_commit(self._store, commit)
        # The identity says nothing of the contract's text.
        is_ours = (standing.identity, standing.contract) == (commit.identity, commit.contract)
        if not is_ours and not self._is_own(standing, offer, pin):
            self._conflicts.append(_difference(standing, offer))
            self.refuse_conflicts()
        return published(standing, "new")

    def _commit(self, offer: Offer, pin: InventoryPin | None, before: Commit | None) -> Commit:
        revision = 0 if before is None else before.slot.revision + 1
        return Commit(
            feed=feed_name(self._store.url),
            slot=Slot(dataset=offer.dataset, period=offer.period, revision=revision),
            supersedes=None if before is None else before.identity,
            contract=contract_pin(self._contract),
            inventory=pin,
            files=offer.files,
            reason="" if before is None else self._revise,
            **signature(self._clock),
        )

    def _is_own(self, standing: Commit, offer: Offer, pin: InventoryPin | None) -> bool:
        """Whether a commit delivers what we would, wherever its inventory stands in the feed."""
        if standing.contract != contract_pin(self._contract) or not _holds(standing, offer):
            return False
        if pin is None or standing.inventory is None or standing.inventory == pin:
            return standing.inventory == pin
        theirs, ours = self._inventory(standing.inventory.slot), self._inventory(pin.slot)
        return theirs.identity == standing.inventory.identity and _digests(theirs) == _digests(ours)

    def _refuse_unless_revised(self, standing: Commit, offer: Offer) -> None:
        if not self._revise:
            self._conflicts.append(_difference(standing, offer))

    def _inventory(self, slot: Slot) -> Commit:
        """A commit of an inventory, read once."""
        if str(slot) not in self._inventories:
            self._inventories[str(slot)] = self._standing(slot)
        return self._inventories[str(slot)]

    def _standing(self, slot: Slot) -> Commit:
        return standing_commit(self._store, slot)

    def _require_own_contract(self, standing: bytes) -> None:
        if standing != self._contract.text.encode():
            raise ConflictError(
                f"{self._store.url} carries another contract"
                f" {self._contract.name} {self._contract.version}",
                cause=f"{self._contract_key} is not the file that you publish with",
                fix="publish with that contract, or give the changed one a new version",
            )


def heads_of(store: Store) -> Heads:
    """The highest revision of each period of each dataset."""
    found: Heads = {}
    for info in store.list(COMMITS):
        key = find_key(info.key)
        # Listed in order: a higher revision replaces a lower one.
        if isinstance(key, CommitKey):
            found[key.slot.dataset, key.slot.period] = key.slot
    return found


def inventory_in_force(heads: Heads, period: datetime) -> Slot | None:
    """The last inventory from a period or before it; None if there is none."""
    return max(
        (
            slot
            for (dataset, start), slot in heads.items()
            if dataset == "inventory" and start <= period
        ),
        default=None,
    )


def standing_commit(store: Store, slot: Slot) -> Commit:
    """The commit of a slot.

    Raises:
        ConflictError: it cannot be read, and will never be replaced.
    """
    with _readable(store, slot):
        return Commit.from_json(read(store, str(CommitKey(slot=slot)), RECORD_BYTES_MAX))


def create_commit(store: Store, commit: Commit) -> Commit:
    """Create a commit, unless one stands there; the one that stands there afterwards.

    Raises:
        ConflictError: what stands there cannot be read.
    """
    with _readable(store, commit.slot):
        return Commit.from_json(create(store, str(CommitKey(slot=commit.slot)), commit.to_json()))


@contextmanager
def _readable(store: Store, slot: Slot) -> Iterator[None]:
    """What stands there and cannot be read is in the way for ever."""
    try:
        yield
    except RecordError as error:
        raise ConflictError(
            f"the commit of {slot} in {store.url} cannot be read",
            cause=error.message,
            fix="ask whoever wrote it; commits are never replaced",
        ) from error


def contract_pin(contract: Contract) -> ContractPin:
    """How a commit names its contract."""
    return ContractPin(name=contract.name, version=contract.version, sha256=contract.sha256)


def signature(clock: Callable[[], datetime]) -> dict[str, str]:
    """Who wrote a commit, and when: for people, it decides nothing."""
    return {
        "producer": f"powerstage {powerstage.__version__}",
        "created_at": utc_text(clock()),
    }


def feed_name(url: str) -> str:
    """What commits call a feed: its S3 URL, or of a folder the last part, wherever it is."""
    return url if url.startswith("s3://") else Path(url).resolve().name


def published(commit: Commit, state: State) -> Published:
    """A delivery as it is reported."""
    return Published(
        slot=commit.slot,
        identity=commit.identity,
        rows=commit.rows,
        size_bytes=sum(file.bytes for file in commit.files),
        state=state,
    )


def _holds(commit: Commit, offer: Offer) -> bool:
    return _digests(commit) == sorted(file.sha256 for file in offer.files)


def _digests(commit: Commit) -> list[str]:
    return sorted(file.sha256 for file in commit.files)


def _difference(standing: Commit, offer: Offer) -> str:
    """What another producer wrote, and who that was."""
    if _holds(standing, offer):
        what = "refers to another inventory or contract"
    elif standing.rows == offer.rows:
        what = f"holds other values in its {standing.rows} rows"
    else:
        what = f"holds {standing.rows} rows, this has {offer.rows}"
    return f"{standing.slot} {what}, written {_writer(standing)}"


def _writer(standing: Commit) -> str:
    """Who wrote a commit, and when, in their own words."""
    who = shown(standing.producer, _WRITER_MAX) or "somebody"
    when = shown(standing.created_at, _WRITER_MAX)
    return f"by {who} at {when}" if when else f"by {who}"
