"""Judged again: what was refused by rules that were mended since, or whose data came back."""

from dataclasses import replace
from datetime import timedelta

from powerstage.consumer import Consumed, Lake, consume
from powerstage.contract import CommitKey, Contract, Receipt, ReceiptKey, loads
from powerstage.producer import retract
from tests.conftest import clock
from tests.consumer.conftest import Feed


def narrow(contract: Contract) -> Contract:
    """The same contract, under which no server may draw more than 100 W."""
    text = contract.text.replace("maximum: 2000", "maximum: 100")
    assert text != contract.text
    return loads(text, "narrow")


def receipt(feed: Feed, judgement: int) -> Receipt:
    """A receipt for the delivery in question."""
    key = ReceiptKey(consumer="consumer", slot=feed.slot, judgement=judgement)
    return Receipt.from_json(feed.read(str(key)))


def last(consumed: Consumed, feed: Feed) -> list[str]:
    """The verdicts of a run on that delivery."""
    return [found.verdict for found in consumed.judgements if found.slot == feed.slot]


def agreed(feed: Feed) -> Contract:
    """What the deliveries follow."""
    return feed.source.contract


def test_what_a_mended_rule_lets_pass_is_accepted(feed: Feed) -> None:
    """With a receipt under the second judgement; the first stays as it is."""
    strict = narrow(agreed(feed))
    feed.consume(contract=agreed(feed))
    lake = "strict"
    with Lake(feed.folder / lake, make=True) as opened:
        # Both were agreed at some time: what follows the one is held against the other.
        opened.pin(agreed(feed))
    # The first lake's receipts are in the way of nobody: this consumer has another name.
    with Lake(feed.folder / lake) as opened:
        first = consume(feed.store, opened, clock=clock, name="strict", contract=strict)
        second = consume(feed.store, opened, clock=clock, name="strict", contract=agreed(feed))
    assert (last(first, feed), last(second, feed)) == (["rejected"], ["accepted"])
    verdicts = [
        Receipt.from_json(
            feed.read(str(ReceiptKey(consumer="strict", slot=feed.slot, judgement=number)))
        ).verdict
        for number in (1, 2)
    ]
    assert verdicts == ["rejected", "accepted"]


def test_what_was_refused_is_not_judged_again_by_the_same_rules(feed: Feed) -> None:
    """Nothing about it can have changed, unless somebody says so."""
    feed.delete(feed.commit().files[0].key)
    assert last(feed.consume(), feed) == ["unreadable"]
    again = feed.consume()
    assert (last(again, feed), again.known_refused) == ([], 1)


def test_data_that_came_back_are_accepted_when_asked_for(feed: Feed) -> None:
    """The lake shows them, and the producer reads both verdicts."""
    key = feed.commit().files[0].key
    body = feed.read(key)
    feed.delete(key)
    feed.consume()
    feed.store.put(key, body)
    with Lake(feed.folder / "lake") as lake:
        before = len(lake.telemetry())
        again = consume(feed.store, lake, clock=clock, rejudge=True)
        assert len(lake.telemetry()) > before
    assert [found.slot for found in again.judgements] == [feed.slot]
    assert [receipt(feed, number).verdict for number in (1, 2)] == ["unreadable", "accepted"]


def test_a_verdict_that_stays_the_same_is_not_said_twice(feed: Feed) -> None:
    """However often it is asked for."""
    feed.delete(feed.commit().files[0].key)
    feed.consume()
    before = feed.receipts()
    with Lake(feed.folder / "lake") as lake:
        assert last(consume(feed.store, lake, clock=clock, rejudge=True), feed) == ["unreadable"]
    assert feed.receipts() == before


def test_what_was_accepted_stays_so(feed: Feed) -> None:
    """Stricter rules are for what comes: what is shown is not taken back."""
    feed.consume(contract=agreed(feed))
    consumed = feed.consume(contract=narrow(agreed(feed)))
    assert consumed.judgements == ()
    with Lake(feed.folder / "lake") as lake:
        assert consume(feed.store, lake, clock=clock, rejudge=True).judgements == ()


def test_telemetry_is_judged_again_with_its_inventory(feed: Feed) -> None:
    """Both were refused for the one file that was lost."""
    slot = next(commit.inventory.slot for commit in [feed.commit()] if commit.inventory)
    key = feed.commit(slot).files[0].key
    body = feed.read(key)
    feed.delete(key)
    refused = feed.consume()
    assert {found.verdict for found in refused.judgements} == {"unreadable", "rejected"}
    feed.store.put(key, body)
    with Lake(feed.folder / "lake") as lake:
        again = consume(feed.store, lake, clock=clock, rejudge=True)
    assert {found.verdict for found in again.judgements} == {"accepted"}
    assert len(again.judgements) == len(refused.judgements)


def test_the_last_receipt_tells_the_last_verdict_though_lakes_were_lost(feed: Feed) -> None:
    """It had been told before another was, by a lake that is gone, too."""
    wide = agreed(feed)
    for lake, contract in (("first", wide), ("second", narrow(wide)), ("third", wide)):
        with Lake(feed.folder / lake, make=True) as opened:
            opened.pin(wide)
            consume(feed.store, opened, clock=clock, contract=contract)
    assert [receipt(feed, number).verdict for number in (1, 2, 3)] == [
        "accepted",
        "rejected",
        "accepted",
    ]


def test_an_inventory_is_judged_again_though_another_was_accepted_meanwhile(feed: Feed) -> None:
    """Telemetry still refers to the one before: a new lake would accept both."""
    inventory = feed.commit(feed.inventory)
    (file,) = inventory.files
    body = feed.read(file.key)
    feed.delete(file.key)
    refused = feed.consume()
    feed.store.put(file.key, body)
    revision = replace(inventory.slot, revision=1)
    revised = replace(inventory, slot=revision, supersedes=inventory.identity)
    feed.store.put(str(CommitKey(slot=revision)), revised.to_json())
    assert [found.slot for found in feed.consume().judgements] == [revision]
    with Lake(feed.folder / "lake") as lake:
        again = consume(feed.store, lake, clock=clock, rejudge=True)
        assert [slot for slot, _ in lake.ledger.exposed("inventory")] == [revision]
    assert {found.verdict for found in again.judgements} == {"accepted"}
    assert len(again.judgements) == len(refused.judgements)


def test_data_that_need_not_be_kept_any_more_are_not_missed(feed: Feed) -> None:
    """A lake that is made anew judges what is there, and of the rest says that it has expired."""
    commits = [key for key in feed.keys if key.startswith("commits/telemetry/")]
    feed.delete(*(key for key in feed.keys if key.startswith("data/telemetry/")))
    later = clock() + agreed(feed).retention + timedelta(days=3)
    with Lake(feed.folder / "anew", make=True) as lake:
        consumed = consume(feed.store, lake, clock=lambda: later)
    assert {found.slot.dataset for found in consumed.judgements} == {"inventory"}
    assert consumed.expired == len(commits)


def test_one_period_need_not_be_kept_as_long_as_the_next(feed: Feed) -> None:
    """Of a day of which the first half is past its retention, the other half is judged."""
    contract, first = agreed(feed), feed.slot_after(-5)
    kept_until = first.period + contract.delivery_interval + contract.retention
    waste = feed.commit(first).files[0].key
    feed.delete(waste)
    with Lake(feed.folder / "anew", make=True) as lake:
        consumed = consume(feed.store, lake, clock=lambda: kept_until + timedelta(minutes=1))
        assert first not in {entry.slot for entry in lake.ledger.entries()}
    assert consumed.expired == 1
    assert {found.verdict for found in consumed.judgements} == {"accepted"}
    assert last(consumed, feed) == ["accepted"]


def test_a_retraction_of_what_need_not_be_kept_any_more_is_judged(feed: Feed) -> None:
    """The lake shows what it once accepted, until it is taken back."""
    feed.consume()
    feed.delete(*(key for key in feed.keys if key.startswith("data/telemetry/")))
    retract(feed.store, agreed(feed), feed.slot.period, clock=clock)
    later = clock() + agreed(feed).retention + timedelta(days=3)
    with Lake(feed.folder / "lake") as lake:
        before = len(lake.telemetry())
        consume(feed.store, lake, clock=lambda: later)
        assert len(lake.telemetry()) < before


def test_data_that_are_lost_before_they_expire_are_missed(feed: Feed) -> None:
    """To the minute: they had to be kept."""
    contract, first = agreed(feed), feed.slot_after(-5)
    kept_until = first.period + contract.delivery_interval + contract.retention
    feed.delete(feed.commit(first).files[0].key)
    with Lake(feed.folder / "anew", make=True) as lake:
        consumed = consume(feed.store, lake, clock=lambda: kept_until)
    assert {found.slot for found in consumed.judgements if found.verdict == "unreadable"} == {first}


def test_old_data_that_are_still_there_are_judged(feed: Feed) -> None:
    """However long they need to be kept."""
    later = clock() + agreed(feed).retention + timedelta(days=3)
    with Lake(feed.folder / "anew", make=True) as lake:
        consumed = consume(feed.store, lake, clock=lambda: later)
    assert last(consumed, feed) == ["accepted"]
    assert consumed.expired == 0
