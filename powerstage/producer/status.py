"""What the producer sees of a feed: its deliveries, the verdicts on them, what is missing."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from powerstage.checks import FeedFinding, find_timeliness, first_arrivals
from powerstage.contract import (
    Commit,
    CommitKey,
    Contract,
    ContractKey,
    Receipt,
    ReceiptKey,
    Slot,
    find_key,
    loads,
)
from powerstage.contract.calendar import Gap, find_gaps
from powerstage.contract.layout import COMMITS, RECEIPTS, Key
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import (
    ContractError,
    ObjectNotFoundError,
    RecordError,
    no_delivery,
)
from powerstage.store import Store, read


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatus:
    """One delivery, and each consumer's latest receipt for it."""

    slot: Slot
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """A feed as its producer sees it.

    ``gaps`` are periods missing between the first and the last delivered; None where the feed
    carries no contract that can be read and says how long a period is. ``feed_findings`` are
    what the clock shows: missing and late periods, a feed that has stopped.
    """

    feed: str
    deliveries: tuple[DeliveryStatus, ...]
    consumers: tuple[str, ...]
    gaps: tuple[Gap, ...] | None
    feed_findings: tuple[FeedFinding, ...] = ()

    def verdicts(self, consumer: str) -> Counter[str]:
        """How many deliveries a consumer gave each verdict; ``waiting`` is none yet."""
        counts: Counter[str] = Counter()
        for delivery in self.deliveries:
            found = [r.verdict for r in delivery.receipts if r.consumer == consumer]
            counts[found[0] if found else "waiting"] += 1
        return counts


def status(store: Store, *, clock: Callable[[], datetime]) -> FeedStatus:
    """Read a feed's commits and receipts.

    Args:
        store: the feed.
        clock: the time, to which a feed may be late.

    Raises:
        NothingToJudgeError: there is no delivery.
    """
    written = [
        (key.slot, moment) for key, moment in _keys(store, COMMITS) if isinstance(key, CommitKey)
    ]
    slots = sorted(slot for slot, _ in written)
    if not slots:
        raise no_delivery(store.url)
    latest: dict[tuple[Slot, str], ReceiptKey] = {}
    for key, _ in _keys(store, RECEIPTS):
        # Listed in order: a higher judgement replaces a lower one.
        if isinstance(key, ReceiptKey):
            latest[key.slot, key.consumer] = key
    receipts: dict[Slot, list[Receipt]] = defaultdict(list)
    for key in latest.values():
        if receipt := _receipt(store, key):
            receipts[key.slot].append(receipt)
    contract, arrivals = _contract(store, slots), first_arrivals(written)
    return FeedStatus(
        feed=store.url,
        deliveries=tuple(
            DeliveryStatus(slot=slot, receipts=tuple(receipts[slot])) for slot in slots
        ),
        consumers=tuple(sorted({consumer for _, consumer in latest})),
        gaps=find_gaps(arrivals, contract.delivery_interval) if contract else None,
        feed_findings=find_timeliness(contract, arrivals, clock()) if contract else (),
    )


def _keys(store: Store, prefix: str) -> list[tuple[Key, datetime]]:
    """What is listed, and when it was written."""
    listed = [(find_key(info.key), info.modified_at) for info in store.list(prefix)]
    return [(key, moment) for key, moment in listed if key is not None]


def _receipt(store: Store, key: ReceiptKey) -> Receipt | None:
    """The receipt under a key; None if it is malformed, or says that it belongs elsewhere."""
    try:
        receipt = Receipt.from_json(read(store, str(key), RECORD_BYTES_MAX))
    except RecordError:
        return None
    named = ReceiptKey(consumer=receipt.consumer, slot=receipt.slot, judgement=receipt.judgement)
    return receipt if named == key else None


def _contract(store: Store, slots: list[Slot]) -> Contract | None:
    """The feed's copy of the contract that its last telemetry follows; None if none can be read."""
    telemetry = [slot for slot in slots if slot.dataset == "telemetry"]
    if not telemetry:
        return None
    commit = str(CommitKey(slot=telemetry[-1]))
    try:
        pin = Commit.from_json(read(store, commit, RECORD_BYTES_MAX)).contract
        key = str(ContractKey(name=pin.name, version=pin.version))
        return loads(read(store, key, RECORD_BYTES_MAX).decode("utf-8"), key)
    except (RecordError, ContractError, ObjectNotFoundError, UnicodeDecodeError):
        return None
