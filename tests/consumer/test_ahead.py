"""Deliveries judged side by side are recorded as if they had been judged one after another."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import powerstage.consumer.ahead as module
from powerstage.checks import Checker
from powerstage.consumer import Judgement, Lake, consume
from powerstage.consumer.rollup import Rollups
from powerstage.contract import CommitKey
from powerstage.store import MemoryStore, Store
from tests.conftest import clock
from tests.consumer.conftest import Feed


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has."""
    monkeypatch.setattr(module, "processors", lambda: 2)


class Meeting(MemoryStore):
    """A store that hands out the first of two commits only once the second is asked for."""

    def __init__(self, first: str, second: str, store: Store) -> None:
        super().__init__()
        for info in store.list(""):
            self.put(info.key, b"".join(store.get(info.key)))
        self._first, self._second = first, second
        self._second_is_asked_for = threading.Event()

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The object, when it is time."""
        if key == self._second:
            self._second_is_asked_for.set()
        if key == self._first and not self._second_is_asked_for.wait(timeout=60):
            raise AssertionError("nobody asks for the second while the first is at work")
        return super().get(key, sha256=sha256)


def test_two_deliveries_are_at_work_at_once(hourly_feed: Feed) -> None:
    """The second is fetched while the first is not judged yet."""
    first, second = (str(CommitKey(slot=hourly_feed.slot_after(number))) for number in range(2))
    hourly_feed.store = Meeting(first, second, hourly_feed.store)
    assert len(hourly_feed.consume().judgements) == 25


def test_they_are_recorded_in_order(hourly_feed: Feed) -> None:
    """The ledger learns of deliveries in the order of their slots."""
    slots = [judgement.slot for judgement in hourly_feed.consume().judgements]
    assert slots == sorted(slots)


def test_an_interrupt_leaves_what_was_recorded_and_the_next_run_goes_on(hourly_feed: Feed) -> None:
    """Ctrl-C while others are at work: nothing waits for them; what stands in the ledger stays."""
    seen: list[Judgement] = []

    def interrupt(judgement: Judgement) -> None:
        seen.append(judgement)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with Lake(hourly_feed.folder / "lake", make=True) as lake:
        with pytest.raises(KeyboardInterrupt):
            consume(hourly_feed.store, lake, clock=clock, on_judgement=interrupt)
        recorded = len(lake.ledger.entries())
    assert 5 <= recorded < 25
    consumed = hourly_feed.consume()
    assert (consumed.known, len(consumed.judgements)) == (recorded, 25 - recorded)
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}


def test_what_is_large_is_rolled_up_by_itself(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as it is accepted; the roll-ups are the same as those of many written at once."""
    feed.consume("later")
    monkeypatch.setattr(module, "_ROLLED_UP_ROWS_MIN", 1)
    counts: list[int] = []

    write_rollups = Rollups.write

    def write(self: Rollups, checker: Checker, files: Mapping[str, Path]) -> None:
        counts.append(len(files))
        write_rollups(self, checker, files)

    monkeypatch.setattr(Rollups, "write", write)
    feed.consume("sooner")
    assert counts == [1] * 8
    assert rolled_up(feed.folder / "sooner") == rolled_up(feed.folder / "later")


def rolled_up(lake: Path) -> dict[str, bytes]:
    """The roll-ups of a lake."""
    found = {path.name: path.read_bytes() for path in (lake / "rollups").rglob("*.parquet")}
    assert len(found) == 8
    return found


def test_what_is_refused_leaves_no_roll_up(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large it is."""
    monkeypatch.setattr(module, "_ROLLED_UP_ROWS_MIN", 1)
    feed.recommit_bytes(feed.read(feed.commit().files[0].key), rows=1)
    verdicts = [judgement.verdict for judgement in feed.consume().judgements]
    assert verdicts.count("accepted") == 8
    assert len(list((feed.folder / "lake" / "rollups").rglob("*.parquet"))) == 7
