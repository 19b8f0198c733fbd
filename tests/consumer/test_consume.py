"""A run of the consumer: what it keeps, what it sends, and that it can be run again."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from powerstage.consumer import Judgement, Lake, consume, discover
from powerstage.contract import (
    CommitKey,
    Receipt,
    ReceiptKey,
    loads,
    parse_key,
)
from powerstage.errors import (
    ContractError,
    EnvironmentFailedError,
    NothingToJudgeError,
    StoreUnavailableError,
    UsageError,
)
from powerstage.store import MemoryStore, Store
from tests.conftest import clock
from tests.consumer.conftest import Feed, edited_json


def copied(feed: Feed, store: Store) -> Store:
    """A store, with all objects of the feed in it."""
    for key in feed.keys:
        store.put(key, feed.read(key))
    return store


def lost_receipts(objects: dict[str, bytes]) -> Store:
    """A store that stops answering when a receipt is to be written."""

    class Lossy(MemoryStore):
        def put_if_absent(self, key: str, body: bytes) -> bool:
            """Not for receipts."""
            if key.startswith("receipts/"):
                raise StoreUnavailableError("no answer")
            return super().put_if_absent(key, body)

    store = Lossy()
    for key, body in objects.items():
        store.put(key, body)
    return store


def test_a_second_run_judges_nothing(feed: Feed) -> None:
    """What is in the ledger is known."""
    feed.consume()
    before = feed.receipts()
    again = feed.consume()
    assert (again.judgements, again.known) == ((), 9)
    assert feed.receipts() == before


def test_what_comes_later_is_judged_later(feed: Feed) -> None:
    """A commit that appears behind the last one seen is found: there is no watermark."""
    key = str(CommitKey(slot=feed.slot))
    body = feed.read(key)
    feed.delete(key)
    assert len(feed.consume().judgements) == 8
    feed.store.put(key, body)
    assert [judgement.slot for judgement in feed.consume().judgements] == [feed.slot]


def test_each_delivery_gets_one_receipt(feed: Feed) -> None:
    """With the verdict, the identity it is about, and the checks that failed."""
    feed.delete(feed.commit().files[0].key)
    feed.consume()
    receipts = {key: Receipt.from_json(body) for key, body in feed.receipts().items()}
    assert len(receipts) == 9
    refused = receipts[str(ReceiptKey(consumer="consumer", slot=feed.slot, judgement=1))]
    assert (refused.verdict, refused.identity) == ("unreadable", feed.commit().identity)
    assert [check.id for check in refused.checks] == ["object.present"]
    assert all(parse_key(key) for key in receipts)


def test_a_consumer_that_lost_its_ledger_repeats_its_receipts_and_adds_none(feed: Feed) -> None:
    """The verdict is a function of what was delivered: a second lake comes to the same."""
    feed.consume("first")
    before = feed.receipts()
    assert len(feed.consume("second").judgements) == 9
    assert feed.receipts() == before


def test_a_verdict_that_differs_is_a_second_judgement(feed: Feed) -> None:
    """A receipt is never replaced; what was said before stays readable."""
    key = feed.commit().files[0].key
    body = feed.read(key)
    feed.delete(key)
    feed.consume("first")
    feed.store.put(key, body)
    feed.consume("second")
    verdicts = [
        Receipt.from_json(
            feed.read(str(ReceiptKey(consumer="consumer", slot=feed.slot, judgement=number)))
        ).verdict
        for number in (1, 2)
    ]
    assert verdicts == ["unreadable", "accepted"]


def test_receipts_that_were_not_sent_are_sent_by_the_next_run(feed: Feed) -> None:
    """The ledger keeps them until they stand in the feed."""
    whole = feed.store
    feed.store = lost_receipts({key: feed.read(key) for key in feed.keys})
    with pytest.raises(StoreUnavailableError):
        feed.consume()
    feed.store = whole
    again = feed.consume()
    assert again.known == 2
    assert len(feed.receipts()) == 9


def test_validate_leaves_the_feed_as_it_is(feed: Feed, tmp_path: Path) -> None:
    """Without receipts nothing is written."""
    before = feed.keys
    with Lake(tmp_path / "lake", make=True) as lake:
        consume(feed.store, lake, clock=clock, send_receipts=False)
    assert feed.keys == before


def test_one_delivery_can_be_asked_for(feed: Feed, tmp_path: Path) -> None:
    """It is judged, and the inventory that it refers to; no other."""
    seen: list[Judgement] = []
    with Lake(tmp_path / "lake", make=True) as lake:
        consume(feed.store, lake, clock=clock, only=[feed.slot], on_judgement=seen.append)
    assert [judgement.slot for judgement in seen] == [feed.inventory, feed.slot]


def test_a_feed_is_discovered_inventory_first(feed: Feed) -> None:
    """So that telemetry finds what it refers to."""
    slots = discover(feed.store).slots
    assert slots[0] == feed.inventory
    assert [slot.period for slot in slots[1:]] == list(feed.source.periods())


def test_a_feed_without_deliveries_is_nothing_to_judge(tmp_path: Path) -> None:
    """An empty feed is more likely a wrong URL than good news."""
    with (
        Lake(tmp_path / "lake", make=True) as lake,
        pytest.raises(NothingToJudgeError, match="no delivery in memory"),
    ):
        consume(MemoryStore(), lake, clock=clock)


def test_a_lake_belongs_to_one_feed_and_one_consumer(feed: Feed, tmp_path: Path) -> None:
    """Slots of two feeds would be taken for one."""
    feed.consume()

    class Other(MemoryStore):
        url = "elsewhere"

    other = Other()
    for key in feed.keys:
        other.put(key, feed.read(key))
    with Lake(tmp_path / "lake") as lake:
        with pytest.raises(UsageError, match="has feed memory, not elsewhere"):
            consume(other, lake, clock=clock)
        with pytest.raises(UsageError, match="has consumer consumer, not analyst"):
            consume(feed.store, lake, clock=clock, name="analyst")


@pytest.mark.parametrize("name", ["", "a/b", "..", "ä", "x" * 100])
def test_a_consumer_has_a_plain_name(feed: Feed, tmp_path: Path, name: str) -> None:
    """It becomes a part of keys."""
    with Lake(tmp_path / "lake", make=True) as lake, pytest.raises(UsageError, match="consumer"):
        consume(feed.store, lake, clock=clock, name=name)


def test_two_consumers_at_one_lake_do_not_mix(feed: Feed, tmp_path: Path) -> None:
    """The second is told to wait."""
    with Lake(tmp_path / "lake", make=True) as lake, lake.at_work():  # noqa: SIM117
        with (
            Lake(tmp_path / "lake", make=True) as second,
            pytest.raises(EnvironmentFailedError, match="another consumer is at work"),
        ):
            consume(feed.store, second, clock=clock)


def test_the_feeds_contract_is_pinned_at_first_use(feed: Feed) -> None:
    """A feed that changes its contract later changes nothing for this lake."""
    feed.consume()
    (key,) = [key for key in feed.keys if key.startswith("contract/")]
    feed.edit(key, lambda body: body.replace(b"maximum: 2000", b"maximum: 9000"))
    again = feed.consume()
    assert again.contract.sha256 == feed.source.contract.sha256


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda body: body.replace(b"kind: DataContract", b"kind: Data"), ContractError, "kind"),
        (lambda body: b"\xff\xfe", ContractError, "UTF-8"),
        (lambda body: body.replace(b"version: 1.0.0", b"version: 1.0.1"), ContractError, "holds"),
    ],
    ids=["kind", "bytes", "version"],
)
def test_a_feed_with_a_broken_contract_is_refused(
    feed: Feed, change: Callable[[bytes], bytes], error: type[Exception], words: str
) -> None:
    """It comes from outside, and must pass the linter like any other."""
    (key,) = [key for key in feed.keys if key.startswith("contract/")]
    before = feed.read(key)
    feed.edit(key, change)
    assert feed.read(key) != before
    with pytest.raises(error) as caught:
        feed.consume()
    assert words in f"{caught.value} {getattr(caught.value, 'problems', '')}"
    assert feed.receipts() == {}


def test_a_feed_without_contract_wants_one_named(feed: Feed) -> None:
    """With the one that was agreed it is judged."""
    (key,) = [key for key in feed.keys if key.startswith("contract/")]
    feed.delete(key)
    with pytest.raises(UsageError, match="no contract"):
        feed.consume()
    consumed = feed.consume("other", contract=loads(feed.source.contract.text, "mine"))
    assert len(consumed.judgements) == 9


def test_receipts_come_to_an_end(feed: Feed) -> None:
    """Whoever took all 99 judgements of a delivery keeps no other from being judged."""
    feed.consume("first")
    key = str(ReceiptKey(consumer="consumer", slot=feed.slot, judgement=1))
    for number in range(1, 100):
        feed.store.put(
            str(ReceiptKey(consumer="consumer", slot=feed.slot, judgement=number)),
            edited_json(feed.read(key), verdict="rejected", judgement=number),
        )
    assert len(feed.consume("second").judgements) == 9
    with Lake(feed.folder / "second") as lake:
        assert [receipt.slot for receipt in lake.ledger.unsent_receipts()] == [feed.slot]


def test_an_inventory_that_was_committed_during_the_listing_is_judged_early(
    feed: Feed, tmp_path: Path
) -> None:
    """A listing is no snapshot of the feed: telemetry may show before its inventory does."""

    class Racing(MemoryStore):
        def list(self, prefix: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            """All but the inventory's commit."""
            return (info for info in super().list(prefix) if "commits/inventory" not in info.key)

    racing = Racing()
    for key in feed.keys:
        racing.put(key, feed.read(key))
    with Lake(tmp_path / "lake", make=True) as lake:
        consumed = consume(racing, lake, clock=clock)
    assert consumed.judgements[0].slot == feed.inventory
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}
    assert len(consumed.judgements) == 9


def test_a_consumer_killed_between_deliveries_leaves_a_lake_that_goes_on(
    feed: Feed, tmp_path: Path
) -> None:
    """SIGKILL in the middle of the fourth judgement; the next run judges the other five."""
    folder = tmp_path / "feed"
    for key in feed.keys:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(feed.read(key))
    script = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from powerstage.consumer import Lake, consume
from powerstage.store import FolderStore

seen = []

def count(judgement):
    seen.append(judgement)
    if len(seen) == 4:
        os.kill(os.getpid(), signal.SIGKILL)

clock = lambda: datetime(2026, 11, 24, 12, tzinfo=UTC)
with Lake(Path(sys.argv[2]), make=True) as lake:
    consumed = consume(FolderStore(Path(sys.argv[1])), lake, clock=clock, on_judgement=count)
    print(len(consumed.judgements), consumed.known)
"""
    command = [sys.executable, "-c", script, str(folder), str(tmp_path / "lake")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    first = subprocess.run(command, env=environment, check=False)
    assert first.returncode == -signal.SIGKILL
    script_without_kill = script.replace("== 4", "== 99")
    command[2] = script_without_kill
    second = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert second.stdout.split() == ["5", "4"]


def test_a_call_that_is_refused_pins_nothing(feed: Feed, tmp_path: Path) -> None:
    """A lake keeps its contract when somebody names another feed with another contract."""
    feed.consume()
    newer = loads(feed.source.contract.text.replace("version: 1.0.0", "version: 2.0.0"), "newer")
    with Lake(tmp_path / "lake") as lake:
        with pytest.raises(UsageError, match="has feed memory, not other"):
            consume(copied(feed, MemoryStore("other")), lake, clock=clock, contract=newer)
        assert lake.contract is not None
        assert lake.contract.version == "1.0.0"


def test_what_is_no_receipt_does_not_stop_the_consumer(feed: Feed) -> None:
    """Somebody put two megabytes where its receipt belongs: the next judgement is free."""
    key = ReceiptKey(consumer="consumer", slot=feed.slot, judgement=1)
    feed.store.put(str(key), b"x" * 2_000_000)
    assert len(feed.consume().judgements) == 9
    assert str(replace(key, judgement=2)) in feed.receipts()


def test_no_more_is_read_than_was_promised(feed: Feed) -> None:
    """An object without end is given up after the chunk that goes beyond."""

    class Endless(MemoryStore):
        chunks = 0

        def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
            """The one object never ends."""
            if key != feed.commit().files[0].key:
                return super().get(key, sha256=sha256)
            return self.without_end()

        def without_end(self) -> Iterator[bytes]:
            """Zeros, counted by the KiB."""
            while True:
                self.chunks += 1
                yield bytes(1024)

    store = Endless()
    copied(feed, store)
    with Lake(feed.folder / "endless", make=True) as lake:
        consumed = consume(store, lake, clock=clock)
    (refused,) = (j for j in consumed.judgements if j.verdict != "accepted")
    assert [finding.check.id for finding in refused.report.findings] == ["object.size"]
    assert store.chunks < 20
