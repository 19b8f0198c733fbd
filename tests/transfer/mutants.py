"""Deliberate errors of the protocol, each a patch of the product: what proves anything sees them.

Each is a way in which others have got it wrong, or in which it would be easy to.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeAlias

import pytest

from powerstage import janitor
from powerstage.checks import CheckResult, passes
from powerstage.consumer import receipts
from powerstage.consumer.consume import _Run
from powerstage.consumer.judge import COMMIT_CHAIN, Judge, Judgement
from powerstage.consumer.ledger import Ledger
from powerstage.contract import Receipt, ReceiptKey, Slot
from powerstage.contract.layout import DataKey
from powerstage.errors import (
    ConflictError,
    ObjectNotFoundError,
    StoreUnavailableError,
)
from powerstage.producer import Published
from powerstage.producer.feed import Feed
from powerstage.store import VersionInfo
from powerstage.store.s3 import S3Store
from tests.transfer.stage import module

Patch: TypeAlias = pytest.MonkeyPatch
_CREATORS: Final = ("producer.feed", "consumer.receipts")


def unconditional_commit(patch: Patch) -> None:
    """The last one to commit wins."""
    create = S3Store.put_if_absent

    def put(self: S3Store, key: str, body: bytes) -> bool:
        if not key.startswith("commits/"):
            return create(self, key, body)
        self.put(key, body)
        return True

    patch.setattr(S3Store, "put_if_absent", put)


def refusal_taken_as_lost(patch: Patch) -> None:
    """412: somebody else was faster. It may have been ourselves."""

    def create(store: Any, key: str, body: bytes) -> bytes:
        if not store.put_if_absent(key, body):
            raise ConflictError(f"{key} is another's")
        return body

    for name in _CREATORS:
        patch.setattr(module(name), "create", create)


def refusal_taken_as_done(patch: Patch) -> None:
    """412: it stands there. It may be somebody else's."""

    def create(store: Any, key: str, body: bytes) -> bytes:
        store.put_if_absent(key, body)
        return body

    for name in _CREATORS:
        patch.setattr(module(name), "create", create)


def error_taken_as_done(patch: Patch) -> None:
    """A reply that is lost says that the request was not."""

    def create(store: Any, key: str, body: bytes) -> bytes:
        try:
            store.put_if_absent(key, body)
        except StoreUnavailableError:
            return body
        return b"".join(store.get(key))

    for name in _CREATORS:
        patch.setattr(module(name), "create", create)


def commit_before_data(patch: Patch) -> None:
    """The data will come soon."""

    def commit_first(self: Any, period: datetime) -> Published:
        offer = self._team.make(period, send=False)
        delivered = self._feed.deliver(offer, self._pins[period], self._revised.get(period))
        self._team.make(period, send=True)
        return delivered  # type: ignore[no-any-return]

    patch.setattr(module("producer.publish")._Work, "_send", commit_first)


def others_content_taken_as_own(patch: Patch) -> None:
    """Readings that stand there are those that we would have written."""
    patch.setattr(Feed, "_is_own", lambda _, standing, *__: bool(standing.files))


def shared_data_key(patch: Patch) -> None:
    """A period has one place for its data, whatever they are."""

    def key(slot: Slot, _: str) -> DataKey:
        name = hashlib.sha256(f"{slot.dataset} {slot.period}".encode()).hexdigest()
        return DataKey(dataset=slot.dataset, date=slot.period.date(), sha256=name)

    for name in ("producer.part", "contract.commit"):
        patch.setattr(module(name), "data_key", key)


def watermark_discovery(patch: Patch) -> None:
    """What lies behind the last one judged was judged."""
    judge = _Run.judge

    def ahead_only(self: _Run, slots: list[Slot]) -> Any:
        last = {entry.slot.dataset: entry.slot for entry in self.lake.ledger.entries()}
        return judge(self, [s for s in slots if s.dataset not in last or s > last[s.dataset]])

    patch.setattr(_Run, "judge", ahead_only)


def error_taken_as_absence(patch: Patch) -> None:
    """What cannot be read is not there."""
    get = S3Store.get

    def absent(self: S3Store, key: str, **said: str) -> Any:
        try:
            return iter(list(get(self, key, **said)))
        except StoreUnavailableError as error:
            raise ObjectNotFoundError(error.message) from error

    patch.setattr(S3Store, "get", absent)


def damage_believed(patch: Patch) -> None:
    """Bytes that came thrice otherwise than promised are those of the store."""
    get = S3Store.get
    patch.setattr(S3Store, "get", lambda self, key, **_: get(self, key, sha256="0" * 64))


def all_revisions_shown(patch: Patch) -> None:
    """A revision is added to what it replaces."""
    patch.setattr(
        Ledger,
        "exposed",
        lambda self, dataset: [
            (entry.slot, self.files(entry.slot))
            for entry in self.entries()
            if entry.slot.dataset == dataset and entry.verdict == "accepted"
        ],
    )


def last_judged_shown(patch: Patch) -> None:
    """The revision that came last is the newest."""

    def exposed(self: Ledger, dataset: str) -> Any:
        rows = self._all(
            "SELECT period, revision FROM judgement WHERE (dataset, verdict) = (?, 'accepted')"
            " ORDER BY rowid",
            (dataset,),
        )
        slots = {entry.slot for entry in self.entries() if entry.slot.dataset == dataset}
        last = dict(rows)
        found = [
            slot
            for slot in sorted(slots)
            if last.get(f"{slot.period:%Y-%m-%dT%H%M}") == slot.revision
        ]
        return [(slot, self.files(slot)) for slot in found]

    patch.setattr(Ledger, "exposed", exposed)


def no_outbox(patch: Patch) -> None:
    """Receipts are sent by the run that judged, or never."""
    patch.setattr(Ledger, "unsent_receipts", lambda _: [])


def receipt_before_record(patch: Patch) -> None:
    """A receipt counts as sent before it is."""
    record = Ledger.record

    def record_as_sent(self: Ledger, entries: Any, **keywords: Any) -> list[Receipt]:
        receipts = record(self, entries, **keywords)
        self.mark_sent(receipts)
        return receipts

    patch.setattr(Ledger, "record", record_as_sent)


def record_before_files(patch: Patch) -> None:
    """A verdict stands in the ledger before its files stand in the lake."""
    record = _Run._record

    def record_first(self: _Run, judgements: Sequence[Judgement]) -> None:
        lake, late = self.lake, []

        class Late:
            """The lake, but that files wait."""

            ledger = lake.ledger
            inventory_of = staticmethod(lake.inventory_of)

            @staticmethod
            def keep(*arguments: Any) -> None:
                late.append(arguments)

        self.lake = Late()  # type: ignore[assignment]
        try:
            record(self, judgements)
        finally:
            self.lake = lake
        for arguments in late:
            lake.keep(*arguments)

    patch.setattr(_Run, "_record", record_first)


def chain_not_checked(patch: Patch) -> None:
    """A revision need not know what it replaces."""

    def chain(*_: object) -> CheckResult:
        return passes(COMMIT_CHAIN, 1)

    patch.setattr(Judge, "_chain", chain)


def no_grace(patch: Patch) -> None:
    """What no commit names now, none will name."""
    find_waste = janitor.find_waste
    patch.setattr(
        janitor,
        "find_waste",
        lambda store, *, now: find_waste(store, now=now + 2 * janitor.GRACE),
    )


def deleted_by_name(patch: Patch) -> None:
    """What was found to be waste is what stands there now."""

    def delete(self: S3Store, version: VersionInfo) -> None:
        for standing in self.versions(version.key):
            delete_version(self, standing)

    delete_version = S3Store.delete_version
    patch.setattr(S3Store, "delete_version", delete)


def told_once_taken_as_last(patch: Patch) -> None:
    """What was told once need not be told again. Something else may have been, since."""

    def send_unless_told(store: Any, receipt: Receipt) -> Receipt:
        for judgement in range(1, receipt.judgement + 1):
            key = ReceiptKey(consumer=receipt.consumer, slot=receipt.slot, judgement=judgement)
            with suppress(ObjectNotFoundError):
                told = Receipt.from_json(b"".join(store.get(str(key))))
                if told.says_the_same_as(receipt):
                    return told
        return send(store, receipt)

    send = receipts.send
    patch.setattr(module("consumer.outbox"), "send", send_unless_told)


# Seen when the consumer dies between its own steps, when a request of a calm transfer meets a
# fault, when several race.
MUTANTS: Final[dict[str, tuple[Callable[[Patch], None], ...]]] = {
    "steps": (no_outbox, receipt_before_record, record_before_files),
    "faults": (
        refusal_taken_as_lost,
        commit_before_data,
        shared_data_key,
        error_taken_as_absence,
    ),
    "races": (
        unconditional_commit,
        refusal_taken_as_done,
        error_taken_as_done,
        others_content_taken_as_own,
        watermark_discovery,
        all_revisions_shown,
        last_judged_shown,
        chain_not_checked,
        damage_believed,
        told_once_taken_as_last,
        no_grace,
        deleted_by_name,
    ),
}
