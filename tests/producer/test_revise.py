"""Revisions: what was delivered is superseded, taken back, or said never to have been."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Commit, CommitKey, Contract, ContractKey, Slot, loads
from powerstage.errors import ConflictError, StoreRefusedError, UsageError
from powerstage.producer import MockSource, publish, retract, synthesise
from powerstage.store import MemoryStore, ObjectInfo, Store, read
from tests.conftest import START, clock
from tests.producer.conftest import objects, store_of
from tests.producer.test_publish import AFTERNOON, INVENTORY, MORNING, NOON, Spliced, states


def commit(store: Store, slot: Slot) -> Commit:
    """The commit of a slot."""
    return Commit.from_json(read(store, str(CommitKey(slot=slot)), 1_000_000))


def next_of(slot: Slot) -> Slot:
    """The revision after one."""
    return Slot(dataset=slot.dataset, period=slot.period, revision=slot.revision + 1)


@pytest.fixture
def corrected(small: MockSource, half_days: Contract) -> Spliced:
    """The same day with other values in its second period."""
    return Spliced(small, NOON, synthesise(half_days, devices=2, start=START))


def readings(store: Store, folder: Path) -> int:
    """How many readings a consumer shows."""
    with Lake(folder, make=True) as lake:
        consume(store, lake, clock=clock)
        return len(lake.telemetry())


def test_what_differs_becomes_the_next_revision(
    whole: dict[str, bytes], corrected: Spliced
) -> None:
    """It names the one that it supersedes, and says why; all else stays as it was."""
    store = store_of(whole)
    done = publish(corrected, store, clock=clock, revise="late data")
    assert states(done) == {
        str(INVENTORY): "unchanged",
        str(MORNING): "unchanged",
        str(next_of(AFTERNOON)): "new",
    }
    second = commit(store, next_of(AFTERNOON))
    assert (second.supersedes, second.reason, second.rows) == (
        commit(store, AFTERNOON).identity,
        "late data",
        48,
    )
    assert {key: body for key, body in objects(store).items() if key in whole} == whole


def test_a_revision_is_published_once(whole: dict[str, bytes], corrected: Spliced) -> None:
    """Run again, with a reason or without, it finds all as it should be."""
    store = store_of(whole)
    publish(corrected, store, clock=clock, revise="late data")
    before = objects(store)
    for reason in ("late data", ""):
        done = publish(corrected, store, clock=clock, revise=reason)
        assert set(states(done).values()) == {"unchanged"}
    assert objects(store) == before


def test_a_corrected_inventory_is_revised_with_all_that_pins_it(
    whole: dict[str, bytes], half_days: Contract
) -> None:
    """Telemetry says which inventory it goes with, so it is delivered anew."""
    store = store_of(whole)
    other = synthesise(half_days, devices=3, start=START, seed=8)
    done = publish(other, store, clock=clock, revise="the fleet was another")
    revised = [next_of(slot) for slot in (INVENTORY, MORNING, AFTERNOON)]
    assert states(done) == dict.fromkeys(map(str, revised), "new")
    pin = commit(store, revised[1]).inventory
    assert pin is not None
    assert (pin.slot, pin.identity) == (revised[0], commit(store, revised[0]).identity)


def test_a_consumer_shows_the_last_revision_that_it_accepted(
    whole: dict[str, bytes], corrected: Spliced, tmp_path: Path
) -> None:
    """It replaces the period, and adds nothing to it; one that lacks a device changes nothing."""
    store = store_of(whole)
    assert readings(store, tmp_path) == 144
    publish(corrected, store, clock=clock, revise="fewer")
    assert readings(store, tmp_path) == 144
    retract(store, corrected.contract, NOON, clock=clock)
    assert readings(store, tmp_path) == 72


def test_days_published_apart_are_one_when_published_together(half_days: Contract) -> None:
    """Each day had its own copy of the inventory; what counts is what it says."""
    store = MemoryStore()
    days = [synthesise(half_days, devices=3, start=START + timedelta(days=day)) for day in (1, 0)]
    for day in days:
        publish(day, store, clock=clock)
    before = objects(store)
    both = synthesise(half_days, devices=3, start=START, days=2)
    assert set(states(publish(both, store, clock=clock)).values()) == {"unchanged"}
    assert objects(store) == before


def test_a_retraction_takes_the_readings_back(whole: dict[str, bytes], small: MockSource) -> None:
    """It is a revision without files; done again, it stands already."""
    store = store_of(whole)
    done = retract(store, small.contract, NOON, clock=clock)
    assert (done.slot, done.state, done.rows) == (next_of(AFTERNOON), "new", 0)
    stands = commit(store, done.slot)
    assert (stands.reason, stands.files) == ("retraction", ())
    assert stands.supersedes == commit(store, AFTERNOON).identity
    assert retract(store, small.contract, NOON, clock=clock).state == "unchanged"


def test_a_period_without_data_is_said_to_be_one(
    whole: dict[str, bytes], small: MockSource, tmp_path: Path
) -> None:
    """It goes with the inventory in force, is accepted, and is no gap."""
    store = store_of(whole)
    done = retract(store, small.contract, START + timedelta(days=1), clock=clock)
    stands = commit(store, done.slot)
    assert (stands.reason, stands.slot.revision) == ("no-data", 0)
    assert stands.inventory is not None
    assert stands.inventory.slot == INVENTORY
    with Lake(tmp_path, make=True) as lake:
        consumed = consume(store, lake, clock=clock)
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}
    assert consumed.gaps == ()


@pytest.mark.parametrize("hours", [1, -24])
def test_only_periods_with_an_inventory_can_be_empty(
    whole: dict[str, bytes], small: MockSource, hours: int
) -> None:
    """A start that is none of a period, and one before the first inventory, are refused."""
    store = store_of(whole)
    with pytest.raises(UsageError):
        retract(store, small.contract, START + timedelta(hours=hours), clock=clock)
    assert objects(store) == whole


@pytest.mark.parametrize("left", [0, 100])
def test_a_data_object_that_was_lost_is_put_back(
    whole: dict[str, bytes], small: MockSource, left: int
) -> None:
    """Or one that was cut short; the commit stands, and nothing new is delivered."""
    (file,) = commit(store_of(whole), AFTERNOON).files
    spoilt = whole | {file.key: whole[file.key][:left]}
    if not left:
        del spoilt[file.key]
    store = store_of(spoilt)
    assert set(states(publish(small, store, clock=clock)).values()) == {"unchanged"}
    assert objects(store) == whole


class Secretive(MemoryStore):
    """A store that shows nobody what data it has."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Refuse it."""
        if prefix == "data/":
            raise StoreRefusedError("AccessDenied")
        return super().list(prefix)


def test_who_may_not_list_data_publishes_all_the_same(
    whole: dict[str, bytes], small: MockSource
) -> None:
    """Whatever might be lost is put once more."""
    store = Secretive()
    for key, body in whole.items():
        store.put(key, body)
    assert set(states(publish(small, store, clock=clock)).values()) == {"unchanged"}
    assert {info.key for info in MemoryStore.list(store, "")} == set(whole)


class Rival(MemoryStore):
    """A store in which somebody else writes a commit just before we do."""

    def __init__(self, key: str, body: bytes) -> None:
        super().__init__()
        self.key, self.rival = key, body

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """The other is faster."""
        if key == self.key:
            super().put_if_absent(key, self.rival)
        return super().put_if_absent(key, body)


def test_a_retraction_by_another_contract_of_the_same_version_is_refused(
    whole: dict[str, bytes], small: MockSource
) -> None:
    """No consumer would accept it, and its revision would be gone."""
    store = store_of(whole)
    edited = loads(small.contract.text.replace("value: 6", "value: 7"), "edited")
    with pytest.raises(ConflictError, match="carries another contract"):
        retract(store, edited, NOON, clock=clock)
    assert objects(store) == whole


def test_a_contract_that_is_first_followed_by_a_retraction_stands_in_the_feed(
    whole: dict[str, bytes], small: MockSource
) -> None:
    """As with any other delivery: whoever gets it can read what it follows."""
    store = store_of(whole)
    text = small.contract.text.replace("version: 1.0.0", "version: 1.0.1")
    newer = loads(text, "newer")
    retract(store, newer, NOON, clock=clock)
    key = str(ContractKey(name=newer.name, version="1.0.1"))
    assert read(store, key, 1_000_000) == text.encode()


def test_a_retraction_that_comes_second_is_a_conflict(
    whole: dict[str, bytes], small: MockSource, corrected: Spliced
) -> None:
    """What was written meanwhile was not looked at by whoever takes it back."""
    theirs = store_of(whole)
    publish(corrected, theirs, clock=clock, revise="late data")
    key = str(CommitKey(slot=next_of(AFTERNOON)))
    store = Rival(key, objects(theirs)[key])
    for known, body in whole.items():
        store.put(known, body)
    with pytest.raises(ConflictError, match=str(next_of(AFTERNOON))):
        retract(store, small.contract, NOON, clock=clock)


def test_a_retraction_under_another_contract_text_is_not_ours(
    whole: dict[str, bytes], small: MockSource
) -> None:
    """Its identity is, and no consumer would accept it."""
    ahead, key = store_of(whole), str(CommitKey(slot=next_of(AFTERNOON)))
    retract(ahead, small.contract, NOON, clock=clock)
    ours = Commit.from_json(objects(ahead)[key])
    theirs = replace(ours, contract=replace(ours.contract, sha256="0" * 64))
    store = Rival(key, theirs.to_json())
    for known, body in whole.items():
        store.put(known, body)
    with pytest.raises(ConflictError, match=str(next_of(AFTERNOON))):
        retract(store, small.contract, NOON, clock=clock)


@pytest.mark.parametrize("senders", [1, 3])
def test_however_many_are_sent_at_once_the_feed_is_the_same(
    half_days: Contract, senders: int
) -> None:
    """And they are reported in the order of periods."""
    source = synthesise(half_days, devices=1, start=START, days=3)
    store, alone = MemoryStore(), MemoryStore()
    done = publish(source, store, clock=clock, senders=senders)
    publish(source, alone, clock=clock)
    assert objects(store) == objects(alone)
    telemetry = [item.slot for item in done if item.slot.dataset == "telemetry"]
    assert telemetry == sorted(telemetry)


def test_nothing_is_said_of_a_period_that_has_not_ended(
    whole: dict[str, bytes], small: MockSource
) -> None:
    """A slip of the pen would stay in the feed for ever, and make a gap of what lies between."""
    store = store_of(whole)
    with pytest.raises(UsageError, match="has not ended"):
        retract(store, small.contract, clock() + timedelta(days=12), clock=clock)
    assert objects(store) == whole
