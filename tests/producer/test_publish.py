"""Publishing: once, whole, and again after whatever cut it off."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import powerstage
from powerstage.contract import Commit, CommitKey, Contract, Slot
from powerstage.engine import connect
from powerstage.errors import ConflictError, StoreRefusedError, StoreUnavailableError
from powerstage.producer import (
    MockSource,
    Published,
    Source,
    publish,
    synthesise,
    write_parquet,
)
from powerstage.store import FolderStore, MemoryStore, ObjectInfo, Store, open_store
from tests.conftest import START, clock
from tests.producer.conftest import commits, delivered, edited, objects, store_of

NOON = START + timedelta(hours=12)
INVENTORY = Slot(dataset="inventory", period=START)
MORNING = Slot(dataset="telemetry", period=START)
AFTERNOON = Slot(dataset="telemetry", period=NOON)
WRITTEN = f"written by powerstage {powerstage.__version__} at 2026-11-24T12:00:00Z"
# Contract, and once more to be refused; data and commit of an inventory and two periods.
WRITES = 8


class Watched(MemoryStore):
    """A store that notes which keys are written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Note it."""
        self.written.append(key)
        super().put(key, body, sha256=sha256)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Note it."""
        self.written.append(key)
        return super().put_if_absent(key, body)


class Failing(MemoryStore):
    """A store whose n-th write fails: before it is done, or after, when its reply is lost.

    With ``stays``, it answers nothing at all from then on, until it is mended.
    """

    def __init__(self, at: int, *, done: bool, stays: bool) -> None:
        super().__init__()
        self.at, self.done, self.stays = at, done, stays
        self.writes = 0
        self.down = False

    def answer(self) -> None:
        """Fail if it is down."""
        if self.down:
            raise StoreUnavailableError("no answer")

    def fails(self) -> bool:
        """Whether this write is the one."""
        self.answer()
        self.writes += 1
        self.down = self.stays and self.writes == self.at
        return self.writes == self.at

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write, or fail."""
        fails = self.fails()
        if not fails or self.done:
            super().put(key, body, sha256=sha256)
        if fails:
            raise StoreUnavailableError("no answer")

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write, or fail."""
        fails = self.fails()
        created = super().put_if_absent(key, body) if not fails or self.done else False
        if fails:
            raise StoreUnavailableError("no answer")
        return created

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """Read, unless it is down."""
        self.answer()
        return super().get(key, sha256=sha256)

    def head(self, key: str) -> ObjectInfo | None:
        """Look, unless it is down."""
        self.answer()
        return super().head(key)


@dataclass(frozen=True)
class Spliced:
    """A source with one period of another."""

    whole: MockSource
    period: datetime
    part: MockSource

    @property
    def contract(self) -> Contract:
        """That of the whole."""
        return self.whole.contract

    def parts(self) -> Sequence["Spliced"]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """Those of the whole."""
        return self.whole.periods()

    def snapshots(self) -> Sequence[datetime]:
        """Those of the whole."""
        return self.whole.snapshots()

    def write_inventory(self, period: datetime, path: Path) -> int:
        """That of the whole."""
        return self.whole.write_inventory(period, path)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """One from the part, all others from the whole."""
        source = self.part if period == self.period else self.whole
        return source.write_telemetry(period, path)


def states(done: Sequence[Published]) -> dict[str, str]:
    """What became of each delivery."""
    return {str(delivery.slot): delivery.state for delivery in done}


def test_a_feed_holds_what_its_commits_say(whole: dict[str, bytes], tmp_path: Path) -> None:
    """Every data object by its size, digest and rows; none that no commit names."""
    store = store_of(whole)
    rows = delivered(store, tmp_path)
    found = commits(store)
    assert [(commit.slot, commit.rows) for commit in found] == [
        (INVENTORY, 3),
        (MORNING, 72),
        (AFTERNOON, 72),
    ]
    for commit in found:
        (file,) = commit.files
        assert hashlib.sha256(whole[file.key]).hexdigest() == file.sha256
        assert (len(whole[file.key]), len(rows[str(commit.slot)])) == (file.bytes, file.rows)
    data = {key for key in whole if key.startswith("data/")}
    assert data == {commit.files[0].key for commit in found}


def test_a_commit_names_contract_inventory_and_time(
    small: MockSource, whole: dict[str, bytes]
) -> None:
    """By digest and identity; the feed carries that very contract."""
    store = store_of(whole)
    inventory, *telemetry = commits(store)
    contract = small.contract
    assert inventory.inventory is None
    for commit in telemetry:
        assert commit.inventory is not None
        assert (commit.inventory.slot, commit.inventory.identity) == (INVENTORY, inventory.identity)
    for commit in (inventory, *telemetry):
        assert commit.contract.sha256 == contract.sha256
        assert (commit.feed, commit.created_at) == ("memory", "2026-11-24T12:00:00Z")
    copy = whole["contract/power-telemetry/1.0.0.odcs.yaml"]
    assert hashlib.sha256(copy).hexdigest() == contract.sha256


def test_what_is_published_is_reported(small: MockSource) -> None:
    """Delivery by delivery, as it happens and at the end, with what stands in the feed."""
    store = MemoryStore()
    seen: list[Published] = []
    done = publish(small, store, clock=clock, on_delivery=seen.append)
    assert seen == done
    assert states(done) == {str(slot): "new" for slot in (INVENTORY, MORNING, AFTERNOON)}
    assert [(delivery.identity, delivery.rows, delivery.size_bytes) for delivery in done] == [
        (commit.identity, commit.rows, commit.files[0].bytes) for commit in commits(store)
    ]


def test_data_come_before_their_commit(small: MockSource) -> None:
    """And the contract before all: what can be seen is whole."""
    store = Watched()
    publish(small, store, clock=clock)
    contract, again, *rest = store.written
    assert contract.startswith("contract/")
    assert again == contract
    assert [key.split("/")[0] for key in rest] == ["data", "commits"] * 3


def test_a_second_run_sends_nothing(small: MockSource) -> None:
    """It finds all as it should be, and says so."""
    store = Watched()
    first = publish(small, store, clock=clock)
    before = objects(store)
    store.written.clear()
    second = publish(small, store, clock=clock)
    assert store.written == []
    assert objects(store) == before
    assert set(states(second).values()) == {"unchanged"}
    assert [delivery.identity for delivery in second] == [delivery.identity for delivery in first]


def test_other_content_for_a_committed_period_is_refused(
    half_days: Contract, whole: dict[str, bytes]
) -> None:
    """By the name of that period alone, with who wrote it; and of what is new nothing is sent."""
    store = store_of(whole)
    longer = synthesise(half_days, devices=3, start=START, days=2)
    other = Spliced(longer, NOON, synthesise(half_days, devices=3, start=START, seed=8))
    with pytest.raises(
        ConflictError, match="holds other content for 1 of the deliveries"
    ) as caught:
        publish(other, store, clock=clock)
    assert caught.value.cause == f"{AFTERNOON} holds other values in its 72 rows, {WRITTEN}"
    assert objects(store) == whole


def test_fewer_readings_than_committed_are_refused(
    small: MockSource, half_days: Contract, whole: dict[str, bytes]
) -> None:
    """With both numbers of rows."""
    store = store_of(whole)
    other = Spliced(small, NOON, synthesise(half_days, devices=2, start=START))
    with pytest.raises(ConflictError) as caught:
        publish(other, store, clock=clock)
    assert caught.value.cause == f"{AFTERNOON} holds 72 rows, this has 48, {WRITTEN}"


def test_another_inventory_for_a_committed_period_is_refused(
    half_days: Contract, whole: dict[str, bytes]
) -> None:
    """It is named first, then what else differs."""
    store = store_of(whole)
    with pytest.raises(ConflictError) as caught:
        publish(synthesise(half_days, devices=3, start=START, seed=8), store, clock=clock)
    first, second, *_ = caught.value.cause.split("; ")
    assert first == f"{INVENTORY} holds other values in its 3 rows, {WRITTEN}"
    assert second.startswith(str(MORNING))
    assert objects(store) == whole


@pytest.mark.parametrize(("days", "seed"), [(1, 7), (0, 8)], ids=["a later day", "other values"])
def test_another_contract_of_the_same_version_is_refused(
    small: MockSource, whole: dict[str, bytes], days: int, seed: int
) -> None:
    """Even where only a comment differs; it is named before anything that follows from it."""
    store = store_of(whole)
    contract = edited(small.contract, ("# Another measure", "# One more measure"))
    other = synthesise(contract, devices=3, start=START + timedelta(days=days), seed=seed)
    with pytest.raises(ConflictError, match=r"another contract power-telemetry 1\.0\.0"):
        publish(other, store, clock=clock)
    assert objects(store) == whole


def test_a_new_version_of_the_contract_stands_beside_the_old(
    small: MockSource, whole: dict[str, bytes]
) -> None:
    """What was published under the old one is left alone."""
    store = store_of(whole)
    contract = edited(small.contract, ("version: 1.0.0", "version: 1.1.0"))
    publish(synthesise(contract, devices=3, start=START + timedelta(days=1)), store, clock=clock)
    after = objects(store)
    assert {key: after[key] for key in whole} == whole
    assert len([key for key in after if key.startswith("contract/")]) == 2
    assert commits(store)[-1].contract.version == "1.1.0"


@pytest.mark.parametrize("devices", [3, 4])
def test_an_inventory_is_delivered_when_it_has_changed(
    half_days: Contract, whole: dict[str, bytes], devices: int
) -> None:
    """A later day refers to the snapshot in force: the same as before, or a new one."""
    store = store_of(whole)
    day = START + timedelta(days=1)
    done = publish(synthesise(half_days, devices=devices, start=day), store, clock=clock)
    snapshot = INVENTORY if devices == 3 else Slot(dataset="inventory", period=day)
    assert (done[0].slot, done[0].state) == (snapshot, "unchanged" if devices == 3 else "new")
    pins = [commit.inventory for commit in commits(store) if commit.inventory]
    assert [pin.slot for pin in pins] == [INVENTORY, INVENTORY, snapshot, snapshot]
    assert {pin.identity for pin in pins[2:]} == {done[0].identity}


def test_an_earlier_day_does_not_refer_to_a_later_inventory(
    small: MockSource, half_days: Contract, whole: dict[str, bytes]
) -> None:
    """A snapshot is in force from its period on: the day before gets its own."""
    store = store_of(whole)
    day = START - timedelta(days=1)
    done = publish(synthesise(half_days, devices=3, start=day), store, clock=clock)
    assert (done[0].slot, done[0].state) == (Slot(dataset="inventory", period=day), "new")
    assert set(states(publish(small, store, clock=clock)).values()) == {"unchanged"}


def test_an_undisturbed_run_makes_so_many_writes(small: MockSource) -> None:
    """All of which the next test disturbs, one by one."""
    store = Watched()
    publish(small, store, clock=clock)
    assert len(store.written) == WRITES


@pytest.mark.parametrize("at", range(1, WRITES + 1))
@pytest.mark.parametrize("done", [False, True], ids=["not done", "reply lost"])
@pytest.mark.parametrize("stays", [False, True], ids=["once", "from then on"])
def test_a_run_that_was_cut_off_is_completed_by_the_next(
    small: MockSource, whole: dict[str, bytes], at: int, done: bool, stays: bool
) -> None:
    """Whichever write failed, and however: at last all is as if nothing had been."""
    store = Failing(at, done=done, stays=stays)
    with pytest.raises(StoreUnavailableError) if stays else suppress(StoreUnavailableError):
        publish(small, store, clock=clock)
    store.down = False
    present = objects(store)
    assert all(file.key in present for commit in commits(store) for file in commit.files)
    publish(synthesise(small.contract, devices=3, start=START), store, clock=clock)
    assert store.writes >= at
    assert objects(store) == whole


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "reply lost"])
@pytest.mark.parametrize("at", [1, 2, 4, 6, 8])
def test_one_lost_answer_to_a_record_does_not_end_a_run(
    small: MockSource, whole: dict[str, bytes], at: int, lost: bool
) -> None:
    """The contract and the commits are read back, and written again if they are not there."""
    store = Failing(at, done=lost, stays=False)
    publish(small, store, clock=clock)
    assert objects(store) == whole


class Replacing(MemoryStore):
    """A store that knows nothing of conditions."""

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write, whatever stands there."""
        self.put(key, body)
        return True


@pytest.mark.parametrize("days", [0, 1], ids=["an empty feed", "a feed that has its contract"])
def test_nothing_is_committed_to_a_store_that_ignores_conditions(
    half_days: Contract, whole: dict[str, bytes], days: int
) -> None:
    """Its first commit would not be safe, nor would the next of a feed that stands there."""
    store = Replacing()
    for key, body in whole.items() if days else ():
        store.put(key, body)
    before = objects(store)
    source = synthesise(half_days, devices=3, start=START + timedelta(days=days))
    with pytest.raises(StoreRefusedError, match="written once") as caught:
        publish(source, store, clock=clock)
    assert (caught.value.exit_code, "412" in caught.value.cause) == (3, True)
    assert {key for key in objects(store) if not key.startswith("contract/")} == {
        key for key in before if not key.startswith("contract/")
    }


class Rival(MemoryStore):
    """A store in which somebody else commits while we send our data."""

    def __init__(self, key: str, body: bytes) -> None:
        super().__init__()
        self.key, self.body = key, body

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """The other is faster."""
        super().put_if_absent(self.key, self.body)
        super().put(key, body, sha256=sha256)


def test_a_faster_producer_with_other_content_is_a_conflict(
    small: MockSource, half_days: Contract
) -> None:
    """Its commit stays, ours is given up, and the message says which."""
    key = str(CommitKey(slot=AFTERNOON))
    other = Spliced(small, NOON, synthesise(half_days, devices=3, start=START, seed=8))
    theirs = MemoryStore()
    publish(other, theirs, clock=clock)
    store = Rival(key, objects(theirs)[key])
    with pytest.raises(ConflictError) as caught:
        publish(small, store, clock=clock)
    assert caught.value.cause.startswith(str(AFTERNOON))
    assert objects(store)[key] == objects(theirs)[key]


def test_a_faster_producer_with_the_same_content_is_none(
    small: MockSource, whole: dict[str, bytes]
) -> None:
    """Two runs at the same time come to the same."""
    key = str(CommitKey(slot=AFTERNOON))
    store = Rival(key, whole[key])
    publish(small, store, clock=clock)
    assert objects(store) == whole


def test_a_faster_producer_under_another_contract_text_is_a_conflict(
    small: MockSource, whole: dict[str, bytes]
) -> None:
    """The identity of its commit is ours, and no consumer would accept it."""
    key = str(CommitKey(slot=AFTERNOON))
    ours = Commit.from_json(whole[key])
    theirs = replace(ours, contract=replace(ours.contract, sha256="0" * 64))
    assert theirs.identity == ours.identity
    with pytest.raises(ConflictError, match="other content"):
        publish(small, Rival(key, theirs.to_json()), clock=clock)


def test_a_commit_that_cannot_be_read_is_a_conflict(
    small: MockSource, whole: dict[str, bytes]
) -> None:
    """Nobody writes over it; it is named."""
    store = store_of(whole)
    store.put(str(CommitKey(slot=AFTERNOON)), b"rubbish")
    before = objects(store)
    with pytest.raises(ConflictError, match=f"the commit of {AFTERNOON} in memory cannot be read"):
        publish(small, store, clock=clock)
    assert objects(store) == before


def test_what_is_no_commit_does_not_disturb(small: MockSource, whole: dict[str, bytes]) -> None:
    """Strays under commits/ are the consumer's to report."""
    store = store_of(whole)
    store.put("commits/notes.txt", b"x")
    assert set(states(publish(small, store, clock=clock)).values()) == {"unchanged"}


def test_a_null_in_one_period_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    """The same rows are the same bytes, whatever else the table holds."""
    rows = "SELECT range AS slot, if(range < 10, 'A1', NULL) AS rack FROM range({})"
    for number in (10, 20):
        with connect() as connection:
            connection.execute(f"CREATE TABLE reading AS {rows.format(number)}")
            path = tmp_path / str(number)
            written = write_parquet(connection, "SELECT * FROM reading WHERE slot < 10", path)
            assert written == 10
    assert (tmp_path / "10").read_bytes() == (tmp_path / "20").read_bytes()


def test_a_feed_in_a_folder_may_be_moved_with_its_folder(small: MockSource, tmp_path: Path) -> None:
    """Its deliveries are the same wherever it stands, whatever it is called there."""
    publish(small, FolderStore(tmp_path / "feed"), clock=clock)
    (tmp_path / "feed").rename(tmp_path / "moved")
    done = publish(small, FolderStore(tmp_path / "moved"), clock=clock)
    assert set(states(done).values()) == {"unchanged"}


def test_s3_is_published_to_like_any_store(
    small: MockSource, whole: dict[str, bytes], feed_url: str
) -> None:
    """The same keys, the same data; the commits name the feed by its URL."""
    store: Store = open_store(feed_url)
    source: Source = small
    publish(source, store, clock=clock)
    found, expected = objects(store), whole
    assert found.keys() == expected.keys()
    assert {key for key in found if found[key] != expected[key]} == {
        key for key in found if key.startswith("commits/")
    }
    assert {commit.feed for commit in commits(store)} == {feed_url}
    assert set(states(publish(source, store, clock=clock)).values()) == {"unchanged"}
