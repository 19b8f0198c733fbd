"""What the consumer makes of a feed that is not as it should be: just that, and nothing else."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from powerstage.checks import Checker
from powerstage.consumer.judge import Inventory, Judge
from powerstage.contract import (
    CommitKey,
    ContractPin,
    DataFile,
    InventoryPin,
    Slot,
    loads,
    parse_period,
)
from powerstage.contract.layout import data_key
from powerstage.producer import retract
from powerstage.store import MemoryStore
from tests.conftest import clock
from tests.consumer.conftest import Feed, edited_json


def test_a_clean_feed_is_accepted_whole(hourly_feed: Feed) -> None:
    """25 deliveries, 288 readings, no finding, no gap, no stray."""
    consumed = hourly_feed.consume()
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}
    assert len(consumed.judgements) == 25
    rows = sum(j.report.rows for j in consumed.judgements if j.slot.dataset == "telemetry")
    assert rows == 288
    assert (consumed.gaps, consumed.strays, consumed.known) == ((), (), 0)
    assert not [j for j in consumed.judgements if j.report.findings]


def test_an_object_that_was_deleted_is_reported_as_just_that(feed: Feed) -> None:
    """One delivery is unreadable, for want of one object; the others are accepted."""
    feed.delete(feed.commit().files[0].key)
    assert feed.findings() == {str(feed.slot): ("unreadable", {"object.present"})}


@pytest.mark.parametrize("position", [0, 4, 1_000, -1])
def test_one_flipped_bit_is_reported_as_just_that(feed: Feed, position: int) -> None:
    """Wherever it is: the size is right, the digest is not."""

    def flip(body: bytes) -> bytes:
        spoilt = bytearray(body)
        spoilt[position] ^= 1
        return bytes(spoilt)

    feed.edit(feed.commit().files[0].key, flip)
    assert feed.findings() == {str(feed.slot): ("unreadable", {"object.digest"})}


@pytest.mark.parametrize(
    "change",
    [lambda body: body[:-1], lambda body: body + b"x", lambda body: b""],
    ids=["cut", "longer", "empty"],
)
def test_an_object_of_another_size_is_reported_as_just_that(
    feed: Feed, change: Callable[[bytes], bytes]
) -> None:
    """Cut short, longer, or empty."""
    feed.edit(feed.commit().files[0].key, change)
    assert feed.findings() == {str(feed.slot): ("unreadable", {"object.size"})}


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b'"rows": 36', b'"rows": 37'),
        lambda body: body.replace(b"telemetry", b"telemetri", 1),
        lambda body: body[: len(body) // 2],
        lambda body: b"",
        lambda body: b"null",
        lambda body: b"[" * 100_000,
        lambda body: edited_json(body, surprise=1),
        lambda body: edited_json(body, identity="0" * 64),
        lambda body: body.replace(b'"files"', b'"files": [], "files"', 1),
        lambda body: b" " * 2_000_000,
    ],
    ids=["rows", "name", "half", "empty", "null", "deep", "field", "identity", "twice", "large"],
)
def test_a_commit_edited_by_hand_is_reported_as_just_that(
    feed: Feed, change: Callable[[bytes], bytes]
) -> None:
    """Its identity no longer fits, or it is no commit at all."""
    before = feed.read(str(CommitKey(slot=feed.slot)))
    feed.edit(str(CommitKey(slot=feed.slot)), change)
    assert feed.read(str(CommitKey(slot=feed.slot))) != before
    assert feed.findings() == {str(feed.slot): ("unreadable", {"commit.readable"})}


@pytest.mark.parametrize("rows", [35, 37])
def test_a_commit_that_lies_about_rows_is_rejected(feed: Feed, rows: int) -> None:
    """The object is what was promised, what is in it is not."""
    (file,) = feed.commit().files
    feed.recommit_bytes(feed.read(file.key), rows=rows)
    assert feed.findings() == {str(feed.slot): ("rejected", {"rows.as_committed"})}


def test_a_commit_that_lies_about_size_is_unreadable(feed: Feed) -> None:
    """The digest fits the object, the size does not."""
    (file,) = feed.commit().files
    feed.recommit_bytes(feed.read(file.key), bytes=file.bytes + 1)
    assert feed.findings() == {str(feed.slot): ("unreadable", {"object.size"})}


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[: len(body) // 2],
        lambda body: b"PAR1" + b"\xff" * 999 + b"PAR1",
        lambda body: b"sn,model\n1,2\n",
        lambda body: b"",
    ],
    ids=["cut", "noise", "csv", "empty"],
)
def test_a_file_that_was_broken_before_it_was_committed_is_unreadable(
    feed: Feed, change: Callable[[bytes], bytes]
) -> None:
    """The transfer is sound, the Parquet file is not."""
    feed.recommit_bytes(change(feed.read(feed.commit().files[0].key)))
    assert feed.findings() == {str(feed.slot): ("unreadable", {"file.readable"})}


def test_a_delivery_under_another_contract_is_rejected(feed: Feed) -> None:
    """What it says is not what was agreed, whatever is in it."""
    pin = ContractPin(name="power-telemetry", version="9.0.0", sha256="9" * 64)
    feed.recommit(contract=pin)
    assert feed.findings() == {str(feed.slot): ("rejected", {"contract.agreed"})}


def test_a_delivery_that_refers_to_no_inventory_of_the_feed_is_rejected(feed: Feed) -> None:
    """Its devices cannot be known."""
    nowhere = Slot(dataset="inventory", period=feed.slot_after(1).period, revision=0)
    feed.recommit(inventory=InventoryPin(slot=nowhere, identity="1" * 64))
    assert feed.findings() == {str(feed.slot): ("rejected", {"inventory.accepted"})}


def test_a_delivery_that_refers_to_another_inventory_is_rejected(feed: Feed) -> None:
    """The slot is there, under another identity."""
    feed.recommit(inventory=InventoryPin(slot=feed.inventory, identity="1" * 64))
    assert feed.findings() == {str(feed.slot): ("rejected", {"inventory.accepted"})}


def test_what_refers_to_an_unreadable_inventory_is_rejected(feed: Feed) -> None:
    """All 8 periods say why, and where to look."""
    feed.delete(feed.commit(feed.inventory).files[0].key)
    found = feed.findings()
    assert found.pop(str(feed.inventory)) == ("unreadable", {"object.present"})
    assert list(found.values()) == [("rejected", {"inventory.accepted"})] * 8


def test_a_revision_must_name_the_one_before_it(feed: Feed) -> None:
    """A chain that does not fit is rejected; the revision before it stays."""
    second = Slot(dataset="telemetry", period=feed.slot.period, revision=1)
    feed.recommit(slot=second, supersedes="1" * 64)
    assert feed.findings() == {str(second): ("rejected", {"commit.chain"})}


def test_a_commit_under_the_key_of_another_slot_is_unreadable(feed: Feed) -> None:
    """A copy in the wrong place speaks for no period."""
    other = Slot(dataset="telemetry", period=feed.slot.period + timedelta(days=1), revision=0)
    feed.store.put(str(CommitKey(slot=other)), feed.read(str(CommitKey(slot=feed.slot))))
    assert feed.findings() == {str(other): ("unreadable", {"commit.readable"})}


def test_damage_that_the_next_read_does_not_show_is_no_finding(feed: Feed) -> None:
    """The wire was bad, not the object."""
    bad = feed.commit().files[0].key

    class Flaky(MemoryStore):
        reads = 0

        def get(self, key: str, *, sha256: str = ""):  # type: ignore[no-untyped-def]  # noqa: ANN202
            """Half of the object, the first two times."""
            if key == bad:
                # From the second read on the store looks, too.
                assert bool(sha256) == (self.reads == 0)
                self.reads += 1
                if self.reads <= 2:
                    return iter([b"half"])
            return super().get(key, sha256=sha256)

    flaky = Flaky()
    for key in feed.keys:
        flaky.put(key, feed.read(key))
    feed.store = flaky
    assert feed.findings() == {}
    assert flaky.reads == 3


def test_two_deliveries_of_the_same_bytes_have_a_file_each(feed: Feed, tmp_path: Path) -> None:
    """They are at work at once, and each is moved away or removed in its turn."""
    feed.edit(feed.commit().files[0].key, lambda body: body[:-1])
    other = feed.slot_after(1)
    feed.recommit(slot=other)

    def inventory_of(slot: Slot) -> Inventory:
        return Inventory(identity=feed.commit(slot).identity, verdict="accepted", files=(tmp_path,))

    with Checker() as checker:
        judge = Judge(feed.store, feed.source.contract, checker, inventory_of)
        judged = [judge.judge(slot, tmp_path) for slot in (feed.slot, other)]
    paths = {path for judgement in judged for _, path in judgement.files}
    assert [path.is_file() for path in paths] == [True, True]


def test_missing_periods_are_found_between_the_first_and_the_last(feed: Feed) -> None:
    """Two runs of them, each reported once."""
    periods = feed.source.periods()
    feed.delete(
        *(
            str(CommitKey(slot=Slot(dataset="telemetry", period=periods[n], revision=0)))
            for n in (1, 3, 4, 7)
        )
    )
    gaps = feed.consume().gaps
    assert [(gap.first, gap.periods) for gap in gaps] == [(periods[1], 1), (periods[3], 2)]


def test_what_stands_under_commits_and_is_none_is_named(feed: Feed) -> None:
    """A stray is a finding about the feed, and blames no delivery."""
    for key in ("commits/notes.txt", "commits/telemetry/2026-11-02T0530/r0.json"):
        feed.store.put(key, b"x")
    consumed = feed.consume()
    assert consumed.strays == ("commits/notes.txt", "commits/telemetry/2026-11-02T0530/r0.json")
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}


def test_data_that_no_commit_names_is_not_read(feed: Feed) -> None:
    """The leftovers of a killed producer are nobody's delivery."""
    (file,) = feed.commit().files
    feed.store.put(file.key.replace(file.sha256, "0" * 64), b"rubbish")
    assert feed.findings() == {}


def test_the_pinned_contract_counts_whatever_the_feed_says(feed: Feed) -> None:
    """A looser contract in the feed does not loosen what was agreed."""
    text = feed.source.contract.text
    strict = loads(text.replace("maximum: 2000", "maximum: 1"), "strict")
    assert strict.sha256 != feed.source.contract.sha256
    judgements = feed.consume(contract=strict).judgements
    assert {judgement.verdict for judgement in judgements} == {"rejected"}
    assert {finding.check.id for j in judgements for finding in j.report.findings} == {
        "contract.agreed",
        "inventory.accepted",
    }


@pytest.mark.parametrize(
    "period", ["2026-11-02T0530", "9999-12-31T2100"], ids=["off the grid", "at the end of time"]
)
def test_a_period_that_was_not_agreed_is_refused(feed: Feed, period: str) -> None:
    """What it holds is never shown a second time, and it makes no gap."""
    slot = Slot(dataset="telemetry", period=parse_period(period))
    (file,) = feed.commit().files
    key = str(data_key(slot, file.sha256))
    feed.store.put(key, feed.read(file.key))
    feed.recommit(slot=slot, files=(replace(file, key=key),))
    consumed = feed.consume()
    refused = [j for j in consumed.judgements if j.verdict != "accepted"]
    assert [j.slot for j in refused] == [slot]
    assert {finding.check.id for finding in refused[0].report.findings} == {"period.agreed"}
    assert consumed.gaps == ()


def test_rows_are_promised_file_by_file(feed: Feed, tmp_path: Path) -> None:
    """Two wrong promises do not make a right sum."""
    files = []
    for number, (where, promised) in enumerate((("< 12", 24), (">= 12", 12))):
        path = tmp_path / f"part{number}.parquet"
        source = tmp_path / "whole.parquet"
        source.write_bytes(feed.read(feed.commit().files[0].key))
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT * EXCLUDE (file_row_number) FROM read_parquet('{source}',"
                f" file_row_number = true) WHERE file_row_number {where}) TO '{path}'"
            )
        body = path.read_bytes()
        sha256 = hashlib.sha256(body).hexdigest()
        key = str(data_key(feed.slot, sha256))
        feed.store.put(key, body)
        files.append(DataFile(key=key, sha256=sha256, bytes=len(body), rows=promised))
    feed.recommit(files=tuple(files))
    assert feed.findings() == {str(feed.slot): ("rejected", {"rows.as_committed"})}


def test_an_inventory_without_a_file_leaves_telemetry_without_devices(feed: Feed) -> None:
    """That is said of the telemetry, in words; nothing is called unreadable."""
    feed.recommit(slot=feed.inventory, inventory=None, files=(), reason="no-data")
    identity = feed.commit(feed.inventory).identity
    feed.recommit(inventory=InventoryPin(slot=feed.inventory, identity=identity))
    assert feed.findings()[str(feed.slot)] == ("rejected", {"inventory.accepted"})


def test_an_empty_delivery_passes_no_check_of_data(feed: Feed) -> None:
    """It is allowed, but nothing was complete about it."""
    feed.recommit(files=(), reason="no-data")
    (judgement,) = (j for j in feed.consume().judgements if j.slot == feed.slot)
    assert judgement.verdict == "accepted"
    assert "grid.complete" not in {result.check.id for result in judgement.report.results}


def test_a_retraction_needs_no_inventory(feed: Feed) -> None:
    """What it takes back may be what pinned one that was refused."""
    feed.delete(feed.commit(feed.inventory).files[0].key)
    retract(feed.store, feed.source.contract, feed.slot.period, clock=clock)
    verdicts = {found.slot: found.verdict for found in feed.consume().judgements}
    assert verdicts[feed.slot] == "rejected"
    assert verdicts[replace(feed.slot, revision=1)] == "accepted"
