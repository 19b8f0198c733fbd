"""What a feed can do without, on every kind of store: never what a commit names."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from powerstage.contract import CommitKey, Contract, Slot, loads
from powerstage.contract.layout import DATA
from powerstage.errors import ConflictError, UsageError
from powerstage.janitor import Waste, delete_waste, find_waste
from powerstage.producer import publish, synthesise
from powerstage.producer.feed import standing_commit
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import FolderStore, VersionedStore, open_store
from tests.conftest import START, clock

# Stores have clocks of their own.
LATER = datetime(2099, 1, 1, tzinfo=UTC)
ORPHAN = f"{DATA}telemetry/date=2026-11-02/{'0' * 64}.parquet"


@pytest.fixture(scope="module")
def versioned() -> Iterator[EmbeddedS3]:
    """A server with a bucket that keeps versions."""
    with EmbeddedS3() as server, blind_to_aws(server.environment()):
        server.create_bucket("janitor")
        boto3.client("s3").put_bucket_versioning(
            Bucket="janitor", VersioningConfiguration={"Status": "Enabled"}
        )
        yield server


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> VersionedStore:
    """A store with nothing in it."""
    if request.param == "folder":
        return FolderStore(tmp_path / "feed")
    request.getfixturevalue("versioned")
    return open_store(f"s3://janitor/{tmp_path.name}")


@pytest.fixture
def half_days(contract: Contract) -> Contract:
    """The default contract, but that a delivery covers 12 hours, and is kept for 30 days."""
    text = contract.text.replace("value: 1\n    unit: h", "value: 12\n    unit: h")
    return loads(text, "agreed")


@pytest.fixture
def feed(store: VersionedStore, half_days: Contract) -> VersionedStore:
    """A feed of one device over a day, and an object that no commit names."""
    publish(synthesise(half_days, devices=1, start=START), store, clock=clock)
    store.put(ORPHAN, b"cut off")
    return store


def keys(store: VersionedStore) -> set[str]:
    """All that stands there."""
    return {info.key for info in store.list("")}


def named(waste: list[Waste]) -> dict[str, str]:
    """Why each goes."""
    return {item.object.key: item.why for item in waste}


def test_what_no_commit_names_is_deleted_and_nothing_else(feed: VersionedStore) -> None:
    """Once it is older than the grace."""
    before = keys(feed)
    waste = find_waste(feed, now=LATER)
    assert named(waste) == {ORPHAN: "orphan"}
    assert list(delete_waste(feed, waste)) == waste
    assert keys(feed) == before - {ORPHAN}


def test_what_is_younger_than_the_grace_is_left_alone(feed: VersionedStore) -> None:
    """Its commit may be on its way."""
    assert find_waste(feed, now=clock()) == []


def test_an_upload_that_comes_again_stays(feed: VersionedStore) -> None:
    """Between the look and the deletion: what was judged is another version."""
    waste = find_waste(feed, now=LATER)
    feed.put(ORPHAN, b"cut off")
    if isinstance(feed, FolderStore):
        # Two writes may fall into one tick of the clock.
        (path,) = Path(feed.url).rglob(Path(ORPHAN).name)
        os.utime(path, ns=(1, 1))
    list(delete_waste(feed, waste))
    assert ORPHAN in keys(feed)


def test_an_upload_that_comes_again_stays_where_there_are_no_versions(
    versioned: EmbeddedS3,
) -> None:
    """It has the version of the one before, and another time."""
    versioned.create_bucket("plain")
    store = open_store("s3://plain/feed")
    store.put(ORPHAN, b"cut off")
    (again,) = find_waste(store, now=LATER)
    long_ago = again.object.modified_at - timedelta(days=15)
    before = replace(again, object=replace(again.object, modified_at=long_ago))
    list(delete_waste(store, [before]))
    assert keys(store) == {ORPHAN}
    list(delete_waste(store, [again]))
    assert keys(store) == set()


def test_data_that_were_kept_long_enough_go_when_asked_for(
    feed: VersionedStore, half_days: Contract
) -> None:
    """Of telemetry alone: whatever refers to an inventory finds it; commits stay for ever."""
    before = keys(feed)
    waste = find_waste(feed, now=LATER, contract=half_days)
    list(delete_waste(feed, waste))
    assert sorted(named(waste).values()) == ["expired", "expired", "orphan"]
    assert before - keys(feed) == set(named(waste))
    assert all(key.startswith(f"{DATA}telemetry/") for key in named(waste))


def test_a_contract_that_agrees_on_no_retention_keeps_everything(
    feed: VersionedStore, half_days: Contract
) -> None:
    """What nobody agreed on, nobody may delete."""
    before, term, after = half_days.text.partition("  - property: retention\n")
    silent = loads(before + after[after.index("customProperties:") :], "silent")
    assert term
    in_years = START + timedelta(days=10_000)
    assert named(find_waste(feed, now=in_years, contract=silent)) == {ORPHAN: "orphan"}


def test_a_period_at_the_end_of_time_is_kept(feed: VersionedStore, half_days: Contract) -> None:
    """It ends after the last year that there is."""
    slot = Slot(dataset="telemetry", period=datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
    commit = standing_commit(feed, Slot(dataset="telemetry", period=START))
    last = replace(commit, slot=slot, files=(), reason="no-data")
    feed.put(str(CommitKey(slot=slot)), last.to_json())
    waste = find_waste(feed, now=LATER, contract=half_days)
    assert sorted(named(waste).values()) == ["expired", "expired", "orphan"]


def test_a_commit_that_cannot_be_read_keeps_everything(feed: VersionedStore) -> None:
    """What it names is not known."""
    feed.put("commits/telemetry/2026-11-09T0000/r000000.json", b"{")
    with pytest.raises(ConflictError, match="nothing is deleted"):
        find_waste(feed, now=LATER)


def test_a_key_that_is_no_commits_keeps_nothing(feed: VersionedStore) -> None:
    """Nobody reads it as a commit."""
    feed.put("commits/notes.txt", b"{")
    assert named(find_waste(feed, now=LATER)) == {ORPHAN: "orphan"}


def test_what_is_no_data_of_ours_is_left_alone(feed: VersionedStore) -> None:
    """Whoever put it there may want it."""
    feed.put(f"{DATA}notes.txt", b"x")
    assert named(find_waste(feed, now=LATER)) == {ORPHAN: "orphan"}


def test_what_a_killed_upload_has_left_in_a_folder_is_deleted(tmp_path: Path) -> None:
    """Its draft, once it is older than the grace; no other hidden file."""
    store = FolderStore(tmp_path)
    folder = (tmp_path / ORPHAN).parent
    folder.mkdir(parents=True)
    draft, other = folder / ".killed.draft", folder / ".notes"
    draft.write_bytes(b"cut o")
    other.write_bytes(b"x")
    assert find_waste(store, now=datetime.now(UTC)) == []  # noqa: TID251 - the disk has its own
    (waste,) = delete_waste(store, find_waste(store, now=LATER))
    assert (waste.why, waste.object.size_bytes) == ("orphan", 5)
    assert list(folder.iterdir()) == [other]


def test_a_file_with_a_name_that_is_no_key_is_left_alone(feed: VersionedStore) -> None:
    """It is not ours, and in nobody's way."""
    if isinstance(feed, FolderStore):
        (Path(feed.url) / DATA / "notes (1).txt").write_bytes(b"x")
    assert named(find_waste(feed, now=LATER)) == {ORPHAN: "orphan"}


def test_a_grace_within_which_somebody_may_publish_is_refused(feed: VersionedStore) -> None:
    """Less than a day."""
    with pytest.raises(UsageError):
        find_waste(feed, now=LATER, grace=timedelta(hours=23))
