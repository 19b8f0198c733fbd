"""Following a feed: whatever comes is judged, however it was heard of, and nothing twice."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from powerstage.consumer import Consumed, Lake, consume, follow
from powerstage.consumer.discover import Watch
from powerstage.contract import CommitKey
from powerstage.store import FolderStore, Hint, HintQueue, MemoryStore
from powerstage.store.queue import keys_in
from tests.conftest import clock
from tests.consumer.conftest import Feed

EVERY = timedelta(seconds=60)


class Patience:
    """Waits no time, and stops after so many waits."""

    def __init__(self, waits: int) -> None:
        self.waits = waits
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> bool:
        """Whether it is over."""
        if seconds:
            self.waited.append(seconds)
        return len(self.waited) >= self.waits


class Heard:
    """Hints that come in bunches, and which of them were taken off."""

    def __init__(self, *bunches: Sequence[str]) -> None:
        self.bunches = [[Hint(keys=(key,), receipt=key) for key in bunch] for bunch in bunches]
        self.deleted: list[str] = []

    def receive(self, seconds: float) -> list[Hint]:
        """The next bunch."""
        assert seconds > 0
        return self.bunches.pop(0)

    def delete(self, hints: Sequence[Hint]) -> None:
        """Note which."""
        self.deleted += [hint.receipt for hint in hints]


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """An empty lake."""
    with Lake(tmp_path / "followed", make=True) as lake:
        yield lake


def held_back(feed: Feed) -> dict[str, bytes]:
    """The commit of the feed's delivery in question, taken away for a while."""
    key = str(CommitKey(slot=feed.slot))
    body = feed.read(key)
    feed.delete(key)
    return {key: body}


def judged(consumed: Consumed) -> list[str]:
    """What was judged in one look."""
    return [str(judgement.slot) for judgement in consumed.judgements]


def test_what_comes_while_it_waits_is_judged_at_the_next_look(feed: Feed, lake: Lake) -> None:
    """And what was judged is not looked at again."""
    late = held_back(feed)
    looks = follow(feed.store, lake, clock=clock, wait=Patience(3), every=EVERY)
    first = judged(next(looks))
    for key, body in late.items():
        feed.store.put(key, body)
    assert str(feed.slot) not in first
    assert [judged(look) for look in looks] == [[str(feed.slot)], []]


def test_an_empty_feed_is_waited_for(feed: Feed, lake: Lake) -> None:
    """Whoever starts first, the consumer may."""
    store, wait = MemoryStore(), Patience(3)
    looks = follow(store, lake, clock=clock, wait=wait, every=EVERY)
    keys = {key: feed.read(key) for key in feed.keys}

    def deliver(seconds: float) -> bool:
        for key, body in keys.items():
            store.put(key, body)
        return Patience.__call__(wait, seconds)

    looks = follow(store, lake, clock=clock, wait=deliver, every=EVERY)
    assert str(feed.slot) in judged(next(looks))


def test_it_stops_between_deliveries(feed: Feed, lake: Lake) -> None:
    """What was judged is recorded with its receipt; the next run goes on from there."""
    (look,) = follow(feed.store, lake, clock=clock, wait=lambda _: True, every=EVERY)
    assert len(look.judgements) == 1
    assert len(feed.receipts()) == 1


def test_a_hint_cuts_the_waiting_short(feed: Feed, lake: Lake) -> None:
    """Of an old period, too; it is taken off the queue when it was judged."""
    late = held_back(feed)
    (key,) = late
    hints = Heard([key])
    looks = follow(
        feed.store, lake, clock=clock, wait=lambda _: not hints.bunches, every=EVERY, hints=hints
    )
    next(looks)
    feed.store.put(key, late[key])
    assert judged(next(looks)) == [str(feed.slot)]
    assert hints.deleted == []
    assert list(looks) == []
    assert hints.deleted == [key]


@pytest.mark.parametrize(
    "key", ["commits/telemetry/2026-11-09T0500/r000000.json", "commits/x", "data/y", "", "../z"]
)
def test_a_hint_about_nothing_is_nothing(feed: Feed, lake: Lake, key: str) -> None:
    """No delivery is judged because somebody says that there is one."""
    found = Watch(feed.store, lake.ledger).look(clock(), [key, key])
    assert {str(CommitKey(slot=slot)) for slot in found.slots} <= set(feed.keys)


def test_every_page_is_looked_at_in_turn(
    feed: Feed, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long after a period, and with nobody to tell: what lies before all that is known is found."""
    monkeypatch.setattr("powerstage.store.memory.PAGE", 2)
    much_later = datetime.max.replace(tzinfo=clock().tzinfo) - timedelta(days=1)
    commits = [key for key in feed.keys if key.startswith("commits/")]
    seen: list[str] = []
    for _ in range(-(-len(commits) // 2)):
        found = Watch(feed.store, lake.ledger).look(much_later)
        seen += [str(CommitKey(slot=slot)) for slot in found.slots]
    assert seen == commits


def test_a_key_that_is_no_text_is_a_stray_and_the_pages_go_round(
    feed: Feed, lake: Lake, tmp_path: Path
) -> None:
    """A folder may hold names that are not UTF-8, and one of them may end a page."""
    store = FolderStore(tmp_path / "feed")
    for key in feed.keys:
        store.put(key, feed.read(key))
    Path(store.url, "commits", os.fsdecode(b"zz\xff")).touch()
    watch = Watch(store, lake.ledger)
    seen = [len(watch.look(clock()).strays) for _ in range(3)]
    assert seen == [1, 0, 1]


def test_what_was_refused_is_judged_again_at_the_first_look(feed: Feed, lake: Lake) -> None:
    """And at that alone, if it was asked for."""
    key = feed.commit().files[0].key
    body = feed.read(key)
    feed.delete(key)
    consume(feed.store, lake, clock=clock)
    feed.store.put(key, body)
    looks = follow(feed.store, lake, clock=clock, wait=Patience(2), every=EVERY, rejudge=True)
    assert [judged(look) for look in looks] == [[str(feed.slot)], []]


def notification(*named: tuple[str, str]) -> str:
    """What S3 sends."""
    records = [
        {"s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for bucket, key in named
    ]
    return json.dumps({"Records": records})


@pytest.mark.parametrize("quoted", [quote_plus, lambda key: key], ids=["encoded", "plain"])
def test_a_notification_names_keys_of_the_feed(quoted: object) -> None:
    """As the feed knows them; servers encode them more or less."""
    assert callable(quoted)
    key = "a feed/commits/telemetry/2026-11-01T0500/r000000.json"
    body = notification(("ours", quoted(key)), ("theirs", quoted(key)), ("ours", "other/x"))
    assert list(keys_in(body, "ours", "a feed")) == [key.removeprefix("a feed/")]


@pytest.mark.parametrize(("seconds", "waited"), [(0.1, 1), (1.5, 2), (60, 2)])
def test_a_queue_is_never_asked_without_waiting(
    monkeypatch: pytest.MonkeyPatch, seconds: float, waited: int
) -> None:
    """In the last part of a second, too: it would be asked hundreds of times."""
    asked: list[dict[str, object]] = []

    class Client:
        def receive_message(self, **parameters: object) -> dict[str, object]:
            asked.append(parameters)
            return {}

    monkeypatch.setattr("powerstage.store.queue._client", lambda _: Client())
    assert HintQueue("https://queue", "s3://ours").receive(seconds) == []
    assert [parameters["WaitTimeSeconds"] for parameters in asked] == [waited]


@pytest.mark.parametrize(
    "body",
    [
        '{"Service": "Amazon S3", "Event": "s3:TestEvent"}',
        "",
        "[]",
        '{"Records": [{}]}',
        '{"Records": [{"s3": {"bucket": {"name": "ours"}, "object": {"key": 5}}}]}',
        "[" * 100_000,
        "no json",
    ],
)
def test_what_is_no_notification_names_nothing(body: str) -> None:
    """The test event that S3 sends first, and whatever else stands in a queue."""
    assert list(keys_in(body, "ours", "")) == []
